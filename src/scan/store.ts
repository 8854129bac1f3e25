import { type Kysely, type RawBuilder, sql } from "kysely";
import type { Transaction } from "../database/connect.ts";
import { type Column, copyEncoded, copyRows } from "../database/copy.ts";
import type { BlobState, RunProgress, Settings, Tables } from "../database/schema.ts";
import { type Chunk, joinChunks } from "./chunk.ts";
import type { FileRow, FilesDiff } from "./files.ts";
import { BLOB_COLUMNS, CHUNK_COLUMNS, type ParsedBatch } from "./parse.ts";
import type { NumberedText } from "./parser.ts";
import type { Proof } from "./prove.ts";
import { storedSettings } from "./settings-store.ts";
import type { Head } from "./source.ts";

/** Blobs deleted per statement: bounded, so that a beat gets through in between. */
const COLLECT_BATCH = 5_000;

/** A manifest that changed by so many files may have changed what the planner should know. */
const ANALYZE_FROM = 1_000;

/** What the index of a repository is. */
export interface Indexed {
  commit: string;
  branch: string | null;
  verified: boolean;
  truncated: boolean;
  /** Those it was made under. */
  settings: Settings;
  /** All of it is in the search index. */
  searchable: boolean;
  /** Lines of its chunks of paths, some of which may be gone by now; null: there are none yet. */
  pathLines: number | null;
}

/** The commit a repository's index is, or null while it has none. */
export async function readIndexed(db: Kysely<Tables>, repositoryId: string): Promise<Indexed | null> {
  const row = await db
    .selectFrom("repositories")
    .select([
      "indexed_commit",
      "indexed_branch",
      "indexed_verified",
      "indexed_truncated",
      "indexed_settings",
      "path_lines",
      isSearchable.as("searchable"),
    ])
    .where("id", "=", repositoryId)
    .executeTakeFirstOrThrow();
  const { indexed_commit: commit, indexed_branch: branch, indexed_truncated: truncated } = row;
  const { searchable, path_lines: pathLines } = row;
  const settings = storedSettings(row.indexed_settings);
  const verified = row.indexed_verified === true;
  return commit === null ? null : { commit, branch, verified, truncated, settings, searchable, pathLines };
}

/** All chunks and paths of a repository are in the search index. */
const isSearchable = sql<boolean>`(repositories.path_lines is not null and not exists (
  select from chunks c where c.repository_id = repositories.id and c.id > repositories.grams_through))`;

interface StoredBlobRow {
  sha: string;
  state: BlobState;
  size: number;
  run_id: string;
}

/** Those of the blobs (SHAs in hex) that are stored. */
export async function readBlobs(
  db: Kysely<Tables>,
  repositoryId: string,
  shas: string[],
): Promise<StoredBlobRow[]> {
  const keys = shas.map((sha) => Buffer.from(sha, "hex"));
  const { rows } = await sql<StoredBlobRow>`
    select encode(sha, 'hex') as sha, state, size, run_id from blobs
    where repository_id = ${repositoryId} and sha = any(${keys})`.execute(db);
  return rows;
}

/** Stores parsed blobs; with `replace`, in place of what an older run stored under the same SHA. */
export async function storeBlobs(
  { trx, client }: Transaction,
  { repository_id, replace }: { repository_id: string; replace: boolean },
  { blobs, rows }: ParsedBatch,
): Promise<void> {
  if (replace) {
    const keys = blobs.map(({ sha }) => Buffer.from(sha, "hex"));
    await deleteBlobs(trx, repository_id, sql`select sha from unnest(${keys}::bytea[]) sha`);
  }
  await copyEncoded(client, { table: "blobs", columns: BLOB_COLUMNS, pieces: rows.blobs });
  await copyEncoded(client, { table: "chunks", columns: CHUNK_COLUMNS, pieces: rows.chunks });
}

/** The published manifest. */
export async function readManifest(db: Kysely<Tables>, repositoryId: string): Promise<FileRow[]> {
  const { rows } = await sql<FileRow>`
    select path, path_bytes, mode, encode(sha, 'hex') as sha, size, language, state, reason, generated, vendored
    from files where repository_id = ${repositoryId}`.execute(db);
  return rows;
}

