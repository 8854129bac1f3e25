import { type Kysely, type RawBuilder, sql } from "kysely";
import type {
  RunMode,
  RunProgress,
  RunState,
  RunTrigger,
  SettingsFault,
  Tables,
} from "../database/schema.ts";
import { type Viewer, visibleTo } from "../database/viewer.ts";
import { SUSPENDED } from "../scan/source.ts";

/** A run as its readers see it: API, pages, event stream and check run all show this. */
export interface RunView {
  id: string;
  repository_id: string;
  trigger: RunTrigger;
  state: RunState;
  stage: string | null;
  head_sha: string | null;
  tree_sha: string | null;
  verified: boolean | null;
  epoch: number;
  failures: number;
  max_failures: number;
  reason: string | null;
  reason_code: string | null;
  wait_reason: string | null;
  requested_by: string | null;
  cancel_requested_by: string | null;
  superseded_by: string | null;
  queued_at: Date;
  not_before: Date;
  /** Place in the installation's line, as far as the viewer sees it; 1 is next; null unless queued. */
  position: number | null;
  started_at: Date | null;
  finished_at: Date | null;
  mode: RunMode;
  progress: RunProgress;
  version: number;
  event_seq: number;
  /** Mistakes in the repository's configuration, which is why the last good one was in force. */
  configuration_faults: SettingsFault[];
}

export interface RunStatus {
  running: RunView | null;
  queued: RunView | null;
  last_finished: RunView | null;
}

const COLUMNS = sql`
  runs.id, runs.repository_id, runs.trigger, runs.state, runs.stage, runs.head_sha, runs.tree_sha, runs.verified,
  runs.epoch, runs.failures, runs.max_failures, runs.reason, runs.reason_code,
  case when runs.state = 'queued' then coalesce(case
    when installations.suspended_at is not null then ${SUSPENDED}::text
    when installations.paused_until > clock_timestamp() then installations.pause_reason
    when runs.priority = 0 and installations.background_paused_until > clock_timestamp()
      then installations.background_pause_reason
  end, runs.wait_reason) end as wait_reason, runs.requested_by,
  runs.cancel_requested_by, runs.superseded_by, runs.queued_at,
  greatest(runs.not_before, case when runs.state = 'queued' then greatest(installations.paused_until,
    case when runs.priority = 0 then installations.background_paused_until end) end) as not_before,
  runs.started_at, runs.finished_at, runs.mode, runs.progress, runs.version, runs.event_seq,
  runs.configuration_faults, line.position`;

/** What waits for a repository that a viewer does not see is not counted: its place would tell that it is there. */
function isCountedFor({ repositories }: Viewer): RawBuilder<boolean> {
  return repositories === "all" ? sql`true` : sql`queued.repository_id = any(${repositories}::bigint[])`;
}

interface Selection {
  where: RawBuilder<unknown>;
  order?: RawBuilder<unknown>;
  limit?: number;
}

/** Each line that a selected run waits in is counted once, however many of them wait in it. */
async function selectRuns(
  db: Kysely<Tables>,
  viewer: Viewer,
  { where, order = sql`runs.id`, limit }: Selection,
): Promise<RunView[]> {
  const { rows } = await sql<RunView>`
    with selected as materialized (
      select runs.* from runs
      join repositories on repositories.id = runs.repository_id
      where ${visibleTo(viewer)} and ${where} order by ${order} limit ${limit ?? null}
    ),
    line as materialized (
      select queued.id, (row_number() over (
        partition by queued.installation_id order by queued.priority desc, queued.queued_at, queued.id))::int as position
      from runs queued
      where queued.state = 'queued' and ${isCountedFor(viewer)}
        and queued.installation_id in (select installation_id from selected where state = 'queued')
    )
    select ${COLUMNS}
    from selected runs
    join installations on installations.id = runs.installation_id
    left join line on line.id = runs.id
    order by ${order}`.execute(db);
  return rows;
}

/** One run, or null where there is none that the viewer may see. */
export async function readRun(db: Kysely<Tables>, viewer: Viewer, runId: string): Promise<RunView | null> {
  return (await selectRuns(db, viewer, { where: sql`runs.id = ${runId}` }))[0] ?? null;
}

/** A repository's runs, newest first, those before run `before` only. */
export async function listRuns(
  db: Kysely<Tables>,
  viewer: Viewer,
  options: { repository_id: string; before: string | null; limit: number },
): Promise<RunView[]> {
  const older = options.before === null ? sql`true` : sql`runs.id < ${options.before}`;
  return await selectRuns(db, viewer, {
    where: sql`runs.repository_id = ${options.repository_id} and ${older}`,
    order: sql`runs.id desc`,
    limit: options.limit,
  });
}

/** What runs, what waits and what ended last: the truth about a repository at one moment, in one statement. */
export async function readStatus(
  db: Kysely<Tables>,
  viewer: Viewer,
  repositoryId: string,
): Promise<RunStatus> {
  const runs = await selectRuns(db, viewer, {
    where: sql`runs.id in (
      select id from runs where repository_id = ${repositoryId} and state in ('queued', 'running')
      union all
      (select id from runs where repository_id = ${repositoryId} and finished_at is not null
       order by finished_at desc, id desc limit 1)
    )`,
  });
  return {
    running: runs.find((run) => run.state === "running") ?? null,
    queued: runs.find((run) => run.state === "queued") ?? null,
    last_finished: runs.find((run) => run.finished_at !== null) ?? null,
  };
}

/** Some runs, as far as the viewer may see them. */
export async function listRunsById(db: Kysely<Tables>, viewer: Viewer, ids: string[]): Promise<RunView[]> {
  return await selectRuns(db, viewer, { where: sql`runs.id = any(${ids}::bigint[])` });
}

/** What runs and what waits, wherever the viewer may see it: what runs first, then the oldest. */
export async function listOpenRuns(db: Kysely<Tables>, viewer: Viewer, limit: number): Promise<RunView[]> {
  return await selectRuns(db, viewer, {
    where: sql`runs.state in ('queued', 'running')`,
    order: sql`runs.state desc, runs.id`,
    limit,
  });
}

/** What runs and what waits for some repositories, in one statement. */
export async function listActiveRuns(
  db: Kysely<Tables>,
  viewer: Viewer,
  repositoryIds: string[],
): Promise<RunView[]> {
  if (repositoryIds.length === 0) return [];
  return await selectRuns(db, viewer, {
    where: sql`runs.repository_id = any(${repositoryIds}::bigint[]) and runs.state in ('queued', 'running')`,
  });
}
