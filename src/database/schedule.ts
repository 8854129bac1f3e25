import { type Kysely, sql, type UpdateObject } from "kysely";
import type { Logger } from "pino";
import { messageOf } from "../redact.ts";
import { byDatabaseClock } from "./clock.ts";
import type { Connection } from "./connect.ts";
import { LeaseLoop } from "./lease-loop.ts";
import { notify } from "./notify.ts";
import type { Tables } from "./schema.ts";

const SCHEDULES_CHANNEL = "schedules";
const LEASE_SECONDS = 15;
const POLL_MS = 5_000;
const CONCURRENCY = 2;
const MAX_BACKOFF_SECONDS = 600;

interface LeasedSchedule {
  name: string;
  attempts: number;
  failures: number;
}

/** Does what is due; answers one sentence for operators. Must be safe to repeat and to break off. */
export type DoScheduled = (name: string, signal: AbortSignal) => Promise<string>;

export interface ScheduleOptions {
  connection: Connection;
  perform: DoScheduled;
  /** How long after a thing was begun it is due again. */
  everySeconds: number;
  log: Logger;
}

/** Does what comes back: one replica at a time, each name by itself, later again where it failed. */
export function createScheduleLoop(options: ScheduleOptions): LeaseLoop<LeasedSchedule> {
  const { db } = options.connection;
  return new LeaseLoop({
    ...options,
    channel: SCHEDULES_CHANNEL,
    concurrency: CONCURRENCY,
    pollMs: POLL_MS,
    leaseSeconds: LEASE_SECONDS,
    lease: () => leaseSchedule(db, options),
    renew: (leased) => renewSchedule(db, leased),
    handle: (leased, signal) => settle(leased, { ...options, signal }),
  });
}

/** Makes something due, now: it is done as soon as a replica is free, or once more after what is under way. */
export async function dueNow(trx: Kysely<Tables>, name: string): Promise<void> {
  await sql`
    insert into schedules (name) values (${name})
    on conflict (name) do update set due_at = clock_timestamp() where schedules.due_at > clock_timestamp()`.execute(
    trx,
  );
  await notify(trx, SCHEDULES_CHANNEL);
}

/** Makes sure that something comes back: due now if it is new, else when it is due. */
export async function ensureScheduled(trx: Kysely<Tables>, name: string): Promise<void> {
  const { rows } = await sql`
    insert into schedules (name) values (${name}) on conflict (name) do nothing returning 1`.execute(trx);
  if (rows.length > 0) await notify(trx, SCHEDULES_CHANNEL);
}

/** Makes everything due that comes back, as after a time that nobody knows anything of. */
export async function dueAll(trx: Kysely<Tables>): Promise<void> {
  await sql`update schedules set due_at = clock_timestamp() where due_at > clock_timestamp()`.execute(trx);
  await notify(trx, SCHEDULES_CHANNEL);
}

/** Forgets what need not come back any more. */
export async function endSchedule(trx: Kysely<Tables>, name: string): Promise<void> {
  await trx.deleteFrom("schedules").where("name", "=", name).execute();
}

async function settle(
  leased: LeasedSchedule,
  { connection: { db }, perform, signal, ...options }: ScheduleOptions & { signal: AbortSignal },
): Promise<void> {
  const log = options.log.child({ schedule: leased.name });
  try {
    const outcome = await perform(leased.name, signal);
    log.debug({ outcome }, "schedule done");
    await update(db, leased, { failures: 0, finished_at: sql`clock_timestamp()`, outcome, error: null });
  } catch (err) {
    const seconds = Math.min(MAX_BACKOFF_SECONDS, 2 ** (leased.failures + 2)) * (0.5 + Math.random());
    const retryAt =
      err instanceof Error && "resetAt" in err && err.resetAt instanceof Date ? err.resetAt : null;
    log.warn({ err }, "schedule failed");
    await update(db, leased, {
      failures: leased.failures + 1,
      error: messageOf(err),
      due_at: byDatabaseClock(retryAt ?? new Date(Date.now() + seconds * 1000)),
    }).catch(() => {}); // its lease runs out instead
  }
}

/**
 * Takes what is due, or what a dead replica left undone. When it is due again is set now: whoever makes it due while it
 * is done has it done once more.
 */
async function leaseSchedule(
  db: Kysely<Tables>,
  { everySeconds }: Pick<ScheduleOptions, "everySeconds">,
): Promise<LeasedSchedule | null> {
  const seconds = everySeconds * (0.75 + Math.random() / 2);
  const { rows } = await sql<LeasedSchedule>`
    with due as (
      select name from schedules
      where (due_at <= clock_timestamp() and lease_until is null) or lease_until < clock_timestamp()
      order by due_at limit 1 for update skip locked
    )
    update schedules s set attempts = s.attempts + 1,
      due_at = clock_timestamp() + make_interval(secs => ${seconds}),
      lease_until = clock_timestamp() + make_interval(secs => ${LEASE_SECONDS})
    from due where s.name = due.name returning s.name, s.attempts, s.failures`.execute(db);
  return rows[0] ?? null;
}

async function renewSchedule(db: Kysely<Tables>, { name, attempts }: LeasedSchedule): Promise<boolean> {
  const { rows } = await sql`
    update schedules set lease_until = clock_timestamp() + make_interval(secs => ${LEASE_SECONDS})
    where name = ${name} and attempts = ${attempts} and lease_until is not null returning 1`.execute(db);
  return rows.length > 0;
}

async function update(
  db: Kysely<Tables>,
  leased: LeasedSchedule,
  values: UpdateObject<Tables, "schedules">,
): Promise<void> {
  await db
    .updateTable("schedules")
    .set({ ...values, lease_until: null })
    .where("name", "=", leased.name)
    .where("attempts", "=", leased.attempts)
    .execute();
}
