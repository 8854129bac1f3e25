import type { Viewer } from "../database/viewer.ts";
import { pathLine, pathOfLine } from "../grams/unit.ts";
import {
  chooseKeys,
  type KeyNeed,
  keysOfNeed,
  readPostings,
  type Units,
  unitsFor,
  withFewKeys,
} from "./candidates.ts";
import {
  conditionsOf,
  matchPaths,
  readFilesAt,
  readUnitTexts,
  type SearchedFile,
  type UnitPlace,
} from "./files.ts";
import { type CompiledPattern, compilePattern } from "./match.ts";
import type { PathPattern } from "./path-pattern.ts";
import { needOf } from "./pattern.ts";
import { commonBlobs, type Leaf, type UnitsBySegment } from "./plan.ts";
import type { Query } from "./query.ts";
import { RegexFault } from "./regex.ts";
import { type BlobLists, chunksOf, findBlob, numbersBelow, repositoryOf, type Segment } from "./segments.ts";
import type { Snapshot } from "./statement.ts";
import { type Candidate, evaluate, unitNumbers } from "./verify.ts";

/** Where more units of paths may match, a word says little of a path: they are not all looked at. */
const UNITS_LOOKED_AT = 32;
const PATHS_FOUND = 300;
const PATHS_WITHIN = 2_000;

/** Files that are found by their paths. */
export interface PathHits {
  /** Those that may satisfy the query. */
  candidates: Candidate[];
  /** Words that match more paths than were looked at: any file may have them. */
  broad: ReadonlySet<Leaf>;
}

interface PathSearch extends Snapshot {
  viewer: Viewer;
  query: Query;
  leaves: Leaf[];
  segments: Segment[];
  /** These are all segments that there are. */
  isAll: boolean;
  units: Map<Segment, Units[]>;
  allowed: Set<string> | null;
}

/** Finds the files whose paths have a word that is looked for anywhere, where these units of paths may have it. */
export async function findPathHits(search: PathSearch, places: UnitsBySegment): Promise<PathHits> {
  const broad = new Set<Leaf>();
  const paths = new Map<string, { repository_id: string; path: string }>();
  for (const [i, leaf] of search.leaves.entries()) {
    if (leaf.query.scope !== "anywhere" || !leaf.isShown) continue;
    const units = pathUnits(search, (segment) => places.get(segment)?.[i] ?? null);
    const pattern = compilePattern(leaf.pattern);
    let found = 0;
    for (const { repository_id, text } of await readPathTexts(search, units.slice(0, UNITS_LOOKED_AT))) {
      const lines = text.split("\n");
      for (const { line } of pattern.matchLines(text, PATHS_FOUND + 1 - found)) {
        found += 1;
        for (const path of pathsOfLine(lines[line] ?? ""))
          paths.set(`${repository_id}/${path}`, { repository_id, path });
      }
    }
    if (units.length > UNITS_LOOKED_AT || found > PATHS_FOUND) broad.add(leaf);
  }
  const files =
    paths.size > 0
      ? await readFilesAt(search.trx, search.viewer, { paths: [...paths.values()], query: search.query })
      : [];
  const patterns = search.leaves.map(({ pattern }) => compilePattern(pattern));
  const asked = { query: withoutNegation(search.query), conditions: conditionsOf(search.query), patterns };
  return { candidates: files.flatMap((file) => candidateOf(search, { file, ...asked })), broad };
}

/**
 * The blobs of the files whose paths a query asks for, whatever else it asks for; null where it does not, or where the
 * index does not narrow them down.
 */
export async function findPathsWithin(search: PathSearch): Promise<BlobLists | null> {
  let within: BlobLists | null = null;
  for (const { pattern } of pathsAskedFor(search.query)) {
    const paths = await findPaths(search, pattern);
    if (paths === null) continue;
    const blobs = new Map(search.segments.map((segment) => [segment, new Set<number>()]));
    const files = paths.length > 0 ? await readFilesAt(search.trx, search.viewer, { ...search, paths }) : [];
    for (const { repository_id, first } of files) {
      const place = first === null ? null : { repository: Number(repository_id), first };
      const blob = place && findBlob(search.segments, place);
      if (blob) blobs.get(blob.segment)?.add(blob.blob);
    }
    const lists: BlobLists = new Map(
      blobs.entries().map(([segment, own]) => [segment, Uint16Array.from(own).sort()]),
    );
    within = within ? commonBlobs(within, lists) : lists;
  }
  return within;
}

