import { type Standing, standingOf } from "../grams/word.ts";
import type { SearchedFile } from "./files.ts";

/** What a file's path adds for each word that it has: as the file's name, in its name, or in a directory's. */
const NAME = 8;
const IN_NAME = 4;
const IN_PATH = 2;
/** What its text adds for each word: the best place that it stands in. */
const SAME_CASE = 1;
const IDENTIFIER = 5;
const PART = 3;
const INSIDE = 1;
/** All words on one line. */
const TOGETHER = 3;
/** What is not written by hand, or not for this repository, or only tries it out, sinks. */
const GENERATED = 0.2;
const VENDORED = 0.3;
const TEST = 0.6;

const TEST_PATH =
  /(^|\/)(tests?|__tests__|testing|specs?|fixtures?|testdata|mocks?|__mocks__|e2e)\/|[._-](test|tests|spec)\.[^/]+$|(^|\/)test_[^/]+$/i;

/** How well a file's path and kind suit some words (in lower case), before its text is looked at. */
export function scorePath({ path }: SearchedFile, words: string[]): number {
  const lower = path.toLowerCase();
  const name = lower.slice(lower.lastIndexOf("/") + 1);
  const stem = name.replace(/\.[^.]*$/, "");
  let score = 0;
  for (const word of words) {
    if (name === word || stem === word) score += NAME;
    else if (name.includes(word)) score += IN_NAME;
    else if (lower.includes(word)) score += IN_PATH;
  }
  return score / Math.max(1, words.length);
}

/** What all scores of a file are multiplied by. */
export function sinkOf({ path, generated, vendored }: SearchedFile): number {
  const test = TEST_PATH.test(path) ? TEST : 1;
  return (generated ? GENERATED : 1) * (vendored ? VENDORED : 1) * test;
}

/** A line in which words were found: the text around is needed to tell whether they stand alone. */
export interface WordHit {
  line: number;
  text: string;
  start: number;
  end: number;
}

/** How well words suit a text, from where each was found in it. */
export function scoreText(hits: { word: string; found: WordHit[] }[]): number {
  let score = 0;
  const lines = new Map<number, Set<string>>();
  for (const { word, found } of hits) {
    let best = 0;
    for (const hit of found) {
      best = Math.max(best, standingScore(word, hit));
      lines.set(hit.line, (lines.get(hit.line) ?? new Set()).add(word));
    }
    score += best + (found.length > 0 ? Math.log2(1 + found.length) / 4 : 0);
  }
  score /= Math.max(1, hits.length);
  const together = hits.length > 1 && [...lines.values()].some((words) => words.size === hits.length);
  return score + (together ? TOGETHER : 0);
}

function standingScore(word: string, { text, start, end }: WordHit): number {
  const same = text.slice(start, end) === word ? SAME_CASE : 0;
  const scores: Record<Standing, number> = { identifier: IDENTIFIER, part: PART, inside: INSIDE };
  return scores[standingOf(text, { start, end })] + same;
}
