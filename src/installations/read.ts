import { type Kysely, type RawBuilder, sql } from "kysely";
import type { Settings, SettingsFault, Tables } from "../database/schema.ts";
import { type Viewer, visibleTo } from "../database/viewer.ts";
import { storedSettings } from "../scan/settings-store.ts";

/** A repository as its readers see it. Ids are GitHub's. */
export interface RepositoryView {
  id: string;
  installation_id: string;
  owner: string;
  name: string;
  full_name: string;
  private: boolean;
  archived: boolean;
  default_branch: string | null;
  indexed: IndexedView | null;
  /** What is in force of `.github/repodex.yml`, and the mistakes of a newer one that is not. */
  configuration: Settings & { faults: SettingsFault[] };
}

export interface IndexedView {
  commit: string;
  tree_sha: string;
  verified: boolean;
  at: Date;
  files: number;
  chunks: number;
  bytes: number;
}

/** What a list may be narrowed to. */
export const REPOSITORY_STATES = ["indexed", "unindexed", "queued", "running"] as const;
export type RepositoryState = (typeof REPOSITORY_STATES)[number];

const COLUMNS = sql`
  repositories.id, repositories.installation_id, repositories.owner, repositories.name,
  repositories.owner || '/' || repositories.name as full_name, repositories.private, repositories.archived,
  repositories.default_branch, repositories.settings, repositories.settings_faults as faults,
  case when indexed_commit is not null then json_build_object(
    'commit', indexed_commit, 'tree_sha', indexed_tree_sha, 'verified', indexed_verified, 'at', indexed_at,
    'files', indexed_files, 'chunks', indexed_chunks, 'bytes', indexed_bytes) end as indexed`;

type Row = Omit<RepositoryView, "indexed" | "configuration"> & {
  indexed: (Omit<IndexedView, "at"> & { at: string }) | null;
  settings: Settings | null;
  faults: SettingsFault[];
};

function toView({ indexed, settings, faults, ...row }: Row): RepositoryView {
  return {
    ...row,
    indexed: indexed && { ...indexed, at: new Date(indexed.at) },
    configuration: { ...storedSettings(settings), faults },
  };
}

/** One repository, or null where there is none that the viewer may see. */
export async function readRepository(
  db: Kysely<Tables>,
  viewer: Viewer,
  repositoryId: string,
): Promise<RepositoryView | null> {
  const { rows } = await sql<Row>`
    select ${COLUMNS} from repositories where ${visibleTo(viewer)} and repositories.id = ${repositoryId}`.execute(
    db,
  );
  return rows[0] ? toView(rows[0]) : null;
}

/** Repositories by id, those after `after` only. `q` is a part of the full name, without regard to case. */
export async function listRepositories(
  db: Kysely<Tables>,
  viewer: Viewer,
  options: { q: string | null; state: RepositoryState | null; after: string | null; limit: number },
): Promise<RepositoryView[]> {
  const { q, state, after, limit } = options;
  const { rows } = await sql<Row>`
    select ${COLUMNS} from repositories
    where ${visibleTo(viewer)}
      and ${isNamedLike(q)}
      and (${after}::bigint is null or repositories.id > ${after}::bigint)
      and case ${state}::text
        when 'indexed' then indexed_commit is not null
        when 'unindexed' then indexed_commit is null
        when 'queued' then exists (select from runs where repository_id = repositories.id and runs.state = 'queued')
        when 'running' then exists (select from runs where repository_id = repositories.id and runs.state = 'running')
        else true end
    order by repositories.id limit ${limit}`.execute(db);
  return rows.map(toView);
}

function isNamedLike(q: string | null): RawBuilder<boolean> {
  return sql`(${q}::text is null or position(lower(${q}) in lower(repositories.owner || '/' || repositories.name)) > 0)`;
}

/** The full names of some repositories by their ids, as far as the viewer may see them. */
export async function readNames(
  db: Kysely<Tables>,
  viewer: Viewer,
  ids: string[],
): Promise<Map<string, string>> {
  if (ids.length === 0) return new Map();
  const { rows } = await sql<{ id: string; full_name: string }>`
    select repositories.id, repositories.owner || '/' || repositories.name as full_name
    from repositories where ${visibleTo(viewer)} and repositories.id = any(${ids}::bigint[])`.execute(db);
  return new Map(rows.map(({ id, full_name }) => [id, full_name]));
}

/** Whether the viewer may see any repository at all. */
export async function hasRepositories(db: Kysely<Tables>, viewer: Viewer): Promise<boolean> {
  const { rows } = await sql<{ some: boolean }>`
    select exists (select from repositories where ${visibleTo(viewer)}) as some`.execute(db);
  return rows[0]?.some ?? false;
}

/** A repository of the overview, and the run that tells of it: the one that runs or waits, else the last. */
export interface OverviewRow {
  repository: RepositoryView;
  run_id: string | null;
}

export interface Overview {
  /** What needs a look first, then what runs, what waits, and the others by name. */
  rows: OverviewRow[];
  /** How many come before the first row. */
  offset: number;
  repositories: number;
  failed: number;
  running: number;
  queued: number;
}

/**
 * The visible repositories as a person wants to see them, at most so many of them, and how many there are of each. `q`
 * is a part of the full name, without regard to case; `offset` is how many come before: where there are no more than
 * that, the last page is shown.
 */
export async function readOverview(
  db: Kysely<Tables>,
  viewer: Viewer,
  { limit, offset = 0, q = null }: { limit: number; offset?: number; q?: string | null },
): Promise<Overview> {
  type Counted = Row & { run_id: string | null } & Omit<Overview, "rows" | "repositories"> & { all: number };
  const { rows } = await sql<Counted>`
    with told as materialized (
      select repositories.id, coalesce(running.id, newest.id) as run_id,
        coalesce(running.state, newest.state) as state,
        lower(repositories.owner) as owner, lower(repositories.name) as name
      from repositories
      left join runs running on running.repository_id = repositories.id and running.state = 'running'
      left join lateral (
        select id, state from runs where repository_id = repositories.id order by id desc limit 1
      ) newest on true
      where ${visibleTo(viewer)} and ${isNamedLike(q)}
    ),
    counted as (
      select count(*)::int as all, (count(*) filter (where state = 'failed'))::int as failed,
        (count(*) filter (where state = 'running'))::int as running,
        (count(*) filter (where state = 'queued'))::int as queued,
        case when ${offset}::int < count(*) then ${offset}::int
          else greatest(0, count(*)::int - 1) / ${limit}::int * ${limit}::int end as offset
      from told
    ),
    shown as (
      select *, array_position('{failed,running,queued}', state) as place from told
      order by place, owner, name limit ${limit} offset (select counted.offset from counted)
    )
    select ${COLUMNS}, shown.run_id, counted.*
    from shown join repositories on repositories.id = shown.id cross join counted
    order by shown.place, shown.owner, shown.name`.execute(db);
  const [first] = rows;
  return {
    rows: rows.map(({ run_id, all: _, failed: __, running: ___, queued: ____, offset: _____, ...row }) => ({
      repository: toView(row),
      run_id,
    })),
    offset: first?.offset ?? 0,
    repositories: first?.all ?? 0,
    failed: first?.failed ?? 0,
    running: first?.running ?? 0,
    queued: first?.queued ?? 0,
  };
}
