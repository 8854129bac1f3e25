import { type Kysely, sql } from "kysely";
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
      and (${q}::text is null or position(lower(${q}) in lower(repositories.owner || '/' || repositories.name)) > 0)
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
