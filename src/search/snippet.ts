import { setImmediate } from "node:timers/promises";
import { readChunks } from "./files.ts";
import type { Leaf } from "./plan.ts";
import { chunksOfBlob, repositoryOf, type SegmentBlob } from "./segments.ts";
import type { Snapshot } from "./statement.ts";
import { type Found, mergeRanges, type TextUnit, type Verified } from "./verify.ts";

/** A longer line is cut for showing, around what was found first. */
const SHOWN_COLUMNS = 1_000;
const BEFORE_FOUND = 200;

/** A line of an answer. */
export interface FoundLine {
  /** From 1. */
  number: number;
  /** Without its end; of a very long line a part. */
  text: string;
  /** How many UTF-16 units of the line come before `text`. */
  offset: number;
  /** What was found, as columns (UTF-16 units) in `text`. */
  ranges: [number, number][];
  /** False: it is shown for its neighbours' sake. */
  match: boolean;
}

/** What is shown of a file. */
export interface ShownLines {
  lines: FoundLine[];
  /** Matching lines beyond those. */
  more_lines: number;
}

/** How long the lines of files may keep the event loop to themselves, in milliseconds. */
const TURN_MS = 10;

/** The lines of files that are shown: where something was found, and what stands around. */
export async function linesOfFiles(
  snapshot: Snapshot,
  files: Verified[],
  { leaves, limit, context }: { leaves: Leaf[]; limit: number; context: number },
): Promise<ShownLines[]> {
  const hits = files.map((file) => hitsOf(file, { leaves, limit }));
  if (context > 0) await readAround(snapshot, hits, context);
  const shown: ShownLines[] = [];
  let turnEnds = performance.now() + TURN_MS;
  for (const file of hits) {
    shown.push(showLines(file, context));
    if (performance.now() < turnEnds) continue;
    await setImmediate();
    turnEnds = performance.now() + TURN_MS;
  }
  return shown;
}

/** Whole lines of a text that follow one another, from a chunk to before another. */
interface Passage {
  first: number;
  end: number;
  start_line: number;
  lines: string[];
}

/** The lines of a file in which something was found, by number, and the numbers of those that are shown. */
interface Hits {
  blob: SegmentBlob | null;
  byNumber: Map<number, Found>;
  shown: number[];
  /** What is known of the text around them, by the numbers of the first chunk and of the one after the last. */
  passages: { byFirst: Map<number, Passage>; byEnd: Map<number, Passage> };
}

function hitsOf({ found, blob }: Verified, { leaves, limit }: { leaves: Leaf[]; limit: number }): Hits {
  const byNumber = new Map<number, Found>();
  for (const of of found.filter((_, leaf) => leaves[leaf]?.isShown).flat()) {
    const number = of.unit.start_line + of.index;
    const before = byNumber.get(number);
    byNumber.set(number, before ? { ...of, ranges: [...before.ranges, ...of.ranges] } : of);
  }
  const shown = [...byNumber.keys()].sort((a, b) => a - b).slice(0, limit);
  const hits: Hits = { blob, byNumber, shown, passages: { byFirst: new Map(), byEnd: new Map() } };
  for (const unit of new Set(shown.map((number) => (byNumber.get(number) as Found).unit))) learn(hits, unit);
  return hits;
}

function learn({ passages }: Hits, { text, ...unit }: TextUnit): void {
  const passage = { ...unit, lines: linesOf(text) };
  passages.byFirst.set(passage.first, passage);
  passages.byEnd.set(passage.end, passage);
}

/** Without their ends; after the last one there is none. */
function linesOf(text: string): string[] {
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  return lines.map((line) => (line.endsWith("\r") ? line.slice(0, -1) : line));
}

function showLines({ byNumber, shown, passages }: Hits, context: number): ShownLines {
  const lines = new Map<number, FoundLine>();
  for (const number of shown) {
    const { unit, index, ranges } = byNumber.get(number) as Found;
    const home = passages.byFirst.get(unit.first) as Passage;
    for (const [near, text] of linesAround(home, passages, { number, context })) {
      if (!lines.has(near) && !byNumber.has(near)) lines.set(near, showLine(near, text, null));
    }
    lines.set(number, showLine(number, home.lines[index] ?? "", mergeRanges(ranges)));
  }
  return {
    lines: [...lines.values()].sort((a, b) => a.number - b.number),
    more_lines: byNumber.size - shown.length,
  };
}

