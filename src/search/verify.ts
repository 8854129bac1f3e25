import { pathLine } from "../grams/unit.ts";
import type { Units } from "./candidates.ts";
import { conditionsOf, readUnitTexts, type SearchedFile } from "./files.ts";
import { type CompiledPattern, compilePattern } from "./match.ts";
import type { Matcher } from "./matcher.ts";
import type { Leaf } from "./plan.ts";
import type { Query } from "./query.ts";
import { chunksOf, firstFrom, repositoryOf, type Segment, type SegmentBlob } from "./segments.ts";
import type { Snapshot } from "./statement.ts";

/** Lines that are looked for in one unit at most; one that has more is hardly read by a person. */
const LINES_OF_UNIT = 100_000;

/** A file that may be what a query asks for, and its text in a segment where it has one. */
export interface Candidate {
  file: SearchedFile;
  blob: SegmentBlob | null;
}

/** A unit of a text: whole lines. */
export interface TextUnit {
  /** The number of its first chunk, and the one after its last. */
  first: number;
  end: number;
  start_line: number;
  text: string;
}

/** Where one leaf was found: a line and the columns in it. */
export interface Found {
  unit: TextUnit;
  /** The place in the unit's lines, from 0. */
  index: number;
  ranges: [number, number][];
}

/** A file for which the query is true: what each leaf found in its text, and where its path matches. */
export interface Verified extends Candidate {
  found: Found[][];
  path_ranges: [number, number][];
}

export interface Verification extends Snapshot {
  matcher: Matcher;
  query: Query;
  leaves: Leaf[];
  units: Map<Segment, Units[]>;
  /** So many lines of each unit have ranges; the others are only counted. */
  ranged: number;
  deadline: number;
  signal?: AbortSignal | undefined;
}

/** Looks at the texts of candidates; answers those for which the query is true, in the order of the candidates. */
export async function verify(candidates: Candidate[], context: Verification): Promise<Verified[]> {
  const { matcher, leaves, ranged, deadline, signal } = context;
  const blobs = new Map<string, SegmentBlob>();
  for (const { blob } of candidates) if (blob) blobs.set(keyOf(blob), blob);
  const texts = await readUnits(context, [...blobs.values()]);
  const all = [...texts.values()].flat();
  const patterns = leaves.map(({ pattern }) => pattern);
  const matched = await matcher.match(
    all.map(({ text }) => text),
    patterns,
    { deadline, limit: LINES_OF_UNIT, ranged, ...(signal && { signal }) },
  );
  const conditions = conditionsOf(context.query);
  const foundIn = new Map(all.map((unit, i) => [unit, matched[i] ?? []]));
  const paths = leaves.map(({ query, pattern }) =>
    query.scope === "anywhere" ? compilePattern(pattern) : null,
  );
  return candidates.flatMap((candidate) => {
    const units = candidate.blob ? (texts.get(keyOf(candidate.blob)) ?? []) : [];
    const found = leaves.map((_, leaf) =>
      units.flatMap((unit) =>
        (foundIn.get(unit)?.[leaf] ?? []).map(({ line, ranges }) => ({ unit, index: line, ranges })),
      ),
    );
    return judge(candidate, { found, paths, conditions, ...context });
  });
}

/** The file, where the query is true of it. */
function judge(
  candidate: Candidate,
  {
    found,
    paths,
    conditions,
    query,
    leaves,
  }: Verification & { found: Found[][]; paths: (CompiledPattern | null)[]; conditions: Query[] },
): Verified[] {
  const { file } = candidate;
  const inPath = paths.map((pattern) => pattern?.matchLines(pathLine(file.path), 1)[0]?.ranges ?? []);
  const isTrue = evaluate(query, { file, conditions }, (of) => {
    const leaf = leaves.findIndex((one) => one.query === of);
    return (found[leaf]?.length ?? 0) > 0 || (inPath[leaf]?.length ?? 0) > 0;
  });
  if (!isTrue) return [];
  const shown = inPath.filter((_, leaf) => leaves[leaf]?.isShown);
  return [{ ...candidate, found, path_ranges: mergeRanges(shown.flat()) }];
}

/** Whether a query is true of a file, of which these conditions are known; `isTrue` says so of a text. */
export function evaluate(
  query: Query,
  { file, conditions }: { file: SearchedFile; conditions: Query[] },
  isTrue: (leaf: Query) => boolean,
): boolean {
  const visit = (of: Query): boolean => {
    if (of.kind === "and") return of.of.every(visit);
    if (of.kind === "or") return of.of.some(visit);
    if (of.kind === "not") return !visit(of.of);
    if (of.kind === "text") return isTrue(of);
    return file.truths[conditions.indexOf(of)] === true;
  };
  return visit(query);
}

/** Ranges in order, those that touch as one. */
export function mergeRanges(ranges: [number, number][]): [number, number][] {
  const merged: [number, number][] = [];
  for (const [start, end] of ranges.toSorted((a, b) => a[0] - b[0] || a[1] - b[1])) {
    const last = merged.at(-1);
    if (last && start <= last[1]) last[1] = Math.max(last[1], end);
    else merged.push([start, end]);
  }
  return merged;
}

export function keyOf({ segment, blob }: SegmentBlob): string {
  return `${segment.id}/${blob}`;
}

/** The units of a blob that any leaf may be in, by their numbers in the segment. */
export function unitNumbers({ segment, blob }: SegmentBlob, units: Map<Segment, Units[]>): number[] {
  const [start, end] = [segment.blobStart[blob] as number, segment.blobStart[blob + 1] as number];
  const numbers = new Set<number>();
  for (const list of units.get(segment) ?? []) {
    if (list === null) for (let unit = start; unit < end; unit += 1) numbers.add(unit);
    else for (let i = firstFrom(list, start); (list[i] ?? end) < end; i += 1) numbers.add(list[i] as number);
  }
  return [...numbers].sort((a, b) => a - b);
}

/** The texts of the units that may hold something, by blob. */
async function readUnits(
  { units, ...snapshot }: Verification,
  blobs: SegmentBlob[],
): Promise<Map<string, TextUnit[]>> {
  const wanted = blobs.map((blob) => ({ blob, numbers: unitNumbers(blob, units) }));
  const places = wanted.flatMap(({ blob, numbers }) => {
    const repository_id = repositoryOf(blob);
    return numbers.map((unit) => ({ repository_id, chunks: chunksOf(blob.segment, unit) }));
  });
  const read = (await readUnitTexts(snapshot, places)).values();
  return new Map(
    wanted.map(({ blob, numbers }) => {
      const texts = numbers.flatMap((number) => {
        const unit = read.next().value;
        const first = blob.segment.unitFirst[number] as number;
        const end = first + (blob.segment.unitChunks[number] as number);
        return unit ? [{ first, end, ...unit }] : [];
      });
      return [keyOf(blob), texts];
    }),
  );
}

/** A line of a text, by its place from 0 and without its end; null where the text has no such line. */
export function lineOf(text: string, index: number): string | null {
  let start = 0;
  for (let line = 0; line < index; line += 1) {
    start = text.indexOf("\n", start) + 1;
    if (start === 0) return null;
  }
  if (index < 0 || start === text.length) return null;
  const newline = text.indexOf("\n", start);
  const end = newline < 0 ? text.length : newline;
  return text.slice(start, end > start && text[end - 1] === "\r" ? end - 1 : end);
}
