/** The last character that has a case (Unicode 17). */
const LAST_CASED = 0x1e943;

/** Characters that JavaScript's `iu` does not take for each other, though upper and lower case would have it so. */
const DOTLESS = new Set([0x130, 0x131]);

/** Equal by simple case folding, but not by any mapping of a single character: CaseFolding.txt, status S. */
const PAIRS: [number, number][] = [
  [0x1fd3, 0x390],
  [0x1fe3, 0x3b0],
  [0xfb05, 0xfb06],
];

interface Cases {
  folded: Map<number, number>;
  all: Map<number, number[]>;
}

let cases: Cases | null = null;

/** The character that stands for all those that are the same without case, as the flags `iu` of a RegExp have it. */
export function foldCharacter(character: number): number {
  if (character < 0x80) return character >= 0x41 && character <= 0x5a ? character + 0x20 : character;
  return readCases().folded.get(character) ?? character;
}

/** A text with each character folded: two texts are the same without case iff these are the same. */
export function foldText(text: string): string {
  let folded = "";
  for (const character of text) folded += String.fromCodePoint(foldCharacter(character.codePointAt(0) ?? 0));
  return folded;
}

/** All characters that are the same without case: for "k" also "K" and the Kelvin sign. */
export function casesOf(character: number): number[] {
  return readCases().all.get(foldCharacter(character)) ?? [character];
}

/** Every group of characters that are the same without case, two or more each. */
export function allCases(): Iterable<number[]> {
  return readCases().all.values();
}

/** Read from the engine itself, so that it agrees with the engine's RegExp; 20 ms, once. */
function readCases(): Cases {
  cases ??= collectCases();
  return cases;
}

function collectCases(): Cases {
  const all = new Map<number, number[]>();
  for (let character = 0; character <= LAST_CASED; character += 1) {
    const folded = foldByMapping(character);
    if (folded === character) continue;
    const group = all.get(folded) ?? [folded];
    group.push(character);
    all.set(folded, group);
  }
  for (const [character, folded] of PAIRS) all.set(folded, [folded, character]);
  const folded = new Map<number, number>();
  for (const [to, group] of all) {
    for (const character of group) folded.set(character, to);
  }
  return { folded, all };
}

function foldByMapping(character: number): number {
  if (DOTLESS.has(character)) return character;
  return lowerOf(upperOf(character));
}

function lowerOf(character: number): number {
  return single(String.fromCodePoint(character).toLowerCase()) ?? character;
}

function upperOf(character: number): number {
  return single(String.fromCodePoint(character).toUpperCase()) ?? character;
}

function single(text: string): number | null {
  const character = text.codePointAt(0) ?? 0;
  return text.length === (character > 0xffff ? 2 : 1) ? character : null;
}