/** The texts of those blobs (SHAs in hex) that are stored as text, from their first `chunks` chunks. */
export async function readTexts(
  db: Kysely<Tables>,
  repositoryId: string,
  { shas, chunks }: { shas: string[]; chunks: number },
): Promise<Map<string, string>> {
  const keys = shas.map((sha) => Buffer.from(sha, "hex"));
  const { rows } = await sql<{ sha: string } & Pick<Chunk, "start_column" | "text">>`
    select encode(b.sha, 'hex') as sha, c.start_column, c.text
    from blobs b cross join lateral (
      select id, start_column, text from chunks
      where repository_id = ${repositoryId} and id between b.first_chunk and b.first_chunk + least(b.chunk_count, ${chunks}) - 1
      order by id
    ) c
    where b.repository_id = ${repositoryId} and b.sha = any(${keys}) and b.chunk_count > 0
    order by b.sha, c.id`.execute(db);
  return new Map(
    Map.groupBy(rows, ({ sha }) => sha)
      .entries()
      .map(([sha, parts]) => [sha, joinChunks(parts)]),
  );
}

/** A blob whose chunks are in no segment yet. */
export interface UnindexedBlob {
  first: number;
  chunks: number;
}

/** Up to which chunk a repository is in segments, its last chunk, and the blobs between. */
export async function readUnindexed(
  db: Kysely<Tables>,
  repositoryId: string,
): Promise<{ through: number; last: number; blobs: UnindexedBlob[] }> {
  const { rows } = await sql<{ through: number; last: number }>`
    select grams_through::float8 as through,
      coalesce((select id from chunks where repository_id = r.id order by id desc limit 1), 0)::float8 as last
    from repositories r where id = ${repositoryId}`.execute(db);
  const { through = 0, last = 0 } = rows[0] ?? {};
  if (last <= through) return { through, last, blobs: [] };
  const { rows: blobs } = await sql<UnindexedBlob>`
    select first_chunk::float8 as first, chunk_count as chunks from blobs
    where repository_id = ${repositoryId} and chunk_count > 0 and first_chunk > ${through}
    order by first_chunk`.execute(db);
  return { through, last, blobs };
}

/** The chunks of stored blobs that follow one another. */
export async function readNumbered(
  db: Kysely<Tables>,
  repositoryId: string,
  blobs: UnindexedBlob[],
): Promise<NumberedText[]> {
  const end = blobs.at(-1);
  const { rows } = await sql<{ id: number } & NumberedText["chunks"][number]>`
    select id::float8 as id, start_column, text from chunks
    where repository_id = ${repositoryId} and id between ${blobs[0]?.first} and ${(end?.first ?? 0) + (end?.chunks ?? 0) - 1}
    order by id`.execute(db);
  let at = 0;
  return blobs.map(({ first, chunks }) => {
    while (at < rows.length && (rows[at] as { id: number }).id < first) at += 1;
    const own = rows.slice(at, at + chunks);
    at += chunks;
    return { first, isPaths: false, chunks: own.map(({ start_column, text }) => ({ start_column, text })) };
  });
}

/** Lines of paths for the search index: in place of all that were there, or beside them. */
export interface PathLines {
  lines: string[];
  replace: boolean;
}

/** Stores paths as chunks of lines, which the search index takes like any other. */
export async function storePaths(
  { trx, client }: Transaction,
  {
    repository_id,
    first,
    chunks,
    lines,
    replace,
  }: PathLines & { repository_id: string; first: number; chunks: Chunk[] },
): Promise<void> {
  if (replace)
    await sql`delete from chunks where repository_id = ${repository_id} and sha is null`.execute(trx);
  await copyRows(client, {
    table: "chunks",
    columns: CHUNK_COLUMNS,
    rows: chunks.map(({ ordinal, start_line, start_column, text }) => [
      repository_id,
      first + ordinal,
      null,
      start_line,
      start_column,
      text,
    ]),
  });
  await sql`
    update repositories set path_lines = ${lines.length} + ${replace ? sql`0` : sql`coalesce(path_lines, 0)`}
    where id = ${repository_id}`.execute(trx);
}

