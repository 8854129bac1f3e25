import { type ChunkPlace, readChunks } from "./files.ts";
import type { Leaf } from "./plan.ts";
import { chunksOfBlob, repositoryOf, type SegmentBlob } from "./segments.ts";
import type { Snapshot } from "./statement.ts";
import { type Found, lineOf, mergeRanges, type TextUnit, type Verified } from "./verify.ts";

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

/** The lines of files that are shown: where something was found, and what stands around. */
export async function linesOfFiles(
  snapshot: Snapshot,
  files: Verified[],
  { leaves, limit, context }: { leaves: Leaf[]; limit: number; context: number },
): Promise<ShownLines[]> {
  const hits = files.map((file) => hitsOf(file, { leaves, limit }));
  const around = context > 0 ? await readAround(snapshot, hits, context) : [];
  return hits.map((file, i) => {
    const lines = new Map<number, FoundLine>();
    for (const number of around[i] ? file.shown : []) {
      for (let near = number - context; near <= number + context; near += 1) {
        const text = lineAt(around[i] ?? [], near);
        if (text !== null) lines.set(near, showLine(near, text, null));
      }
    }
    for (const number of file.shown) {
      const { unit, index, ranges } = file.byNumber.get(number) as Found;
      lines.set(number, showLine(number, lineOf(unit.text, index) ?? "", mergeRanges(ranges)));
    }
    const more_lines = file.byNumber.size - file.shown.length;
    return { lines: [...lines.values()].sort((a, b) => a.number - b.number), more_lines };
  });
}

/** The lines of a file in which something was found, by number, and the numbers of those that are shown. */
interface Hits {
  blob: SegmentBlob | null;
  byNumber: Map<number, Found>;
  shown: number[];
}

function hitsOf({ found, blob }: Verified, { leaves, limit }: { leaves: Leaf[]; limit: number }): Hits {
  const byNumber = new Map<number, Found>();
  for (const of of found.filter((_, leaf) => leaves[leaf]?.isShown).flat()) {
    const number = of.unit.start_line + of.index;
    const before = byNumber.get(number);
    byNumber.set(number, before ? { ...of, ranges: [...before.ranges, ...of.ranges] } : of);
  }
  const numbers = [...byNumber.keys()].sort((a, b) => a - b);
  return { blob, byNumber, shown: numbers.slice(0, limit) };
}

function showLine(number: number, text: string, ranges: [number, number][] | null): FoundLine {
  const match = ranges !== null;
  if (text.length <= SHOWN_COLUMNS) return { number, text, offset: 0, ranges: ranges ?? [], match };
  const offset = characterStart(text, Math.max(0, (ranges?.[0]?.[0] ?? 0) - BEFORE_FOUND));
  const cut = text.slice(offset, characterStart(text, offset + SHOWN_COLUMNS));
  const kept = (ranges ?? []).flatMap(([start, end]): [number, number][] => {
    const [from, to] = [start - offset, Math.min(end - offset, cut.length)];
    return from <= to && from >= 0 ? [[from, to]] : [];
  });
  return { number, text: cut, offset, ranges: kept, match };
}

/** `index`, or the one before where it would split a surrogate pair. */
function characterStart(text: string, index: number): number {
  const isLow = (text.charCodeAt(index) & 0xfc00) === 0xdc00;
  return isLow && index > 0 ? index - 1 : index;
}

/** The units that hold the lines around those that are shown, of each file. */
async function readAround(snapshot: Snapshot, files: Hits[], context: number): Promise<TextUnit[][]> {
  const places = files.map((file) => chunksAround(file, context));
  const chunks = await readChunks(snapshot, places.flat());
  let at = 0;
  return files.map(({ byNumber, shown }, i) => {
    const own = new Set(shown.map((number) => (byNumber.get(number) as Found).unit));
    const near = (places[i] ?? []).flatMap(({ id }) => {
      const chunk = chunks[at];
      at += 1;
      // A piece of a very long line is left out.
      return chunk && chunk.start_column === 0 ? [{ ...chunk, first: id, end: id + 1 }] : [];
    });
    return [...own, ...near];
  });
}

/** The chunks before and after a file's units that may hold lines around those that are shown. */
function chunksAround({ blob, byNumber, shown }: Hits, context: number): ChunkPlace[] {
  if (!blob) return [];
  const missing = new Set<number>();
  const units = new Set<TextUnit>();
  for (const number of shown) {
    const { unit, index } = byNumber.get(number) as Found;
    units.add(unit);
    if (index < context) missing.add(unit.first - 1);
    if (lineOf(unit.text, index + context) === null) missing.add(unit.end);
  }
  for (const unit of units) for (let id = unit.first; id < unit.end; id += 1) missing.delete(id);
  const { first, end } = chunksOfBlob(blob);
  return [...missing]
    .filter((id) => id >= first && id < end)
    .map((id) => ({ repository_id: repositoryOf(blob), id }));
}

function lineAt(units: TextUnit[], number: number): string | null {
  for (const { start_line, text } of units) {
    const line = lineOf(text, number - start_line);
    if (line !== null) return line;
  }
  return null;
}
