const WORDS =
  "alpha Beta GAMMA delta_epsilon zetaEta theta9 über straße Ärger длина СТРОКА ключ λόγος ΣΊΣΥΦΟΣ 漢字 検索 한국어 검색 ſtrange K elvin İstanbul ıssız ﬅ 😀 \u{10400}\u{10428}".split(
    " ",
  );

/** Texts that are hard to search: very long lines, all kinds of line ends, letters whose case is odd. */
export const HOSTILE_FILES: Record<string, string> = {
  "hard/long.txt": line(60_000),
  "hard/longer.min.js": `short;\n${line(300_000)}\nshort again;\n${line(9_000)}`,
  "hard/many-long.txt": Array.from({ length: 12 }, (_, i) => line(7_000 + i * 300)).join("\n"),
  "hard/crlf.txt": Array.from({ length: 2_000 }, (_, i) => `${i} ${line(40)} end`).join("\r\n"),
  "hard/no-newline.txt": "first line\nlast line without its end",
  "hard/one-line.txt": "only one line",
  "hard/blank.txt": "\n\n\n  \n\t\n",
  "hard/scripts.txt": Array.from({ length: 3_000 }, (_, i) => `${line(60)} ${i}`).join("\n"),
  "hard/repeated.txt": `${"a".repeat(20_000)}\n${"ab".repeat(9_000)}\n${"a".repeat(8_191)}b\n${"a".repeat(8_192)}b\n`,
  "hard/punctuation.txt": Array.from(
    { length: 500 },
    (_, i) => `=> {}[]()<> ${"!@#$%^&*".slice(i % 8)} \\\\ // "" '' ;;; ${i}`,
  ).join("\n"),
};

/** A line of so many characters, more or less, which is the same in each process. */
function line(length: number): string {
  let text = "";
  for (let i = length; text.length < length; i = (i * 48_271 + 11) % 2_147_483_647) {
    text += `${WORDS[i % WORDS.length]}${" ,;()"[i % 5]}`;
  }
  return text;
}