const FILE_COLUMNS: Column[] = [
  { name: "repository_id", type: "int8" },
  { name: "path", type: "text" },
  { name: "path_bytes", type: "bytea" },
  { name: "mode", type: "text" },
  { name: "sha", type: "bytea" },
  { name: "size", type: "int4" },
  { name: "language", type: "text" },
  { name: "state", type: "text" },
  { name: "reason", type: "text" },
  { name: "generated", type: "bool" },
  { name: "vendored", type: "bool" },
];

/** An indexed file whose blob is not stored, or not searchable: publishing would break the promise, so it stops here. */
class IncompleteIndex extends Error {
  override readonly name = "IncompleteIndex";
  constructor(path: string) {
    super(
      `The content of ${path} is not stored whole although it is called indexed. A full rescan mends it.`,
    );
  }
}

/** Takes a repository's index away. */
export async function removeManifest({ trx }: Transaction, repositoryId: string): Promise<void> {
  await trx.deleteFrom("files").where("repository_id", "=", repositoryId).execute();
  await trx
    .updateTable("repositories")
    .set({
      indexed_commit: null,
      indexed_tree_sha: null,
      indexed_verified: null,
      indexed_unverified_path: null,
      indexed_truncated: false,
      indexed_branch: null,
      indexed_settings: null,
      path_lines: null,
      indexed_at: null,
      indexed_files: 0,
      indexed_chunks: 0,
      indexed_bytes: 0,
    })
    .where("id", "=", repositoryId)
    .execute();
}

export interface Publication {
  repository_id: string;
  head: Head;
  /** `truncated`: the host does not give this tree in one listing. */
  proof: Proof & { truncated: boolean };
  settings: Settings;
  diff: FilesDiff;
}

/**
 * Makes a manifest the index of its repository, in the caller's (fenced) transaction: all of it or nothing. Answers
 * what the run may say of it.
 */
export async function publishManifest(
  t: Transaction,
  { repository_id, head, proof, settings, diff }: Publication,
): Promise<RunProgress> {
  await removeFiles(t, repository_id, [...diff.removed, ...diff.changed]);
  const written = [...diff.added, ...diff.changed];
  await copyRows(t.client, {
    table: "files",
    columns: FILE_COLUMNS,
    rows: Iterator.from(written).map((file) => fileValues(repository_id, file)),
  });
  if (written.length >= ANALYZE_FROM) await refreshStatistics(t.trx);
  const { indexed, incomplete, ...progress } = await countManifest(t.trx, repository_id);
  if (incomplete !== null) throw new IncompleteIndex(incomplete);
  await t.trx
    .updateTable("repositories")
    .set({
      indexed_commit: head.sha,
      indexed_tree_sha: proof.tree_sha,
      indexed_verified: proof.verified,
      indexed_unverified_path: proof.unverified_path,
      indexed_truncated: proof.truncated,
      indexed_branch: head.branch,
      indexed_settings: JSON.stringify(settings),
      indexed_at: sql<Date>`clock_timestamp()`,
      indexed_files: indexed,
      indexed_chunks: progress.chunks,
      indexed_bytes: progress.bytes,
    })
    .where("id", "=", repository_id)
    .execute();
  return progress;
}

/**
 * Tells the planner what was loaded: of a table that looks empty it would compare every blob with every file,
 * which for 100,000 of each takes hours. Where somebody else is at it, that will do.
 */
async function refreshStatistics(trx: Kysely<Tables>): Promise<void> {
  await sql`analyze (skip_locked) blobs, chunks, files`.execute(trx);
}

function fileValues(repositoryId: string, file: FileRow): unknown[] {
  const { path, path_bytes, mode, sha, size, language, state, reason, generated, vendored } = file;
  const key = Buffer.from(sha, "hex");
  return [repositoryId, path, path_bytes, mode, key, size, language, state, reason, generated, vendored];
}

async function removeFiles(
  { trx }: Transaction,
  repositoryId: string,
  files: Pick<FileRow, "path" | "path_bytes">[],
): Promise<void> {
  const plain = files.filter((file) => file.path_bytes === null).map((file) => file.path);
  const raw = files.flatMap((file) => (file.path_bytes ? [file.path_bytes] : []));
  if (plain.length > 0) {
    await sql`delete from files where repository_id = ${repositoryId} and path_bytes is null
      and md5(path) in (select md5(gone) from unnest(${plain}::text[]) gone) and path = any(${plain})`.execute(
      trx,
    );
  }
  if (raw.length > 0) {
    await sql`delete from files where repository_id = ${repositoryId} and path_bytes = any(${raw})`.execute(
      trx,
    );
  }
}

