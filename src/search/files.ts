import { type Kysely, type RawBuilder, sql } from "kysely";
import type { FileState, Tables } from "../database/schema.ts";
import { type Viewer, visibleTo } from "../database/viewer.ts";
import { textOfUnit } from "../grams/unit.ts";
import { type PathPattern, pathWithText } from "./path-pattern.ts";
import type { Query } from "./query.ts";
import { runPrepared, type Snapshot } from "./statement.ts";

/** A file of a published manifest, as a search sees it. */
export interface SearchedFile {
  repository_id: string;
  /** owner/name */
  repository: string;
  path: string;
  /** The true bytes of a name that is not UTF-8. */
  path_base64: string | null;
  language: string | null;
  /** What is indexed of the repository. */
  commit: string;
  state: FileState;
  generated: boolean;
  vendored: boolean;
  /** Which of the conditions that were asked for are true of it. */
  truths: boolean[];
}

const COLUMNS = sql`
  files.repository_id, repositories.owner || '/' || repositories.name as repository, files.path,
  translate(encode(files.path_bytes, 'base64'), chr(10), '') as path_base64, files.language,
  repositories.indexed_commit as commit, files.state, files.generated, files.vendored`;

/** A part of a query that asks for no text. */
export type Condition = Extract<Query, { kind: "path" | "repository" | "language" | "state" }>;

/** The conditions of a query, from left to right. */
export function conditionsOf(query: Query): Condition[] {
  switch (query.kind) {
    case "text":
      return [];
    case "and":
    case "or":
      return query.of.flatMap(conditionsOf);
    case "not":
      return conditionsOf(query.of);
    default:
      return [query];
  }
}

/**
 * What must be true of a file whatever is in it: the conditions that a query cannot do without. Texts leave no trace, so
 * that few conditions make few statements.
 */
function filterOf(query: Query): RawBuilder<boolean> {
  const conditions = requiredOf(query).map(conditionSql);
  return conditions.length === 0 ? sql<boolean>`true` : join(conditions, sql` and `);
}

function requiredOf(query: Query): Condition[] {
  switch (query.kind) {
    case "and":
      return query.of.flatMap(requiredOf);
    case "or":
    case "not":
    case "text":
      return [];
    default:
      return [query];
  }
}

/** What a query asks of a file that has no text: words are looked for in its path. */
function querySql(query: Query): RawBuilder<boolean> {
  switch (query.kind) {
    case "and":
      return join(query.of.map(querySql), sql` and `);
    case "or":
      return join(query.of.map(querySql), sql` or `);
    case "not":
      return sql<boolean>`not ${querySql(query.of)}`;
    case "text":
      return isInPath(query);
    default:
      return conditionSql(query);
  }
}

function isInPath({ pattern, scope }: Extract<Query, { kind: "text" }>): RawBuilder<boolean> {
  if (scope !== "anywhere" || pattern.kind !== "literal") return sql<boolean>`false`;
  return matches(sql`files.path`, pathWithText(pattern.text, pattern.case_sensitive));
}

function conditionSql(condition: Condition): RawBuilder<boolean> {
  switch (condition.kind) {
    case "path":
      return matches(sql`files.path`, condition.pattern);
    case "repository":
      return matches(sql`repositories.owner || '/' || repositories.name`, condition.pattern);
    case "language":
      return sql<boolean>`coalesce(lower(files.language) = lower(${condition.language}), false)`;
    case "state":
      return sql<boolean>`(files.state = ${condition.state})`;
  }
}

/** Which of some conditions are true of a file: the database looks, since it gives up a pattern that takes too long. */
function truths(conditions: Condition[]): RawBuilder<boolean[]> {
  if (conditions.length === 0) return sql`'{}'::bool[]`;
  return sql`array[${sql.join(conditions.map(conditionSql))}]`;
}

function join(conditions: RawBuilder<boolean>[], word: RawBuilder<unknown>): RawBuilder<boolean> {
  return sql<boolean>`(${sql.join(conditions, word)})`;
}

/** The pattern says by itself what it takes for the same in either case. */
function matches(text: RawBuilder<unknown>, { regex }: PathPattern): RawBuilder<boolean> {
  return sql<boolean>`((${text}) ~ ${regex})`;
}

