import { foldUnit } from "./fold.ts";

/**
 * Words of a text, hashed, for ranking: identifiers as they stand, and the parts that camelCase, snake_case and digits
 * make of them. So which units hold a word as a whole is known before any text is read.
 */

/** How many hashes of words there are. */
export const WORDS = 1 << 18;
/** A longer run of letters is data, not a word. */
const MAX_WORD_LENGTH = 64;
const MIN_PART_LENGTH = 2;

const WHOLE_SEED = 0x811c9dc5;
const PART_SEED = 0x5bd1e995;

/** What a character is to a word: 0 nothing, else one of these. */
const LOWER = 1;
const UPPER = 2;
const DIGIT = 3;
const JOINER = 4;

let kinds: Uint8Array | undefined;

function makeKinds(): Uint8Array {
  const table = new Uint8Array(65_536);
  for (let unit = 0; unit < table.length; unit += 1) {
    const character = String.fromCharCode(unit);
    if (/\p{Lu}/u.test(character)) table[unit] = UPPER;
    else if (/\p{L}|\p{M}/u.test(character) || (unit >= 0xd800 && unit <= 0xdfff)) table[unit] = LOWER;
    else if (/\p{N}/u.test(character)) table[unit] = DIGIT;
    else if (character === "_" || character === "$") table[unit] = JOINER;
  }
  return table;
}

interface Word {
  start: number;
  end: number;
}

/** Finds the identifiers of a text, and their parts where there are several. */
function readWords(
  text: string,
  found: { identifier: (start: number, end: number) => void; part: (start: number, end: number) => void },
): void {
  kinds ??= makeKinds();
  const kindOf = kinds;
  const { length } = text;
  let i = 0;
  while (i < length) {
    const first = kindOf[text.charCodeAt(i)] as number;
    if (first === 0) {
      i += 1;
      continue;
    }
    const start = i;
    let partStart = i;
    let kind = first;
    let parts = 0;
    for (i += 1; i < length; i += 1) {
      const next = kindOf[text.charCodeAt(i)] as number;
      if (next === 0) break;
      if (next !== kind) {
        const isCapitalized = kind === UPPER && next === LOWER;
        // HTTPServer: the last capital belongs to what follows.
        const cut = isCapitalized ? i - 1 : i;
        if (cut > partStart) {
          if (kind !== JOINER) found.part(partStart, cut);
          parts += 1;
          partStart = cut;
        }
        kind = next;
      }
    }
    if (parts > 0 && kind !== JOINER) found.part(partStart, i);
    if (first !== DIGIT) found.identifier(start, i);
  }
}

/** The identifiers and the parts of a text; a part is told only where an identifier has several. */
export function wordsOf(text: string): { identifiers: Word[]; parts: Word[] } {
  const identifiers: Word[] = [];
  const parts: Word[] = [];
  readWords(text, {
    identifier: (start, end) => identifiers.push({ start, end }),
    part: (start, end) => parts.push({ start, end }),
  });
  return { identifiers, parts };
}

/** Reads the distinct words of texts. */
export class WordReader {
  readonly #met = new Uint32Array(WORDS);
  #texts = 0;

  /** Adds the hashes of a text's words to `into` from `at` on, each plus `base`; answers where they end. */
  read(text: string, into: Uint32Array, at: number, base: number): number {
    this.#texts += 1;
    const current = this.#texts;
    const met = this.#met;
    let end = at;
    const add = (key: number) => {
      if (met[key] === current) return;
      met[key] = current;
      into[end] = base + key;
      end += 1;
    };
    readWords(text, {
      identifier(start, stop) {
        if (stop - start <= MAX_WORD_LENGTH) add(hashText(text, start, stop, WHOLE_SEED));
      },
      part(start, stop) {
        const length = stop - start;
        if (length >= MIN_PART_LENGTH && length <= MAX_WORD_LENGTH)
          add(hashText(text, start, stop, PART_SEED));
      },
    });
    return end;
  }
}

/**
 * The hashes under which units are listed that hold this word as an identifier, and as a part of one; null where words
 * of its kind are not listed.
 */
export function keysOfWord(word: string): { identifier: number | null; part: number | null } {
  const { identifiers, parts } = wordsOf(word);
  const isOne =
    identifiers.length === 1 && identifiers[0]?.end === word.length && word.length <= MAX_WORD_LENGTH;
  const isPart = isOne && parts.length === 0 && word.length >= MIN_PART_LENGTH;
  return {
    identifier: isOne ? hashText(word, 0, word.length, WHOLE_SEED) : null,
    part: isPart ? hashText(word, 0, word.length, PART_SEED) : null,
  };
}

function hashText(text: string, start: number, end: number, seed: number): number {
  let hash = seed;
  for (let i = start; i < end; i += 1) hash = Math.imul(hash ^ foldUnit(text.charCodeAt(i)), 0x01000193);
  hash ^= hash >>> 15;
  return Math.imul(hash, 0x9e3779b1) >>> 14;
}
