import { setTimeout as delay } from "node:timers/promises";
import { type Kysely, sql } from "kysely";
import type { Connection } from "../database/connect.ts";
import type { Tables } from "../database/schema.ts";
import { HostUnavailable, RateLimited } from "../scan/source.ts";
import type { Directory, FailedDelivery } from "./directory.ts";

/** docs.github.com, "Redelivering webhooks": deliveries of the last three days can be sent again. */
const REDELIVERABLE_MS = 3 * 24 * 60 * 60_000;
/** Asked so often without success, a delivery is left to reconciling. */
const MAX_TIMES = 5;
/** Bounds one sweep; the rest follows with the next. */
const MAX_AT_ONCE = 200;
/** docs.github.com, "Rate limits for the REST API": 900 points a minute, of which a write takes five. */
const SPACING_MS = 400;

/**
 * Finds the deliveries that GitHub could not hand over and that never reached us, and asks for each to be sent again,
 * oldest first. One that fails again is asked for again later, a few times.
 */
export async function redeliverFailed({
  connection: { db },
  directory,
  signal,
}: {
  connection: Connection;
  directory: Directory;
  signal: AbortSignal;
}): Promise<string> {
  const failed = await directory.listFailedDeliveries(new Date(Date.now() - REDELIVERABLE_MS), signal);
  const asked = await chooseUnknown(db, failed);
  let sent = 0;
  for (const { id, guid } of asked.slice(0, MAX_AT_ONCE)) {
    if (sent > 0) await delay(SPACING_MS, undefined, { signal });
    await noteAsked(db, guid); // before: one that cannot be sent again must not be asked for without end
    try {
      await directory.redeliver(id, signal);
    } catch (error) {
      if (error instanceof RateLimited || error instanceof HostUnavailable) await forgetAsked(db, guid);
      throw error;
    }
    sent += 1;
  }
  return `${failed.length} failed deliveries, ${sent} asked for again.`;
}

async function chooseUnknown(db: Kysely<Tables>, failed: FailedDelivery[]): Promise<FailedDelivery[]> {
  const { rows } = await sql<{ guid: string }>`
    select guid from unnest(${failed.map(({ guid }) => guid)}::text[]) as asked (guid)
    where not exists (select from deliveries where deliveries.guid = asked.guid)
      and not exists (select from redeliveries r where r.guid = asked.guid
        and (r.times >= ${MAX_TIMES} or r.asked_at > clock_timestamp() - make_interval(mins => 5 * r.times * r.times)))`.execute(
    db,
  );
  const unknown = new Set(rows.map(({ guid }) => guid));
  return failed.filter(({ guid }) => unknown.has(guid));
}

async function noteAsked(db: Kysely<Tables>, guid: string): Promise<void> {
  await sql`
    insert into redeliveries (guid) values (${guid})
    on conflict (guid) do update set times = redeliveries.times + 1, asked_at = clock_timestamp()`.execute(
    db,
  );
}

/** GitHub did not hear it: that was no time. */
async function forgetAsked(db: Kysely<Tables>, guid: string): Promise<void> {
  await db
    .updateTable("redeliveries")
    .set({ times: sql<number>`times - 1` })
    .where("guid", "=", guid)
    .execute();
}

/** Forgets what can no longer be asked for; answers how many. */
export async function deleteOldRedeliveries(db: Kysely<Tables>): Promise<number> {
  const { numDeletedRows } = await db
    .deleteFrom("redeliveries")
    .where(sql<boolean>`asked_at < clock_timestamp() - make_interval(days => 4)`)
    .executeTakeFirst();
  return Number(numDeletedRows);
}
