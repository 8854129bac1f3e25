import { type Kysely, sql } from "kysely";
import type { Transaction } from "../database/connect.ts";
import { type Column, copyRows } from "../database/copy.ts";
import type { BlobState, RunProgress, Tables } from "../database/schema.ts";
import { type Chunk, joinChunks } from "./chunk.ts";
import type { FileRow, FilesDiff } from "./files.ts";
import type { TreeEntry } from "./manifest.ts";
import type { Proof } from "./prove.ts";
import type { Head } from "./source.ts";

/** Blobs deleted per statement: bounded, so that a beat gets through in between. */
const COLLECT_BATCH = 5_000;

/** A manifest that changed by so many files may have changed what the planner should know. */
const ANALYZE_FROM = 1_000;

export interface StoredBlob {
  sha: string;
  size: number;
  state: BlobState;
  encoding: string | null;
  line_count: number;
  chunks: Chunk[];
}

/** The commit a repository's index is, or null while it has none. */
export async function readIndexed(
  db: Kysely<Tables>,
  repositoryId: string,
): Promise<{ commit: string; branch: string | null; verified: boolean } | null> {
  const row = await db
    .selectFrom("repositories")
    .select(["indexed_commit", "indexed_branch", "indexed_verified"])
    .where("id", "=", repositoryId)
    .executeTakeFirstOrThrow();
  if (row.indexed_commit === null) return null;
  return { commit: row.indexed_commit, branch: row.indexed_branch, verified: row.indexed_verified === true };
}

/** Every stored blob of a repository by its SHA in hex. */
export async function listBlobs(
  db: Kysely<Tables>,
  repositoryId: string,
): Promise<Map<string, { state: BlobState; run_id: string }>> {
  const { rows } = await sql<{ sha: string; state: BlobState; run_id: string }>`
    select encode(sha, 'hex') as sha, state, run_id from blobs where repository_id = ${repositoryId}`.execute(
    db,
  );
  return new Map(rows.map(({ sha, state, run_id }) => [sha, { state, run_id }]));
}

const BLOB_COLUMNS: Column[] = [
  { name: "repository_id", type: "int8" },
  { name: "sha", type: "bytea" },
  { name: "size", type: "int4" },
  { name: "state", type: "text" },
  { name: "encoding", type: "text" },
  { name: "chunk_count", type: "int4" },
  { name: "line_count", type: "int4" },
  { name: "run_id", type: "int8" },
];

const CHUNK_COLUMNS: Column[] = [
  { name: "repository_id", type: "int8" },
  { name: "sha", type: "bytea" },
  { name: "ordinal", type: "int4" },
  { name: "start_line", type: "int4" },
  { name: "start_column", type: "int4" },
  { name: "text", type: "text" },
];

/** Stores blobs with their chunks; with `replace`, in place of what an older run stored under the same SHA. */
export async function storeBlobs(
  { trx, client }: Transaction,
  owner: { repository_id: string; run_id: string; replace: boolean },
  blobs: StoredBlob[],
): Promise<void> {
  const { repository_id, run_id } = owner;
  const keyed = blobs.map((blob) => ({ ...blob, key: Buffer.from(blob.sha, "hex") }));
  if (owner.replace) {
    const keys = keyed.map((blob) => blob.key);
    await sql`delete from chunks where repository_id = ${repository_id} and sha = any(${keys})`.execute(trx);
    await sql`delete from blobs where repository_id = ${repository_id} and sha = any(${keys})`.execute(trx);
  }
  await copyRows(client, {
    table: "blobs",
    columns: BLOB_COLUMNS,
    rows: keyed.map((blob) => [
      repository_id,
      blob.key,
      blob.size,
      blob.state,
      blob.encoding,
      blob.chunks.length,
      blob.line_count,
      run_id,
    ]),
  });
  await copyRows(client, {
    table: "chunks",
    columns: CHUNK_COLUMNS,
    rows: keyed.flatMap(({ key, chunks }) =>
      chunks.map((chunk) => [
        repository_id,
        key,
        chunk.ordinal,
        chunk.start_line,
        chunk.start_column,
        chunk.text,
      ]),
    ),
  });
}

/** The published manifest. */
export async function readManifest(db: Kysely<Tables>, repositoryId: string): Promise<FileRow[]> {
  const { rows } = await sql<FileRow>`
    select path, path_bytes, mode, encode(sha, 'hex') as sha, size, language, state, reason, generated, vendored
    from files where repository_id = ${repositoryId}`.execute(db);
  return rows;
}

/** The text of those entries that are stored as text, by path. */
export async function readTextByPath(
  db: Kysely<Tables>,
  repositoryId: string,
  entries: TreeEntry[],
): Promise<Map<string, string>> {
  const texts = new Map<string, string>();
  for (const entry of entries) {
    const chunks = await readChunks(db, repositoryId, entry.sha);
    if (chunks.length > 0) texts.set(entry.path.toString(), joinChunks(chunks));
  }
  return texts;
}

