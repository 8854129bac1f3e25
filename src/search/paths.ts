import type { Viewer } from "../database/viewer.ts";
import { pathOfLine } from "../grams/unit.ts";
import { chooseKeys, keysOfNeed, readPostings, type Units, unitsFor } from "./candidates.ts";
import { type ChunkPlace, conditionsOf, readChunks, readFilesAt, type SearchedFile } from "./files.ts";
import { type CompiledPattern, compilePattern } from "./match.ts";
import type { Matcher } from "./matcher.ts";
import { needOf, type Pattern } from "./pattern.ts";
import { commonBlobs, type Leaf, type UnitsBySegment } from "./plan.ts";
import type { Query } from "./query.ts";
import { type BlobLists, findBlob, numbersBelow, type Segment } from "./segments.ts";
import type { Snapshot } from "./statement.ts";
import { type Candidate, evaluate, unitNumbers } from "./verify.ts";

/** Where more chunks of paths may match, a word says little of a path: they are not all looked at. */
const CHUNKS_LOOKED_AT = 32;
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
  engine: { matcher: Matcher };
  deadline: number;
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
    const chunks = pathChunks(search, (segment) => places.get(segment)?.[i] ?? null);
    const pattern = compilePattern(leaf.pattern);
    const before = paths.size;
    if (chunks.length > CHUNKS_LOOKED_AT) broad.add(leaf);
    for (const { repository_id, text } of await readPathTexts(search, chunks.slice(0, CHUNKS_LOOKED_AT))) {
      const lines = text.split("\n");
      for (const { line } of pattern.matchLines(text, PATHS_FOUND)) {
        const path = pathOfLine(lines[line] ?? "");
        paths.set(`${repository_id}/${path}`, { repository_id, path });
      }
      if (paths.size - before <= PATHS_FOUND) continue;
      broad.add(leaf);
      break;
    }
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
    const paths = await findPaths(search, { kind: "regex", source: pattern.regex, case_sensitive: true });
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

/** The paths with a match, or null where there may be too many of them. */
async function findPaths(
  search: PathSearch,
  pattern: Pattern,
): Promise<{ repository_id: string; path: string }[] | null> {
  const { engine, deadline, segments, isAll } = search;
  const need = keysOfNeed(needOf({ ...pattern, case_sensitive: false }));
  if (need.kind === "anything") return null;
  const [chosen = need] = await chooseKeys(search, [need]);
  const postings = await readPostings(search, [chosen], { segments, isAll });
  const chunks = pathChunks(search, (segment) =>
    unitsFor(chosen, segment, postings.get(segment.id) ?? new Map()),
  );
  if (chunks.length > CHUNKS_LOOKED_AT) return null;
  const texts = await readPathTexts(search, chunks);
  const matched = await engine.matcher.match(
    texts.map(({ text }) => text),
    [pattern],
    { deadline, limit: PATHS_WITHIN },
  );
  const paths = texts.flatMap(({ repository_id, text }, i) => {
    const lines = text.split("\n");
    return (matched[i]?.[0] ?? []).map(({ line }) => ({
      repository_id,
      path: pathOfLine(lines[line] ?? ""),
    }));
  });
  return paths.length > PATHS_WITHIN ? null : paths;
}

async function readPathTexts(
  snapshot: Snapshot,
  places: ChunkPlace[],
): Promise<{ repository_id: string; text: string }[]> {
  const chunks = await readChunks(snapshot, places);
  return places.flatMap(({ repository_id }, i) => {
    const chunk = chunks[i];
    return chunk ? [{ repository_id, text: chunk.text }] : [];
  });
}

function pathChunks({ segments, allowed }: PathSearch, unitsOf: (segment: Segment) => Units): ChunkPlace[] {
  const chunks: ChunkPlace[] = [];
  for (const segment of segments) {
    const found = unitsOf(segment) ?? numbersBelow(segment.units);
    for (const unit of found) {
      const blob = segment.unitBlob[unit] as number;
      if (segment.blobIsPaths[blob] === 0) continue;
      const repository_id = segment.repositories[segment.blobRepository[blob] as number] as string;
      if (allowed && !allowed.has(repository_id)) continue;
      for (let i = 0; i < (segment.unitChunks[unit] as number); i += 1) {
        chunks.push({ repository_id, id: (segment.unitFirst[unit] as number) + i });
      }
    }
  }
  return chunks;
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
    if (leaf.query.scope === "anywhere" && patterns[i]?.test(file.path)) return true;
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
