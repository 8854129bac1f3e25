import { foldUnit, toUnits } from "./fold.ts";
import { Marks } from "./marks.ts";

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
const FACTOR = 0x01000193;

/** What a character is to a word: 0 nothing, else one of these. */
const LOWER = 1;
const UPPER = 2;
const DIGIT = 3;
const JOINER = 4;
const KIND_BITS = 3;
const KIND = (1 << KIND_BITS) - 1;

/** By UTF-16 unit: what it is to a word, and above that what it adds to a hash, which is the same whatever its case. */
const TABLE = makeTable();

function makeTable(): Uint16Array {
  return Uint16Array.from({ length: 65_536 }, (_, unit) => {
    const kind = kindOf(unit);
    const folded = foldUnit(unit);
    const symbol = folded < 128 ? folded : 128 + (Math.imul(folded, 0x9e3779b1) >>> 20);
    return (symbol << KIND_BITS) | kind;
  });
}

function kindOf(unit: number): number {
  const character = String.fromCharCode(unit);
  if (/\p{Lu}/u.test(character)) return UPPER;
  if (/\p{L}|\p{M}|\p{Cs}/u.test(character)) return LOWER;
  if (/\p{N}/u.test(character)) return DIGIT;
  return character === "_" || character === "$" ? JOINER : 0;
}

/** A stretch of a text. */
interface Span {
  start: number;
  end: number;
}

function kindAt(text: Uint16Array, at: number): number {
  return (TABLE[text[at] as number] as number) & KIND;
}

/** Where the word that begins at `start` ends. */
function wordEnd(text: Uint16Array, start: number): number {
  let end = start;
  while (end < text.length && kindAt(text, end) !== 0) end += 1;
  return end;
}

/** Where the part of a word that begins at `start` ends: HTTPServer is HTTP and Server. */
function partEnd(text: Uint16Array, { start, end }: Span): number {
  const kind = kindAt(text, start);
  let at = start + 1;
  while (at < end && kindAt(text, at) === kind) at += 1;
  if (kind !== UPPER || at === end || kindAt(text, at) !== LOWER) return at;
  if (at - start > 1) return at - 1; // the last capital belongs to what follows
  while (at < end && kindAt(text, at) === LOWER) at += 1;
  return at;
}

/** The parts of a word; none where it is but one. */
function partsOf(text: Uint16Array, word: Span): Span[] {
  const parts: Span[] = [];
  for (let start = word.start; start < word.end; ) {
    const end = partEnd(text, { start, end: word.end });
    if (start === word.start && end === word.end) return parts;
    if (kindAt(text, start) !== JOINER) parts.push({ start, end });
    start = end;
  }
  return parts;
}

/** The identifiers of a text, and the parts of those that have several. */
export function wordsOf(of: string): { identifiers: Span[]; parts: Span[] } {
  const text = toUnits(of);
  const identifiers: Span[] = [];
  const parts: Span[] = [];
  for (let start = 0; start < text.length; ) {
    const end = wordEnd(text, start);
    if (end > start && kindAt(text, start) !== DIGIT) {
      identifiers.push({ start, end });
      parts.push(...partsOf(text, { start, end }));
    }
    start = Math.max(end, start + 1);
  }
  return { identifiers, parts };
}

/** How a stretch of a text stands in it. */
export type Standing = "identifier" | "part" | "inside";

/** How a stretch of a text stands: as an identifier, as a part of one, or inside of something else. */
export function standingOf(text: string, { start, end }: Span): Standing {
  const isWordAt = (at: number) => ((TABLE[text.charCodeAt(at)] ?? 0) & KIND) !== 0;
  let [from, to] = [start, end];
  while (from > 0 && start - from < MAX_WORD_LENGTH && isWordAt(from - 1)) from -= 1;
  while (to < text.length && to - end < MAX_WORD_LENGTH && isWordAt(to)) to += 1;
  if (from === start && to === end) return isWordAt(start) && isWordAt(end - 1) ? "identifier" : "inside";
  const word = toUnits(text.slice(from, to));
  const parts = partsOf(word, { start: 0, end: word.length });
  const isPart = parts.some((part) => part.start === start - from && part.end === end - from);
  return isPart ? "part" : "inside";
}

/** Reads the distinct words of texts. */
export class WordReader {
  readonly #marks = new Marks(WORDS);
  /** The word that was met last with each hash. */
  readonly #last = new Int32Array(WORDS);

  /** Adds the hashes of a text's words to `into` from `at` on, each plus `base`; answers where they end. */
  read(text: Uint16Array, into: Uint32Array, at: number, base: number): number {
    const current = this.#marks.next();
    const { met } = this.#marks;
    const last = this.#last;
    const { length } = text;
    let to = at;
    for (let start = 0; start < length; start += 1) {
      let entry = TABLE[text[start] as number] as number;
      const first = entry & KIND;
      if (first === 0) continue;
      // One pass over a word: most are of one kind, and have no parts.
      let hash = WHOLE_SEED;
      let kinds = 1 << first;
      let end = start;
      do {
        hash = Math.imul(hash ^ (entry >> KIND_BITS), FACTOR);
        end += 1;
        if (end === length) break;
        entry = TABLE[text[end] as number] as number;
        kinds |= 1 << (entry & KIND);
      } while ((entry & KIND) !== 0);
      if (first !== DIGIT && end - start <= MAX_WORD_LENGTH) {
        const key = finish(hash);
        const isNew = met[key] !== current;
        if (isNew) {
          met[key] = current;
          into[to] = base + key;
          to += 1;
        }
        // Most words were met before in the same text, and so were their parts.
        const isMixed = (kinds & ~(1 << first) & ~1) !== 0;
        if (isMixed && (isNew || last[key] !== hash))
          to = this.#readParts(text, { start, end }, { current, into, to, base });
        last[key] = hash;
      }
      start = end;
    }
    return to;
  }

  #readParts(
    text: Uint16Array,
    word: Span,
    { current, into, to, base }: { current: number; into: Uint32Array; to: number; base: number },
  ): number {
    const { met } = this.#marks;
    let end = to;
    for (const part of partsOf(text, word)) {
      if (part.end - part.start < MIN_PART_LENGTH) continue;
      const key = hashText(text, part, PART_SEED);
      if (met[key] === current) continue;
      met[key] = current;
      this.#last[key] = 0; // no word of this text was met with it: what is there is of another text
      into[end] = base + key;
      end += 1;
    }
    return end;
  }
}

/**
 * The hashes under which units are listed that hold this word as an identifier, and as a part of one; null where words
 * of its kind are not listed.
 */
export function keysOfWord(word: string): { identifier: number | null; part: number | null } {
  const { identifiers, parts } = wordsOf(word);
  const all = { start: 0, end: word.length };
  const isOne =
    identifiers.length === 1 && identifiers[0]?.end === word.length && word.length <= MAX_WORD_LENGTH;
  const isPart = isOne && parts.length === 0 && word.length >= MIN_PART_LENGTH;
  return {
    identifier: isOne ? hashText(toUnits(word), all, WHOLE_SEED) : null,
    part: isPart ? hashText(toUnits(word), all, PART_SEED) : null,
  };
}

function hashText(text: Uint16Array, { start, end }: Span, seed: number): number {
  let hash = seed;
  for (let i = start; i < end; i += 1)
    hash = Math.imul(hash ^ ((TABLE[text[i] as number] as number) >> KIND_BITS), FACTOR);
  return finish(hash);
}

function finish(hash: number): number {
  return Math.imul(hash ^ (hash >>> 15), 0x9e3779b1) >>> 14;
}
