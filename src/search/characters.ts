import { allCases, casesOf } from "./fold.ts";

/** A set of characters: ranges of code points, both ends in it, in order and apart. Never NUL, which no path has. */
export type Characters = [number, number][];

const LAST = 0x10ffff;

export const EVERY: Characters = [[1, LAST]];
export const DIGITS: Characters = [[0x30, 0x39]];
export const WORD: Characters = [...DIGITS, [0x41, 0x5a], [0x5f, 0x5f], [0x61, 0x7a]];
/** What JavaScript takes for white space. */
export const SPACE: Characters = [
  [0x09, 0x0d],
  [0x20, 0x20],
  [0xa0, 0xa0],
  [0x1680, 0x1680],
  [0x2000, 0x200a],
  [0x2028, 0x2029],
  [0x202f, 0x202f],
  [0x205f, 0x205f],
  [0x3000, 0x3000],
  [0xfeff, 0xfeff],
];

/** All that are in any of the sets. */
export function unionOf(sets: Characters[]): Characters {
  const union: Characters = [];
  for (const [from, to] of sets.flat().sort(([a], [b]) => a - b)) {
    const last = union.at(-1);
    if (last && from <= last[1] + 1) last[1] = Math.max(last[1], to);
    else union.push([from, to]);
  }
  return union;
}

/** All that are not in the set. */
export function complementOf(set: Characters): Characters {
  const complement: Characters = [];
  let next = 1;
  for (const [from, to] of set) {
    if (from > next) complement.push([next, from - 1]);
    next = Math.max(next, to + 1);
  }
  if (next <= LAST) complement.push([next, LAST]);
  return complement;
}

/** The set with all that is the same without case. */
export function withCases(set: Characters): Characters {
  const added: Characters = [];
  if (set.length === 1 && set[0]?.[0] === set[0]?.[1])
    for (const character of casesOf(set[0]?.[0] ?? 1)) added.push([character, character]);
  else
    for (const group of allCases())
      if (group.some((character) => includes(set, character)))
        for (const character of group) added.push([character, character]);
  return unionOf([set, added]);
}

function includes(set: Characters, character: number): boolean {
  return set.some(([from, to]) => from <= character && character <= to);
}

/** The set as a regular expression that JavaScript (flag u) and PostgreSQL read alike; null for the empty set. */
export function writeCharacters(set: Characters): string | null {
  const negated = set.at(-1)?.[1] === LAST && complementOf(set).length > 0;
  const ranges = (negated ? complementOf(set) : set).flatMap(withoutSurrogates);
  const [first] = ranges;
  if (!first) return null;
  if (!negated && ranges.length === 1 && first[0] === first[1]) return writeCharacter(first[0]);
  const written = ranges.map(([from, to]) => {
    if (from === to) return writeMember(from);
    return writeMember(from) + (to > from + 1 ? "-" : "") + writeMember(to);
  });
  return `[${negated ? "^" : ""}${written.join("")}]`;
}

/** Halves of characters are not characters: no path has them, and PostgreSQL does not take them. */
function withoutSurrogates([from, to]: [number, number]): Characters {
  const start = from >= 0xd800 && from <= 0xdfff ? 0xe000 : from;
  const end = to >= 0xd800 && to <= 0xdfff ? 0xd7ff : to;
  return start > end ? [] : [[start, end]];
}

function writeCharacter(character: number): string {
  const text = String.fromCodePoint(character);
  return /[\\^$.*+?()[\]{}|]/.test(text) ? `\\${text}` : writeMember(character, /[!-~]/);
}

function writeMember(character: number, plain = /[0-9A-Za-z/]/): string {
  const text = String.fromCodePoint(character);
  if (character > 0xffff || plain.test(text)) return text;
  return `\\u${character.toString(16).padStart(4, "0")}`;
}