function pathsAskedFor(query: Query): Extract<Query, { kind: "path" }>[] {
  if (query.kind === "and") return query.of.flatMap(pathsAskedFor);
  return query.kind === "path" ? [query] : [];
}

/**
 * The paths with a match, or null where there may be too many of them. The database looks, as it does for all paths: a
 * pattern that takes long elsewhere takes no time there.
 */
async function findPaths(
  search: PathSearch,
  pattern: PathPattern,
): Promise<{ repository_id: string; path: string }[] | null> {
  const { segments, isAll } = search;
  const need = needOfPath(pattern);
  if (need.kind === "anything") return null;
  const [chosen = need] = await chooseKeys(search, [need]);
  const postings = await readPostings(search, [chosen], { segments, isAll });
  const units = pathUnits(search, (segment) =>
    unitsFor(chosen, segment, postings.get(segment.id) ?? new Map()),
  );
  if (units.length > UNITS_LOOKED_AT) return null;
  const paths = (await readPathTexts(search, units)).flatMap(({ repository_id, text }) =>
    text.split("\n").flatMap((line) => pathsOfLine(line).map((path) => ({ repository_id, path }))),
  );
  const limit = PATHS_WITHIN + 1;
  const found = await matchPaths(search.trx, { paths: paths.map(({ path }) => path), pattern, limit });
  return found.length === limit ? null : found.flatMap((at) => paths[at] ?? []);
}

/** Which keys a path must have; the index cannot tell of a pattern that only the database reads. */
function needOfPath({ regex }: PathPattern): KeyNeed {
  try {
    return withFewKeys(keysOfNeed(needOf({ kind: "regex", source: regex, case_sensitive: false })));
  } catch (error) {
    if (error instanceof RegexFault) return { kind: "anything" };
    throw error;
  }
}

/** What a line of paths may be: the character that stands for a newline may be itself. */
function pathsOfLine(line: string): string[] {
  const path = pathOfLine(line);
  return path === line ? [line] : [line, path];
}

/** The texts of units of paths: a path that is longer than a chunk is a unit of many. */
async function readPathTexts(
  snapshot: Snapshot,
  units: UnitPlace[],
): Promise<{ repository_id: string; text: string }[]> {
  const texts = await readUnitTexts(snapshot, units);
  return units.flatMap(({ repository_id }, i) => {
    const text = texts[i]?.text;
    return text === undefined ? [] : [{ repository_id, text }];
  });
}

function pathUnits({ segments, allowed }: PathSearch, unitsOf: (segment: Segment) => Units): UnitPlace[] {
  const units: UnitPlace[] = [];
  for (const segment of segments) {
    for (const unit of unitsOf(segment) ?? numbersBelow(segment.units)) {
      const blob = segment.unitBlob[unit] as number;
      if (segment.blobIsPaths[blob] === 0) continue;
      const repository_id = repositoryOf({ segment, blob });
      if (!allowed || allowed.has(repository_id))
        units.push({ repository_id, chunks: chunksOf(segment, unit) });
    }
  }
  return units;
}

/** The file, unless the index rules out that its path and its text have all that is asked for. */
function candidateOf(
  { leaves, segments, units }: PathSearch,
  {
    file: { first, ...file },
    query,
    conditions,
    patterns,
  }: {
    file: SearchedFile & { first: number | null };
    query: Query;
    conditions: Query[];
    patterns: CompiledPattern[];
  },
): Candidate[] {
  const place = first === null ? null : { repository: Number(file.repository_id), first };
  const blob = place && findBlob(segments, place);
  const isPossible = evaluate(query, { file, conditions }, (of) => {
    const i = leaves.findIndex((leaf) => leaf.query === of);
    const leaf = leaves[i] as Leaf;
    if (leaf.query.scope === "anywhere" && patterns[i]?.test(pathLine(file.path))) return true;
    if (!blob) return false;
    const own = new Map([[blob.segment, [units.get(blob.segment)?.[i] ?? null]]]);
    return unitNumbers(blob, own).length > 0;
  });
  return isPossible ? [{ file, blob }] : [];
}

/** What must be true of a file before its text is looked at: the index never rules out that something is not there. */
function withoutNegation(query: Query): Query {
  if (query.kind === "not") return { kind: "and", of: [] };
  if (query.kind === "and" || query.kind === "or") return { ...query, of: query.of.map(withoutNegation) };
  return query;
}
