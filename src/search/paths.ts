import type { Kysely } from "kysely";
import type { Tables } from "../database/schema.ts";
import type { Viewer } from "../database/viewer.ts";
import { pathOfLine } from "../grams/unit.ts";
import type { Units } from "./candidates.ts";
import { conditionsOf, readChunks, readFilesAt, type SearchedFile } from "./files.ts";
import { compilePattern } from "./match.ts";
import type { Leaf } from "./plan.ts";
import type { Query } from "./query.ts";
import { findBlob, type Segment } from "./segments.ts";
import { type Candidate, evaluate, unitNumbers } from "./verify.ts";

/** Where more chunks of paths may match, a word says little of a path: they are not all looked at. */
const CHUNKS_LOOKED_AT = 32;
const PATHS_FOUND = 300;

/** Files that are found by their paths. */
export interface PathHits {
  /** Those that may satisfy the query. */
  candidates: Candidate[];
  /** Words that match more paths than were looked at: any file may have them. */
  broad: ReadonlySet<Leaf>;
}

interface PathSearch {
  trx: Kysely<Tables>;
  viewer: Viewer;
  query: Query;
  leaves: Leaf[];
  segments: Segment[];
  units: Map<Segment, Units[]>;
  allowed: Set<string> | null;
}

/** Finds the files whose paths have a word that is looked for anywhere. */
export async function findPathHits(search: PathSearch): Promise<PathHits> {
  const broad = new Set<Leaf>();
  const paths = new Map<string, { repository_id: string; path: string }>();
  for (const [i, leaf] of search.leaves.entries()) {
    if (leaf.query.scope !== "anywhere" || !leaf.isShown) continue;
    const chunks = pathChunks(search, i);
    const pattern = compilePattern(leaf.pattern);
    const before = paths.size;
    if (chunks.length > CHUNKS_LOOKED_AT) broad.add(leaf);
    for (const { repository_id, text } of await readChunks(search.trx, chunks.slice(0, CHUNKS_LOOKED_AT))) {
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
  return { candidates: files.flatMap((file) => candidateOf(search, file)), broad };
}

function pathChunks({ units, allowed }: PathSearch, leaf: number): { repository_id: string; id: number }[] {
  const chunks: { repository_id: string; id: number }[] = [];
  for (const [segment, ofLeaves] of units) {
    const found = ofLeaves[leaf] ?? Uint16Array.from({ length: segment.units }, (_, unit) => unit);
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
  { query, leaves, segments, units }: PathSearch,
  { first, ...file }: SearchedFile & { first: number | null },
): Candidate[] {
  const place = first === null ? null : { repository: Number(file.repository_id), first };
  const blob = place && findBlob(segments, place);
  const known = { file, conditions: conditionsOf(query) };
  const isPossible = evaluate(withoutNegation(query), known, (of) => {
    const i = leaves.findIndex((leaf) => leaf.query === of);
    const leaf = leaves[i] as Leaf;
    if (leaf.query.scope === "anywhere" && compilePattern(leaf.pattern).test(file.path)) return true;
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
