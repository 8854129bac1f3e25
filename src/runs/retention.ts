import { type Kysely, sql } from "kysely";
import type { Tables } from "../database/schema.ts";

/** Rows deleted by one statement: bounded, so that nobody waits for it. */
const BATCH = 500;

/**
 * Deletes a batch of runs that ended more than `days` ago, with their requests, log and reports. The last one of
 * each repository stays, so that its state can always be told, and so does one whose report is still open.
 * Answers how many went.
 */
export async function deleteOldRuns(db: Kysely<Tables>, days: number): Promise<number> {
  const { rows } = await sql<{ deleted: number }>`
    with old as (
      select r.id from runs r
      where r.finished_at < clock_timestamp() - make_interval(days => ${days})
        and exists (select from runs newer where newer.repository_id = r.repository_id
          and newer.finished_at is not null and newer.id > r.id)
        and not exists (select from check_reports c where c.run_id = r.id and c.state = 'open')
        and not exists (select from run_requests q where q.run_id = r.id and q.reply_state = 'open')
        and not exists (select from runs replaced where replaced.superseded_by = r.id)
      order by r.id limit ${BATCH}
    ),
    old_requests as (delete from run_requests q using old where q.run_id = old.id),
    old_runs as (delete from runs r using old where r.id = old.id returning 1)
    select count(*)::int as deleted from old_runs`.execute(db);
  return rows[0]?.deleted ?? 0;
}

/** Deletes a batch of refused requests, which have no run, once they were answered and `days` have passed. */
export async function deleteOldRefusals(db: Kysely<Tables>, days: number): Promise<number> {
  const { rows } = await sql`
    delete from run_requests where id in (
      select id from run_requests
      where run_id is null and reply_state <> 'open'
        and created_at < clock_timestamp() - make_interval(days => ${days})
      limit ${BATCH}
    ) returning 1`.execute(db);
  return rows.length;
}
