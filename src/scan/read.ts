import { type Kysely, sql } from "kysely";
import type { FileState, Tables } from "../database/schema.ts";
import { type Viewer, visibleTo } from "../database/viewer.ts";
import { type Chunk, joinChunks } from "./chunk.ts";

/** A manifest row as its readers see it. */
export interface FileView {
  path: string;
  /** The true bytes of a name that is not UTF-8, on one line. */
  path_base64: string | null;
  mode: string;
  sha: string;
  size: number | null;
  language: string | null;
  encoding: string | null;
  state: FileState;
  reason: string | null;
  generated: boolean;
  vendored: boolean;
}

/** A file's place in the list's order: bytes of the path, then the raw name where there is one. */
export interface FilePosition {
  path: string;
  path_base64: string | null;
}

const FILE_COLUMNS = sql`
  files.path, translate(encode(files.path_bytes, 'base64'), chr(10), '') as path_base64, files.mode, encode(files.sha, 'hex') as sha,
  files.size, files.language, blobs.encoding, files.state, files.reason, files.generated, files.vendored`;

/** The published manifest of a repository, in path order; `path` is a glob (`*`, `**`, `?`). */
export async function listFiles(
  db: Kysely<Tables>,
  viewer: Viewer,
  options: {
    repository_id: string;
    state: string | null;
    language: string | null;
    path: string | null;
    after: FilePosition | null;
    limit: number;
  },
): Promise<FileView[]> {
  const { state, language, after } = options;
  const pattern = options.path === null ? null : globToRegex(options.path);
  const { rows } = await sql<FileView>`
    select ${FILE_COLUMNS}
    from files
    join repositories on repositories.id = files.repository_id
    left join blobs on blobs.repository_id = files.repository_id and blobs.sha = files.sha
    where ${visibleTo(viewer)} and files.repository_id = ${options.repository_id}
      and (${state}::text is null or files.state = ${state})
      and (${language}::text is null or lower(files.language) = lower(${language}))
      and (${pattern}::text is null or files.path ~ ${pattern})
      and (${after?.path ?? null}::text is null or (files.path, coalesce(files.path_bytes, '')) >
        (${after?.path ?? null}::text collate "C", ${Buffer.from(after?.path_base64 ?? "", "base64")}::bytea))
    order by files.path, coalesce(files.path_bytes, '') limit ${options.limit}`.execute(db);
  return rows;
}

/** How many files of a repository there are in each state but `indexed`. */
export async function countProblems(
  db: Kysely<Tables>,
  viewer: Viewer,
  repositoryId: string,
): Promise<Partial<Record<FileState, number>>> {
  const { rows } = await sql<{ state: FileState; count: number }>`
    select files.state, count(*)::int as count
    from files join repositories on repositories.id = files.repository_id
    where ${visibleTo(viewer)} and files.repository_id = ${repositoryId} and files.state <> 'indexed'
    group by files.state`.execute(db);
  return Object.fromEntries(rows.map(({ state, count }) => [state, count]));
}

/** The first few files of each state but `indexed`, in path order. */
export async function listProblems(
  db: Kysely<Tables>,
  viewer: Viewer,
  options: { repository_id: string; ofEach: number },
): Promise<FileView[]> {
  const { rows } = await sql<FileView>`
    select ${FILE_COLUMNS}
    from (
      select *, row_number() over (partition by files.state order by path) as place
      from files where repository_id = ${options.repository_id} and files.state <> 'indexed'
    ) files
    join repositories on repositories.id = files.repository_id
    left join blobs on blobs.repository_id = files.repository_id and blobs.sha = files.sha
    where ${visibleTo(viewer)} and files.place <= ${options.ofEach}
    order by files.state, files.path`.execute(db);
  return rows;
}

