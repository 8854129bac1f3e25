import { type Kysely, sql } from "kysely";
import type { StoredError, Tables } from "../database/schema.ts";

/** Wakes workers: something may be due. */
export const DUE_CHANNEL = "runs_due";
/** Wakes readers: the run whose id is the payload has changed. */
export const CHANGED_CHANNEL = "runs_changed";

export interface RunEvent {
  seq: number;
  at: Date;
  level: "debug" | "info" | "warn" | "error";
  kind: string;
  message: string;
  data: Record<string, unknown>;
  error: StoredError | null;
}

export type NewRunEvent = Pick<RunEvent, "kind" | "message"> &
  Partial<Pick<RunEvent, "level" | "data" | "error">> & {
    /** Something may be due, or a slot free, once the transaction commits. */
    wakesWorkers?: boolean;
  };

/** Adds to a run's log and wakes its readers. Takes the run's row lock, so the numbers have no gap. */
export async function appendEvent(db: Kysely<Tables>, runId: string, event: NewRunEvent): Promise<void> {
  await sql`
    with run as (
      update runs set event_seq = event_seq + 1, version = version + 1 where id = ${runId} returning id, event_seq
    ),
    logged as (
      insert into run_events (run_id, seq, level, kind, message, data, error)
      select id, event_seq, ${event.level ?? "info"}, ${event.kind}, ${event.message},
        ${JSON.stringify(event.data ?? {})}::jsonb, ${event.error ? JSON.stringify(event.error) : null}::jsonb
      from run
    )
    select pg_notify(${CHANGED_CHANNEL}, ${runId}::text),
      case when ${event.wakesWorkers ?? false} then pg_notify(${DUE_CHANNEL}, '') end`.execute(db);
}

/** A run's log after `afterSeq`, oldest first, at most `limit` events. */
export async function listEvents(
  db: Kysely<Tables>,
  runId: string,
  options: { afterSeq: number; limit: number },
): Promise<RunEvent[]> {
  return await db
    .selectFrom("run_events")
    .select(["seq", "at", "level", "kind", "message", "data", "error"])
    .where("run_id", "=", runId)
    .where("seq", ">", options.afterSeq)
    .orderBy("seq")
    .limit(options.limit)
    .execute();
}

/** The events of a run that tell its course: all but progress within a stage; the newest ones, oldest first. */
export async function listMilestones(db: Kysely<Tables>, runId: string, limit: number): Promise<RunEvent[]> {
  const { rows } = await sql<RunEvent>`
    select seq, at, level, kind, message, data, error from (
      select *, lag(case when kind = 'run.progress' then data ->> 'stage' end) over (order by seq) as stage_before
      from run_events where run_id = ${runId}
    ) told
    where kind <> 'run.progress' or data ->> 'stage' is distinct from stage_before
    order by seq desc limit ${limit}`.execute(db);
  return rows.reverse();
}

/** The last event of a run that tells of an error, or null. */
export async function findLastFailure(db: Kysely<Tables>, runId: string): Promise<RunEvent | null> {
  const { rows } = await sql<RunEvent>`
    select seq, at, level, kind, message, data, error from run_events
    where run_id = ${runId} and error is not null order by seq desc limit 1`.execute(db);
  return rows[0] ?? null;
}
