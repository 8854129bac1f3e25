/**
 * Controls but the tab, what turns the order of writing around, line ends that are none of ours, and the tags that no
 * font draws. Joiners stay: emoji and several scripts are written with them.
 */
const HIDDEN =
  /[^\P{Cc}\t]|[\u061c\u200b\u200e\u200f\u2028\u2029\u202a-\u202e\u2060-\u2069\ufeff\u{e0000}-\u{e007f}]/gu;
const PICTURES = 0x2400;
const PICTURE_OF_DELETE = "\u2421";

/**
 * A text with nothing in it that a reader does not see, or that a terminal obeys: `␛` for an escape, `⟨U+202E⟩` for what
 * has no picture.
 */
export function makeVisible(text: string): string {
  return text.replace(HIDDEN, (character) => {
    const code = character.codePointAt(0) ?? 0;
    if (code < 0x20) return String.fromCodePoint(PICTURES + code);
    if (code === 0x7f) return PICTURE_OF_DELETE;
    return `⟨U+${code.toString(16).toUpperCase().padStart(4, "0")}⟩`;
  });
}

/** A part of a text, as it is shown. */
export interface Piece {
  text: string;
  isFound: boolean;
}

/** Parts a text at what was found in it, by UTF-16 offsets, and makes each part visible. */
export function piecesOf(text: string, ranges: readonly (readonly [number, number])[]): Piece[] {
  const pieces: Piece[] = [];
  let at = 0;
  for (const [from, end] of [...ranges].sort(([a], [b]) => a - b)) {
    const start = Math.max(at, from);
    if (end <= start) continue;
    pieces.push(
      { text: text.slice(at, start), isFound: false },
      { text: text.slice(start, end), isFound: true },
    );
    at = end;
  }
  pieces.push({ text: text.slice(at), isFound: false });
  return pieces.flatMap(({ text: part, isFound }) =>
    part === "" ? [] : { text: makeVisible(part), isFound },
  );
}