/** The lines around one, as far as they are known. */
function* linesAround(
  home: Passage,
  { byFirst, byEnd }: Hits["passages"],
  { number, context }: { number: number; context: number },
): Generator<[number, string]> {
  let before: Passage | undefined = home;
  for (let near = number - 1; near >= number - context; near -= 1) {
    if (near < before.start_line) before = byEnd.get(before.first);
    if (!before) break;
    yield [near, before.lines[near - before.start_line] ?? ""];
  }
  let after: Passage | undefined = home;
  for (let near = number + 1; near <= number + context; near += 1) {
    if (near >= after.start_line + after.lines.length) after = byFirst.get(after.end);
    if (!after) break;
    yield [near, after.lines[near - after.start_line] ?? ""];
  }
}

function showLine(number: number, text: string, ranges: [number, number][] | null): FoundLine {
  const match = ranges !== null;
  if (text.length <= SHOWN_COLUMNS) return { number, text, offset: 0, ranges: ranges ?? [], match };
  const offset = characterStart(text, Math.max(0, (ranges?.[0]?.[0] ?? 0) - BEFORE_FOUND));
  const cut = text.slice(offset, characterStart(text, offset + SHOWN_COLUMNS));
  const kept = (ranges ?? []).flatMap(([start, end]): [number, number][] => {
    const [from, to] = [start - offset, Math.min(end - offset, cut.length)];
    return from >= 0 && (from < to || (from === to && start === end)) ? [[from, to]] : [];
  });
  return { number, text: cut, offset, ranges: kept, match };
}

/** `index`, or the one before where it would split a surrogate pair. */
function characterStart(text: string, index: number): number {
  const isLow = (text.charCodeAt(index) & 0xfc00) === 0xdc00;
  return isLow && index > 0 ? index - 1 : index;
}

/** Reads the chunks around the lines that are shown, one on each side at a time, as long as more are needed. */
async function readAround(snapshot: Snapshot, files: Hits[], context: number): Promise<void> {
  for (let round = 0; round < context; round += 1) {
    const missing = files.flatMap((file) =>
      [...chunksAround(file, context)].map((id) => ({
        file,
        place: { repository_id: repositoryIn(file), id },
      })),
    );
    if (missing.length === 0) return;
    const chunks = await readChunks(
      snapshot,
      missing.map(({ place }) => place),
    );
    for (const [i, { file, place }] of missing.entries()) {
      const chunk = chunks[i];
      const passage = { first: place.id, end: place.id + 1, start_line: chunk?.start_line ?? 0 };
      // A piece of a very long line is left out, as if nothing stood there.
      learn(file, { ...passage, text: chunk && chunk.start_column === 0 ? chunk.text : "" });
    }
  }
}

function repositoryIn({ blob }: Hits): string {
  return blob ? repositoryOf(blob) : "";
}

/** The chunks next to what is known that hold lines around those that are shown. */
function chunksAround({ blob, byNumber, shown, passages }: Hits, context: number): Set<number> {
  const missing = new Set<number>();
  if (!blob) return missing;
  const { first, end } = chunksOfBlob(blob);
  for (const number of shown) {
    const { unit } = byNumber.get(number) as Found;
    const home = passages.byFirst.get(unit.first) as Passage;
    let [lowest, highest] = [home, home];
    while (lowest.lines.length > 0 && lowest.start_line > number - context) {
      const before = passages.byEnd.get(lowest.first);
      if (!before) break;
      lowest = before;
    }
    while (highest.lines.length > 0 && highest.start_line + highest.lines.length <= number + context) {
      const after = passages.byFirst.get(highest.end);
      if (!after) break;
      highest = after;
    }
    const isShortBefore = lowest.lines.length > 0 && lowest.start_line > number - context;
    if (isShortBefore && lowest.first > first) missing.add(lowest.first - 1);
    const isShortAfter =
      highest.lines.length > 0 && highest.start_line + highest.lines.length <= number + context;
    if (isShortAfter && highest.end < end) missing.add(highest.end);
  }
  return missing;
}