/** A run's counts as they follow from the published manifest. */
export async function countFiles(db: Kysely<Tables>, repositoryId: string): Promise<RunProgress> {
  const { indexed: _, incomplete: __, ...progress } = await countManifest(db, repositoryId);
  return progress;
}

interface ManifestCounts extends Required<Omit<RunProgress, "files_changed" | "files_removed">> {
  indexed: number;
  /** An indexed file without its blob, or whose blob is not in the search index; or null. */
  incomplete: string | null;
}

/** All that the manifest and its blobs tell, in one pass over them. */
async function countManifest(db: Kysely<Tables>, repositoryId: string): Promise<ManifestCounts> {
  const { rows } = await sql<ManifestCounts>`
    select count(*)::int as files_total,
      count(*)::int as files_done,
      (count(*) filter (where f.state in ('encoding', 'unreadable')))::int as files_failed,
      (count(*) filter (where f.state not in ('indexed', 'encoding', 'unreadable')))::int as files_skipped,
      (count(*) filter (where f.state = 'indexed'))::int as indexed,
      coalesce(sum(b.chunk_count) filter (where f.state = 'indexed'), 0)::int as chunks,
      coalesce(sum(b.size) filter (where f.state = 'indexed'), 0)::float8 as bytes,
      min(f.path) filter (where f.state = 'indexed' and (b.state is distinct from 'indexed'
        or b.first_chunk + b.chunk_count - 1 > r.grams_through and b.chunk_count > 0)) as incomplete
    from files f join repositories r on r.id = f.repository_id
      left join blobs b on b.repository_id = f.repository_id and b.sha = f.sha
    where f.repository_id = ${repositoryId}`.execute(db);
  return rows[0] as ManifestCounts;
}

/**
 * Deletes a batch of blobs that no file of the published manifest needs; true while there may be more. A file
 * that is left out (a symbolic link, say) may share its SHA with a text, but needs no blob, unless it is a
 * .gitattributes: that says something of other files.
 * Under the run's fence, so nothing a scan relies on disappears.
 */
export async function collectBlobs(trx: Kysely<Tables>, repositoryId: string): Promise<boolean> {
  const deleted = await deleteBlobs(
    trx,
    repositoryId,
    sql`select b.sha from blobs b where b.repository_id = ${repositoryId} and not exists (
        select from files f where f.repository_id = b.repository_id and f.sha = b.sha
          and (f.state in ('indexed', 'binary', 'encoding', 'lfs')
            or f.state in ('excluded', 'oversize') and f.path ~ '(^|/)[.]gitattributes$'))
      limit ${COLLECT_BATCH}`,
  );
  return deleted === COLLECT_BATCH;
}

/**
 * Deletes blobs (a statement that gives their SHAs) with their chunks, and counts them as dead where the search index
 * lists them, unless compaction is at it; answers how many there were.
 */
async function deleteBlobs(
  trx: Kysely<Tables>,
  repositoryId: string,
  shas: RawBuilder<unknown>,
): Promise<number> {
  const { rows } = await sql<{ deleted: number }>`
    with dead as materialized (${shas}),
    dead_blobs as (
      delete from blobs b using dead
      where b.repository_id = ${repositoryId} and b.sha = dead.sha returning b.first_chunk, b.chunk_count
    ),
    dead_chunks as (
      delete from chunks c
      using (select generate_series(first_chunk, first_chunk + chunk_count - 1) as id from dead_blobs) dead
      where c.repository_id = ${repositoryId} and c.id = dead.id
    ),
    parts as (
      select segment_id, position, first_chunk, last_chunk from gram_parts
      where repository_id = ${repositoryId} for update skip locked
    ),
    counted as (
      select segment_id, position, sum(chunk_count)::int as dead
      from dead_blobs d join parts p on d.first_chunk between p.first_chunk and p.last_chunk
      group by segment_id, position
    ),
    marked as (
      update gram_parts p set dead = p.dead + c.dead from counted c
      where p.segment_id = c.segment_id and p.position = c.position
    )
    select count(*)::int as deleted from dead_blobs`.execute(trx);
  return rows[0]?.deleted ?? 0;
}
