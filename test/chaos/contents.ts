import { encodeLegacy } from "../support/encode.ts";
import type { Random } from "../support/random.ts";

/** What the index must make of a blob. The text is the one that was encoded: no decoder has a say in it. */
export type Expected =
  | { state: "indexed"; encoding: string; text: string }
  | { state: "binary" | "encoding" | "lfs" | "oversize" };

export interface Content {
  bytes: Buffer;
  expected: Expected;
}

/** The server's default, at which files are still indexed. */
const MAX_FILE_BYTES = 1_048_576;
const LONG_LINE_BYTES = 300_000;
const MEGABYTE = 1_000_000;

const KOREAN = [
  "저장소의 모든 파일을 색인한다.",
  "이 함수는 값을 돌려주지 않는다.",
  "오류가 나면 다시 시도하고 그 이유를 기록한다.",
  "사용자가 요청한 검사는 사라지지 않는다.",
];
const JAPANESE = [
  "このファイルは設定を読み込みます。",
  "エラーが発生した場合は、もう一度試してください。",
  "リポジトリのすべてのコミットを調べる。",
  "ここから先は、だれにも読めない文字である。",
];
const CHINESE = [
  "这个函数返回仓库的名称。",
  "如果出现错误，请再试一次。",
  "我们的服务在每次提交之后都会更新索引。",
  "他们在这里说明了为什么不能这样做。",
];
const EUROPEAN = [
  "Der Schlüssel wird für die Größe der Straße benötigt.",
  "L'été dernier, le garçon a mangé à l'hôtel.",
  "El niño pequeño comió una manzana en la montaña.",
  "Å være eller ikke være, det er spørsmålet.",
];
const ASCII = [
  "export const answer = 42;",
  "$Id$",
  "$Format:%H by %an$",
  "if (a < b && c > d) return `x`;",
  "\tindented\twith\ttabs",
];
const ANY = [
  ...KOREAN,
  ...JAPANESE,
  ...CHINESE,
  ...EUROPEAN,
  ...ASCII,
  "👩‍🚀 🦜 \u{20000}",
  "e\u0301 \u2028 \u00a0",
];

const LINE_ENDS = ["\n", "\n", "\r\n", "\r"];

/** Some lines of these sentences, numbered so that no two texts are the same; by chance without a last line end. */
function prose(random: Random, sentences: readonly string[]): string {
  const end = random.pick(LINE_ENDS);
  const lines = Array.from(
    { length: 6 + random.below(200) },
    () => `${random.below(1_000)} ${random.pick(sentences)}`,
  );
  return lines.join(end) + (random.chance(0.7) ? end : "");
}

function utf8(text: string): Content {
  return { bytes: Buffer.from(text), expected: { state: "indexed", encoding: "utf-8", text } };
}

function legacy(random: Random, sentences: readonly string[], encoding: string): Content {
  const text = prose(random, sentences);
  return { bytes: encodeLegacy(text, encoding), expected: { state: "indexed", encoding, text } };
}

function utf16(random: Random, { bigEndian }: { bigEndian: boolean }): Content {
  const text = prose(random, ANY);
  const bytes = Buffer.from(`\uFEFF${text}`, "utf16le");
  return {
    bytes: bigEndian ? bytes.swap16() : bytes,
    expected: { state: "indexed", encoding: bigEndian ? "utf-16be" : "utf-16le", text },
  };
}

/** UTF-16 that is none: half a character, or half a unit, too much. */
function brokenUtf16(random: Random): Content {
  const { bytes } = utf16(random, { bigEndian: random.chance(0.5) });
  const isBigEndian = bytes[0] === 0xfe;
  const rest = random.chance(0.5)
    ? [0x41]
    : isBigEndian
      ? [0xd8, 0x00, 0x00, 0x41]
      : [0x00, 0xd8, 0x41, 0x00];
  return { bytes: Buffer.concat([bytes, Buffer.from(rest)]), expected: { state: "binary" } };
}

function withNul(random: Random): Content {
  const text = Buffer.from(prose(random, ANY));
  const nul = Buffer.from([0]);
  const pieces = random.pick([
    [nul, text],
    [text, nul],
    [text, nul, text],
    [Buffer.alloc(MEGABYTE, "far from the beginning\n"), nul, Buffer.from(`${random.below(MEGABYTE)}\n`)],
  ]);
  return { bytes: Buffer.concat(pieces), expected: { state: "binary" } };
}

/** Characters of one to four bytes, so that cuts by bytes and by characters fall apart. */
function longLine(random: Random): Content {
  const unit = `${random.below(1_000)}ä한👩‍🚀"\\,`;
  const line = unit.repeat(Math.ceil(LONG_LINE_BYTES / Buffer.byteLength(unit)));
  return utf8(random.pick([line, `${line}\n`, `short\r\n${line}\r\nshort`, `${line}\n${line.slice(1)}`]));
}

function atTheLimit(random: Random): Content {
  const over = random.below(2);
  const line = `${random.below(MEGABYTE)} the same line again and again\n`;
  const text = line.repeat(Math.ceil(MAX_FILE_BYTES / line.length) + 1).slice(0, MAX_FILE_BYTES + over);
  return over > 0 ? { ...utf8(text), expected: { state: "oversize" } } : utf8(text);
}

function lfsPointer(random: Random): Content {
  const digits = Array.from({ length: 64 }, () => random.below(16).toString(16)).join("");
  const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${digits}\nsize ${random.below(MEGABYTE)}\n`;
  return { bytes: Buffer.from(pointer), expected: { state: "lfs" } };
}

function nobodysText(random: Random): Content {
  const bytes = Buffer.from([0x61, 0xff, 0xfe, 0xfd, 0x81, 0x62]);
  return {
    bytes: Buffer.concat([Buffer.from(`${random.below(1_000)}\n`), bytes]),
    expected: { state: "encoding" },
  };
}

const GENERATORS: [weight: number, make: (random: Random) => Content][] = [
  [6, (random) => utf8(prose(random, ANY))],
  [3, (random) => utf8(prose(random, ASCII))],
  [2, (random) => utf8(`\uFEFF${prose(random, ANY)}`)],
  [1, (random) => utf16(random, { bigEndian: false })],
  [1, (random) => utf16(random, { bigEndian: true })],
  [1, brokenUtf16],
  [1, (random) => legacy(random, KOREAN, "euc-kr")],
  [1, (random) => legacy(random, JAPANESE, "shift_jis")],
  [1, (random) => legacy(random, CHINESE, "gb18030")],
  [1, (random) => legacy(random, EUROPEAN, "windows-1252")],
  [2, withNul],
  [1, longLine],
  [1, () => utf8("")],
  [1, atTheLimit],
  [1, lfsPointer],
  [1, nobodysText],
];
const DRAWN = GENERATORS.flatMap(([weight, make]) => Array.from({ length: weight }, () => make));

/** A file's content as nobody should write it, and what the index must say of it. */
export function makeContent(random: Random): Content {
  return random.pick(DRAWN)(random);
}
