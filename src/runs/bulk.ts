import { type Kysely, sql } from "kysely";
import type { Tables } from "../database/schema.ts";
import { appendEvent, CHANGED_CHANNEL, DUE_CHANNEL } from "./events.ts";
import { cancelRun } from "./queue.ts";

/**
 * Asks a background run for each of many repositories that are still ours, as requestRun does for one: those that wait
 * are joined. One
 * statement, since an organization may have ten thousand. In the order of ids, so that two of these never deadlock.
 */
export async function requestBackgroundRuns(
  trx: Kysely<Tables>,
  repositoryIds: string[],
  { trigger, delivery_guid = null }: { trigger: "install" | "schedule"; delivery_guid?: string | null },
): Promise<void> {
  await sql`
    with asked as (
      insert into runs (repository_id, installation_id, trigger, event_seq)
      select id, installation_id, ${trigger}, 1 from repositories
      where id = any(${repositoryIds}::bigint[]) and removed_at is null
        and installation_id not in (select i.id from installations i where i.removed_at is not null)
      order by id
      on conflict (repository_id) where state = 'queued' do update set
        installation_id = excluded.installation_id, event_seq = runs.event_seq + 1, version = runs.version + 1
      returning id, repository_id, event_seq, xmax = 0 as created
    ),
    recorded as (
      insert into run_requests (repository_id, run_id, delivery_guid, trigger, outcome)
      select repository_id, id, ${delivery_guid}, ${trigger},
        case when not created then 'joined'
          when exists (select from runs r where r.repository_id = asked.repository_id and r.state = 'running')
            then 'follow_up' else 'queued' end
      from asked
    ),
    logged as (
      insert into run_events (run_id, seq, level, kind, message, data)
      select id, event_seq, 'info', case when created then 'run.queued' else 'run.joined' end,
        case when created then 'Waiting for a worker.' else 'One more request joined this run.' end,
        jsonb_build_object('trigger', ${trigger}::text, 'mode', 'incremental', 'requested_by', null)
      from asked
    )
    select pg_notify(${DUE_CHANNEL}, ''), (select count(pg_notify(${CHANGED_CHANNEL}, id::text)) from asked where not created)`.execute(
    trx,
  );
}

/**
 * Cancels whatever waits or runs for repositories that were taken from us: what waits ends at once, what runs at its
 * worker's next beat. `why` is for their logs.
 */
export async function cancelRunsOf(
  trx: Kysely<Tables>,
  repositoryIds: string[],
  why: string | null = null,
): Promise<void> {
  await cancelQueued(trx, repositoryIds, why);
  const running = await trx
    .selectFrom("runs")
    .select("id")
    .where(sql<boolean>`repository_id = any(${repositoryIds}::bigint[])`)
    .where("state", "in", ["queued", "running"]) // one may have gone back to the queue by now
    .orderBy("id")
    .execute();
  for (const { id } of running) {
    if (why !== null) await appendEvent(trx, id, { level: "warn", kind: "access.lost", message: why });
    await cancelRun(trx, id, null);
  }
}

async function cancelQueued(trx: Kysely<Tables>, repositoryIds: string[], why: string | null): Promise<void> {
  await sql`
    with due as (
      select id from runs where repository_id = any(${repositoryIds}::bigint[]) and state = 'queued'
      order by id for update
    ),
    cancelled as (
      update runs set state = 'cancelled', finished_at = clock_timestamp(), cancel_requested_at = clock_timestamp(),
        event_seq = event_seq + 2, version = version + 1
      from due where runs.id = due.id returning runs.id, event_seq
    ),
    logged as (
      insert into run_events (run_id, seq, level, kind, message, data)
      select id, event_seq - 1, 'warn', 'access.lost', ${why ?? "The repository was taken away from Repodex."},
        '{}'::jsonb from cancelled
      union all
      select id, event_seq, 'info', 'run.completed', 'Cancelled.', '{"state": "cancelled"}'::jsonb from cancelled
    )
    select pg_notify(${CHANGED_CHANNEL}, id::text) from cancelled`.execute(trx);
}

/**
 * Asks a background run for each repository whose index cannot be searched, since it was made before there was a search,
 * unless one is under way. Answers how many there are.
 */
export async function requestUnsearchable(trx: Kysely<Tables>): Promise<number> {
  const { rows } = await sql<{ id: string }>`
    select id from repositories r
    where indexed_commit is not null and path_lines is null and removed_at is null
      and not exists (select from runs where repository_id = r.id and state in ('queued', 'running'))`.execute(
    trx,
  );
  const ids = rows.map(({ id }) => id);
  if (ids.length > 0) await requestBackgroundRuns(trx, ids, { trigger: "schedule" });
  return ids.length;
}
