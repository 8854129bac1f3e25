import { type Kysely, type RawBuilder, sql } from "kysely";
import { byDatabaseClock } from "../database/clock.ts";
import type { Tables } from "../database/schema.ts";
import { BudgetReserved, RateLimited } from "../scan/source.ts";

/**
 * Of an hour's writes so many may come at once; the rest comes evenly over the hour, so that no hour, wherever it begins,
 * sees more than all.
 */
const BURST_SHARE = 0.48;
/** At GitHub's own 500 an hour; closer where an operator's server allows more. */
const SPACING_SECONDS = 1;
const USUAL_PER_HOUR = 500;

/** How much must be left of the burst for a write. What can be done without goes first. */
export const LEVEL = {
  /** What a check run says while a scan goes on. */
  progress: 2 / 3,
  /** Answers that nobody waits for. */
  background: 1 / 3,
  /** Answers to pushes and people. */
  asked: 0,
} as const;

/**
 * The condition that an installation may write now: an hour's allowance, and a second between two writes, as GitHub
 * asks. `w` is its row of write_allowances, or nothing. `level` is SQL for a share of the burst.
 * docs.github.com, "Best practices for using the REST API" and "Rate limits": 80 writes a minute, 500 an hour.
 */
export function mayWrite(perHour: number, level: RawBuilder<unknown>): RawBuilder<boolean> {
  const burst = perHour * BURST_SHARE;
  return sql<boolean>`(w.installation_id is null or (w.not_before <= clock_timestamp()
    and ${tokensNow(perHour, sql`w`)} >= 1 + (${level})::float8 * ${burst}::float8))`;
}

function tokensNow(perHour: number, row: RawBuilder<unknown>): RawBuilder<number> {
  const burst = perHour * BURST_SHARE;
  const perSecond = (perHour - burst) / 3600;
  return sql<number>`least(${burst}::float8, ${row}.tokens
    + extract(epoch from clock_timestamp() - ${row}.counted_at)::float8 * ${perSecond}::float8)`;
}

/** A statement, for a `with`, that takes writes from the installation that `due` names in the column installation_id. */
export function spendWrites(perHour: number, writes: number): RawBuilder<unknown> {
  const burst = perHour * BURST_SHARE;
  const spacing = writes * Math.min(SPACING_SECONDS, (SPACING_SECONDS * USUAL_PER_HOUR) / perHour);
  const next = sql`clock_timestamp() + make_interval(secs => ${spacing}::float8)`;
  return sql`
    insert into write_allowances as w (installation_id, tokens, not_before)
    select installation_id, ${burst - writes}::float8, ${next} from due
    on conflict (installation_id) do update set
      tokens = ${tokensNow(perHour, sql`w`)} - ${writes}, counted_at = clock_timestamp(),
      not_before = greatest(w.not_before, excluded.not_before)`;
}

/** Gives back what was taken for writes that were not made after all. */
export async function refundWrites(
  db: Kysely<Tables>,
  installationId: string,
  writes: number,
): Promise<void> {
  await db
    .updateTable("write_allowances")
    .set({ tokens: sql<number>`tokens + ${writes}` })
    .where("installation_id", "=", installationId)
    .execute();
}

/** Where GitHub refused a write because there were too many, nothing is written for the installation until it says. */
export async function holdWritesFor(
  db: Kysely<Tables>,
  installationId: string,
  error: unknown,
): Promise<void> {
  if (!(error instanceof RateLimited) || error instanceof BudgetReserved) return;
  const at = byDatabaseClock(error.resetAt);
  await sql`
    insert into write_allowances as w (installation_id, tokens, not_before) values (${installationId}, 0, ${at})
    on conflict (installation_id) do update set not_before = greatest(w.not_before, excluded.not_before)`.execute(
    db,
  );
}