/** The languages of a repository's files, those of most files first. */
export async function listLanguages(
  db: Kysely<Tables>,
  viewer: Viewer,
  options: { repository_id: string; limit: number },
): Promise<{ language: string; files: number }[]> {
  const { rows } = await sql<{ language: string; files: number }>`
    select files.language, count(*)::int as files
    from files join repositories on repositories.id = files.repository_id
    where ${visibleTo(viewer)} and files.repository_id = ${options.repository_id} and files.language is not null
    group by files.language order by count(*) desc, files.language limit ${options.limit}`.execute(db);
  return rows;
}

/** A glob as a POSIX regular expression: `*` and `?` stay inside a folder, `**` crosses folders. */
function globToRegex(glob: string): string {
  // Repeated `**` mean no more than one, and PostgreSQL refuses thousands of them as too complex.
  const body = glob.replace(/(?:\*\*\/)+|\*{2,}|\*|\?|[.+^${}()|[\]\\]/g, (token) => {
    if (token.startsWith("**")) return token.endsWith("/") ? "(.*/)?" : ".*";
    if (token === "*") return "[^/]*";
    return token === "?" ? "[^/]" : `\\${token}`;
  });
  return `^${body}$`;
}

export interface FileContent {
  path: string;
  commit: string;
  sha: string;
  state: FileState;
  language: string | null;
  reason: string | null;
  encoding: string | null;
  total_lines: number;
  text: string;
}

/** Lines of a text, from 1, both included. */
export interface LineRange {
  start: number;
  end: number;
}

/**
 * A file's text at the indexed commit, from one snapshot; null where there is no such file for the viewer. With `lines`
 * only those, as far as there are any: no more is read than the chunks that hold them.
 */
export async function readFile(
  db: Kysely<Tables>,
  viewer: Viewer,
  options: {
    repository_id: string;
    path: string | null;
    path_base64: string | null;
    lines?: LineRange | null;
  },
): Promise<FileContent | null> {
  const lines = options.lines ?? null;
  const byName = options.path_base64
    ? sql`files.path_bytes = ${Buffer.from(options.path_base64, "base64")}`
    : sql`md5(files.path) = md5(${options.path}) and files.path = ${options.path} and files.path_bytes is null`;
  const own = sql`repository_id = files.repository_id
    and id between blobs.first_chunk and blobs.first_chunk + blobs.chunk_count - 1`;
  const range = lines
    ? sql`and start_line <= ${lines.end}
        and start_line >= (select max(start_line) from chunks where ${own} and start_line <= ${lines.start})`
    : sql``;
  const { rows } = await sql<Omit<FileContent, "text"> & { chunks: StoredPiece[] | null }>`
    select files.path, repositories.indexed_commit as commit, encode(files.sha, 'hex') as sha, files.state,
      files.language, files.reason, blobs.encoding, coalesce(blobs.line_count, 0) as total_lines,
      (select json_agg(json_build_object('start_line', start_line, 'start_column', start_column, 'text', text) order by id)
        from chunks where ${own} ${range}) as chunks
    from files
    join repositories on repositories.id = files.repository_id
    left join blobs on blobs.repository_id = files.repository_id and blobs.sha = files.sha
    where ${visibleTo(viewer)} and files.repository_id = ${options.repository_id} and ${byName}`.execute(db);
  const row = rows[0];
  if (!row) return null;
  const { chunks, ...file } = row;
  const text = joinChunks(chunks ?? []);
  return { ...file, text: lines ? sliceLines(text, lines, chunks?.[0]?.start_line ?? 1) : text };
}

type StoredPiece = Pick<Chunk, "start_line" | "start_column" | "text">;

/** The lines of a text that begins with line `first`, with their ends. */
function sliceLines(text: string, { start, end }: LineRange, first: number): string {
  let at = 0;
  for (let line = first; line < start && at < text.length; line += 1) at = afterLine(text, at);
  let to = at;
  for (let line = Math.max(start, first); line <= end && to < text.length; line += 1)
    to = afterLine(text, to);
  return text.slice(at, to);
}

function afterLine(text: string, at: number): number {
  const newline = text.indexOf("\n", at);
  return newline < 0 ? text.length : newline + 1;
}