/** A blob's chunks in order. */
export async function readChunks(db: Kysely<Tables>, repositoryId: string, sha: string): Promise<Chunk[]> {
  return await db
    .selectFrom("chunks")
    .select(["ordinal", "start_line", "start_column", "text"])
    .where("repository_id", "=", repositoryId)
    .where("sha", "=", Buffer.from(sha, "hex"))
    .orderBy("ordinal")
    .execute();
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

export type Publication =
  | { repository_id: string; head: null }
  | { repository_id: string; head: Head; proof: Proof; diff: FilesDiff };

/** An indexed file whose blob is not stored: publishing would break the promise, so it stops here. */
class IncompleteIndex extends Error {
  override readonly name = "IncompleteIndex";
  constructor(path: string) {
    super(`The content of ${path} is not stored although the manifest calls it indexed.`);
  }
}

/** Makes a manifest the index of its repository, in the caller's (fenced) transaction: all of it or nothing. */
export async function publishManifest(t: Transaction, publication: Publication): Promise<void> {
  const { repository_id } = publication;
  if (publication.head === null) {
    await t.trx.deleteFrom("files").where("repository_id", "=", repository_id).execute();
    await t.trx
      .updateTable("repositories")
      .set({
        indexed_commit: null,
        indexed_tree_sha: null,
        indexed_verified: null,
        indexed_unverified_path: null,
        indexed_branch: null,
        indexed_at: null,
        indexed_files: 0,
        indexed_chunks: 0,
        indexed_bytes: 0,
      })
      .where("id", "=", repository_id)
      .execute();
    return;
  }
  const { head, proof, diff } = publication;
  await removeFiles(t, repository_id, [...diff.removed, ...diff.changed]);
  await copyRows(t.client, {
    table: "files",
    columns: FILE_COLUMNS,
    rows: [...diff.added, ...diff.changed].map((file) => fileValues(repository_id, file)),
  });
  if (diff.added.length + diff.changed.length >= ANALYZE_FROM) await refreshStatistics(t.trx);
  await refuseIncomplete(t.trx, repository_id);
  await t.trx
    .updateTable("repositories")
    .set({
      indexed_commit: head.sha,
      indexed_tree_sha: proof.tree_sha,
      indexed_verified: proof.verified,
      indexed_unverified_path: proof.unverified_path,
      indexed_branch: head.branch,
      indexed_at: sql<Date>`clock_timestamp()`,
      indexed_files: countWhere(repository_id, sql`count(*)::int`),
      indexed_chunks: countWhere(repository_id, sql`coalesce(sum(b.chunk_count), 0)::int`),
      indexed_bytes: countWhere(repository_id, sql`coalesce(sum(b.size), 0)::bigint`),
    })
    .where("id", "=", repository_id)
    .execute();
}

/**
 * Tells the planner what was loaded: of a table that looks empty it would compare every blob with every file,
 * which for 100,000 of each takes hours. Where somebody else is at it, that will do.
 */
async function refreshStatistics(trx: Kysely<Tables>): Promise<void> {
  await sql`analyze (skip_locked) blobs, chunks, files`.execute(trx);
}

function countWhere(repositoryId: string, what: ReturnType<typeof sql>) {
  return sql<number>`(select ${what} from files f join blobs b using (repository_id, sha)
    where f.repository_id = ${repositoryId} and f.state = 'indexed')`;
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

async function refuseIncomplete(trx: Kysely<Tables>, repositoryId: string): Promise<void> {
  const { rows } = await sql<{ path: string }>`
    select path from files f
    where f.repository_id = ${repositoryId} and f.state = 'indexed' and not exists (
      select from blobs b where b.repository_id = f.repository_id and b.sha = f.sha and b.state = 'indexed')
    limit 1`.execute(trx);
  if (rows[0]) throw new IncompleteIndex(rows[0].path);
}

/** A run's counts as they follow from the published manifest. */
export async function countFiles(db: Kysely<Tables>, repositoryId: string): Promise<RunProgress> {
  const { rows } = await sql<Required<RunProgress>>`
    select count(*)::int as files_total,
      count(*)::int as files_done,
      (count(*) filter (where f.state in ('encoding', 'unreadable')))::int as files_failed,
      (count(*) filter (where f.state not in ('indexed', 'encoding', 'unreadable')))::int as files_skipped,
      coalesce(sum(b.chunk_count) filter (where f.state = 'indexed'), 0)::int as chunks,
      coalesce(sum(b.size) filter (where f.state = 'indexed'), 0)::float8 as bytes
    from files f left join blobs b using (repository_id, sha)
    where f.repository_id = ${repositoryId}`.execute(db);
  return rows[0] ?? {};
}

/**
 * Deletes a batch of blobs that no file of the published manifest needs; true while there may be more. A file
 * that is left out (a symbolic link, say) may share its SHA with a text, but needs no blob.
 * Under the run's fence, so nothing a scan relies on disappears.
 */
export async function collectBlobs(trx: Kysely<Tables>, repositoryId: string): Promise<boolean> {
  const { rows } = await sql<{ deleted: number }>`
    with dead as (
      select b.sha from blobs b where b.repository_id = ${repositoryId} and not exists (
        select from files f where f.repository_id = b.repository_id and f.sha = b.sha
          and f.state in ('indexed', 'binary', 'encoding', 'lfs'))
      limit ${COLLECT_BATCH}
    ),
    dead_chunks as (
      delete from chunks c using dead where c.repository_id = ${repositoryId} and c.sha = dead.sha
    ),
    dead_blobs as (
      delete from blobs b using dead where b.repository_id = ${repositoryId} and b.sha = dead.sha returning 1
    )
    select count(*)::int as deleted from dead_blobs`.execute(trx);
  return (rows[0]?.deleted ?? 0) === COLLECT_BATCH;
}
