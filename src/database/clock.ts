import { type RawBuilder, sql } from "kysely";

/**
 * A moment told by this process's clock, told by the database's, which alone rules what is due: a replica whose
 * clock is hours off waits just as long as it means to.
 */
export function byDatabaseClock(at: Date): RawBuilder<Date> {
  const seconds = (at.getTime() - Date.now()) / 1000;
  return sql<Date>`(clock_timestamp() + make_interval(secs => ${seconds}))`;
}