const CONDITIONS_PREPARED = 2;

/** The files of blobs that are named by their first chunks, in the order of the blobs. */
export async function readFilesOf(
  snapshot: Snapshot,
  viewer: Viewer,
  { blobs, query }: { blobs: { repository_id: string; first: number }[]; query: Query },
): Promise<(SearchedFile & { at: number })[]> {
  const statement = sql<SearchedFile & { at: number }>`
    select (asked.at - 1)::int as at, ${COLUMNS}, ${truths(conditionsOf(query))} as truths
    from unnest(${blobs.map(({ repository_id }) => repository_id)}::bigint[], ${blobs.map(({ first }) => first)}::bigint[])
      with ordinality as asked (repository_id, first, at)
    join blobs on blobs.repository_id = asked.repository_id and blobs.first_chunk = asked.first and blobs.chunk_count > 0
    join files on files.repository_id = asked.repository_id and files.sha = blobs.sha and files.state = 'indexed'
    join repositories on repositories.id = files.repository_id
    where ${visibleTo(viewer)} and repositories.indexed_commit is not null and ${filterOf(query)}
    order by asked.at, files.path, files.path_bytes`;
  // Many conditions make statements of their own, of any number: a connection would keep them all.
  if (conditionsOf(query).length <= CONDITIONS_PREPARED) return await runPrepared(snapshot, statement);
  const { rows } = await statement.execute(snapshot.trx);
  return rows;
}

/** Files by their paths; with the first chunk of their blobs, null where they have none. */
export async function readFilesAt(
  trx: Kysely<Tables>,
  viewer: Viewer,
  { paths, query }: { paths: { repository_id: string; path: string }[]; query: Query },
): Promise<(SearchedFile & { first: number | null })[]> {
  const { rows } = await sql<SearchedFile & { first: number | null }>`
    select case when blobs.chunk_count > 0 and files.state = 'indexed' then blobs.first_chunk::float8 end as first,
      ${COLUMNS}, ${truths(conditionsOf(query))} as truths
    from unnest(${paths.map(({ repository_id }) => repository_id)}::bigint[], ${paths.map(({ path }) => path)}::text[])
      as asked (repository_id, path)
    join files on files.repository_id = asked.repository_id and md5(files.path) = md5(asked.path) and files.path = asked.path
    join repositories on repositories.id = files.repository_id
    left join blobs on blobs.repository_id = files.repository_id and blobs.sha = files.sha
    where ${visibleTo(viewer)} and repositories.indexed_commit is not null and ${filterOf(query)}
    order by files.repository_id, files.path, files.path_bytes`.execute(trx);
  return rows;
}

/** Where a file is in the order of those that are found by their names alone. */
export interface FilePlace {
  repository_id: string;
  path: string;
  path_base64: string | null;
}

interface NameSearch {
  query: Query;
  /** Only files that have no text that is searched: the others are found by theirs. */
  withoutText: boolean;
}

function nameCondition(viewer: Viewer, { query, withoutText }: NameSearch): RawBuilder<boolean> {
  const hasText = sql`files.state = 'indexed' and exists (select from blobs
    where blobs.repository_id = files.repository_id and blobs.sha = files.sha and blobs.chunk_count > 0)`;
  return sql<boolean>`${visibleTo(viewer)} and repositories.indexed_commit is not null and ${querySql(query)}
    and ${withoutText ? sql`not (${hasText})` : sql`true`}`;
}

/** The files for which a query is true by their names and kinds alone, after a place. */
export async function listMatching(
  trx: Kysely<Tables>,
  viewer: Viewer,
  { after, limit, ...search }: NameSearch & { after: FilePlace | null; limit: number },
): Promise<SearchedFile[]> {
  const { rows } = await sql<SearchedFile>`
    select ${COLUMNS}, '{}'::bool[] as truths
    from files join repositories on repositories.id = files.repository_id
    where ${nameCondition(viewer, search)}
      and (${after === null} or (files.repository_id, files.path, coalesce(files.path_bytes, '')) >
        (${after?.repository_id ?? 0}::bigint, ${after?.path ?? ""}::text collate "C",
          ${Buffer.from(after?.path_base64 ?? "", "base64")}::bytea))
    order by files.repository_id, files.path, coalesce(files.path_bytes, '') limit ${limit}`.execute(trx);
  return rows;
}

