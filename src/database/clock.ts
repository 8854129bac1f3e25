import { type Kysely, type RawBuilder, sql } from "kysely";
import type { Tables } from "./schema.ts";

/**
 * A moment told by this process's clock, told by the database's, which alone rules what is due: a replica whose
 * clock is hours off waits just as long as it means to.
 */
export function byDatabaseClock(at: Date): RawBuilder<Date> {
  const seconds = (at.getTime() - Date.now()) / 1000;
  return sql<Date>`(clock_timestamp() + make_interval(secs => ${seconds}))`;
}

/** Now, by the database's clock. */
export async function readClock(db: Kysely<Tables>): Promise<Date> {
  const { rows } = await sql<{ now: Date }>`select clock_timestamp() as now`.execute(db);
  return rows[0]?.now ?? new Date();
}
