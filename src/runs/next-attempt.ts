import { type RawBuilder, sql } from "kysely";
import { byDatabaseClock } from "../database/clock.ts";
import { RateLimited } from "../scan/source.ts";

const MAX_BACKOFF_SECONDS = 600;

/**
 * When a check run or reply that could not be written is tried again: when GitHub says so, else later after each
 * of the `failures` before, by the database's clock.
 */
export function nextAttemptAt(error: unknown, failures: number): RawBuilder<Date> {
  if (error instanceof RateLimited) return byDatabaseClock(error.resetAt);
  const seconds = Math.min(MAX_BACKOFF_SECONDS, 2 ** Math.min(failures, 10)) * (0.5 + Math.random());
  return sql<Date>`clock_timestamp() + make_interval(secs => ${seconds})`;
}