/** How many there are; no more than `most` are counted. */
export async function countMatching(
  trx: Kysely<Tables>,
  viewer: Viewer,
  { most, ...search }: NameSearch & { most: number },
): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    select count(*)::int as count from (
      select from files join repositories on repositories.id = files.repository_id
      where ${nameCondition(viewer, search)} limit ${most}
    ) matching`.execute(trx);
  return rows[0]?.count ?? 0;
}

/** Those of some paths that a pattern matches, at most so many, by their places. */
export async function matchPaths(
  trx: Kysely<Tables>,
  { paths, pattern, limit }: { paths: string[]; pattern: PathPattern; limit: number },
): Promise<number[]> {
  const { rows } = await sql<{ at: number }>`
    select (at - 1)::int as at from unnest(${paths}::text[]) with ordinality as asked (path, at)
    where ${matches(sql`path`, pattern)} limit ${limit}`.execute(trx);
  return rows.map(({ at }) => at);
}

/** The name of a chunk. */
export interface ChunkPlace {
  repository_id: string;
  id: number;
}

export interface SearchedChunk {
  start_line: number;
  start_column: number;
  text: string;
}

/** Chunks in the order of their places; undefined where there is none any more. */
export async function readChunks(
  snapshot: Snapshot,
  places: ChunkPlace[],
): Promise<(SearchedChunk | undefined)[]> {
  const chunks: (SearchedChunk | undefined)[] = [];
  chunks.length = places.length;
  if (places.length === 0) return chunks;
  const statement = sql<SearchedChunk & { at: number }>`
    select (asked.at - 1)::int as at, start_line, start_column, text
    from unnest(${places.map(({ repository_id }) => repository_id)}::bigint[], ${places.map(({ id }) => id)}::bigint[])
      with ordinality as asked (repository_id, id, at)
    join chunks using (repository_id, id)`;
  for (const row of await runPrepared(snapshot, statement)) chunks[row.at] = row;
  return chunks;
}

/** A unit, by the numbers of its chunks. */
export interface UnitPlace {
  repository_id: string;
  chunks: number[];
}

/** The texts of units in the order of their places; null where one is not whole any more. */
export async function readUnitTexts(
  snapshot: Snapshot,
  units: UnitPlace[],
): Promise<(Pick<SearchedChunk, "start_line" | "text"> | null)[]> {
  const places = units.flatMap(({ repository_id, chunks }) => chunks.map((id) => ({ repository_id, id })));
  const read = await readChunks(snapshot, places);
  let at = 0;
  return units.map(({ chunks }) => {
    const pieces = read.slice(at, at + chunks.length).filter((chunk) => chunk !== undefined);
    at += chunks.length;
    const [piece] = pieces;
    if (!piece || pieces.length < chunks.length) return null;
    return { start_line: piece.start_line, text: textOfUnit(pieces) };
  });
}

/** Visible repositories whose index cannot be searched whole yet, at most so many of their ids. */
export async function readUnsearchable(snapshot: Snapshot, viewer: Viewer, limit: number): Promise<string[]> {
  const statement = sql<{ id: string }>`
    select id from repositories
    where ${visibleTo(viewer)} and path_lines is null
      and (indexed_commit is not null
        or exists (select from runs where repository_id = repositories.id and state in ('queued', 'running')))
    order by id limit ${limit}`;
  const rows = await runPrepared(snapshot, statement);
  return rows.map(({ id }) => id);
}

/** The ids of repositories that a viewer sees, and which of some conditions are true of each. */
export async function readVisible(
  trx: Kysely<Tables>,
  viewer: Viewer,
  conditions: Condition[],
): Promise<{ id: string; truths: boolean[] }[]> {
  const { rows } = await sql<{ id: string; truths: boolean[] }>`
    select id, ${truths(conditions)} as truths from repositories where ${visibleTo(viewer)}`.execute(trx);
  return rows;
}
