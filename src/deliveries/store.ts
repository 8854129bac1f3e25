import { type Kysely, sql } from "kysely";
import { byDatabaseClock } from "../database/clock.ts";
import type { Tables } from "../database/schema.ts";
import { messageOf } from "../redact.ts";

/** Wakes the inbox: a delivery was stored. */
export const DELIVERIES_CHANNEL = "deliveries";
/** With the waits between them about two hours: longer than most outages. */
const MAX_ATTEMPTS = 20;
/** Waits for GitHub that cost no attempt; with ten minutes between them about two days. */
const MAX_WAITS = 300;
const MAX_BACKOFF_SECONDS = 600;

/** A verified webhook delivery as it came in. */
export interface Delivery {
  guid: string;
  event: string;
  action: string | null;
  installation_id: string | null;
  repository_id: string | null;
  payload: string;
}

export interface ClaimedDelivery {
  guid: string;
  event: string;
  payload: string;
  attempts: number;
  /** Those of the attempts that do not count. */
  waits: number;
}

/**
 * Stores a delivery; false when its GUID is there already (a replay). One that failed for good begins anew: GitHub
 * redelivers, at an operator's press of a button, under the same GUID.
 */
export async function storeDelivery(db: Kysely<Tables>, delivery: Delivery): Promise<boolean> {
  const { rows } = await sql`
    with stored as (
      insert into deliveries (guid, event, action, installation_id, repository_id, payload)
      values (${delivery.guid}, ${delivery.event}, ${delivery.action}, ${delivery.installation_id},
        ${delivery.repository_id}, ${delivery.payload})
      on conflict (guid) do update set
        state = 'pending', payload = excluded.payload, attempts = 0, waits = 0, not_before = clock_timestamp(),
        error = null, handled_at = null
        where deliveries.state = 'failed'
      returning guid
    )
    select pg_notify(${DELIVERIES_CHANNEL}, '') from stored`.execute(db);
  return rows.length > 0;
}

/**
 * Takes the delivery that has been due for the longest, or null. In the index's order, or each claim would sort all
 * that waits; and without waiting for the disk, since a claim that a crash undoes is only made again.
 */
export async function claimDelivery(
  db: Kysely<Tables>,
  options: { leaseSeconds: number },
): Promise<ClaimedDelivery | null> {
  const { rows } = await sql<ClaimedDelivery>`
    with due as (
      select guid from deliveries
      where state = 'pending' and not_before <= clock_timestamp()
        and (lease_until is null or lease_until < clock_timestamp())
      order by not_before, received_at limit 1 for update skip locked
    )
    update deliveries d set attempts = d.attempts + 1,
      lease_until = clock_timestamp() + make_interval(secs => ${options.leaseSeconds})
    from due where d.guid = due.guid
    returning d.guid, d.event, d.payload, d.attempts, d.waits, set_config('synchronous_commit', 'off', true)`.execute(
    db,
  );
  const delivery = rows[0] ?? null;
  if (delivery === null || delivery.attempts - delivery.waits <= MAX_ATTEMPTS) return delivery;
  await postponeDelivery(db, delivery, { error: "Handling it has ended the process again and again." });
  return await claimDelivery(db, options);
}

/** Holds a claimed delivery for another lease; false when it is settled or somebody else's by now. */
export async function renewDelivery(
  db: Kysely<Tables>,
  { guid, attempts }: ClaimedDelivery,
  { leaseSeconds }: { leaseSeconds: number },
): Promise<boolean> {
  const { rows } = await sql`
    update deliveries set lease_until = clock_timestamp() + make_interval(secs => ${leaseSeconds})
    where guid = ${guid} and attempts = ${attempts} and state = 'pending' and lease_until is not null
    returning 1`.execute(db);
  return rows.length > 0;
}

/**
 * Marks a delivery handled, in the transaction that writes what follows from it, and drops its payload.
 * Throws DeliveryTaken when it was handled already, so that nothing follows from it twice.
 */
export async function markHandled(trx: Kysely<Tables>, guid: string, outcome: string): Promise<void> {
  const row = await trx
    .updateTable("deliveries")
    .set({ ...SETTLED, state: "handled", outcome, handled_at: sql<Date>`clock_timestamp()` })
    .where("guid", "=", guid)
    .where("state", "=", "pending")
    .returning("guid")
    .executeTakeFirst();
  if (!row) throw new DeliveryTaken(guid);
}

const SETTLED = { payload: null, lease_until: null };

/** Somebody else has handled this delivery in the meantime: whatever was about to follow is rolled back. */
export class DeliveryTaken extends Error {
  override readonly name = "DeliveryTaken";
  constructor(guid: string) {
    super(`Delivery ${guid} was handled already.`);
  }
}

/** Marks a delivery that nobody had a handler for. */
export async function markIgnored(db: Kysely<Tables>, guid: string): Promise<void> {
  await db
    .updateTable("deliveries")
    .set({
      ...SETTLED,
      state: "handled",
      outcome: "Recorded; Repodex does nothing for this event.",
      handled_at: sql<Date>`clock_timestamp()`,
    })
    .where("guid", "=", guid)
    .where("state", "=", "pending")
    .execute();
}

/** Why a delivery is given back, and what that costs of its attempts. */
export interface Postponement {
  error: string;
  /** When to come back; after a wait that grows where it is not given. */
  retryAt?: Date | null;
  costs?: "nothing" | "attempt" | "all";
}

/** Gives a delivery back after a failure: later again, or failed with its reason once its attempts are spent. */
export async function postponeDelivery(
  db: Kysely<Tables>,
  delivery: ClaimedDelivery,
  { error, retryAt, costs = "attempt" }: Postponement,
): Promise<"postponed" | "failed"> {
  const free = costs === "nothing" && delivery.waits < MAX_WAITS;
  const spent = costs === "all" || (!free && delivery.attempts - delivery.waits >= MAX_ATTEMPTS);
  const waitSeconds = Math.min(MAX_BACKOFF_SECONDS, 2 ** delivery.attempts) * (0.5 + Math.random());
  await db
    .updateTable("deliveries")
    .set({
      error: messageOf(error),
      lease_until: null,
      ...(free && { waits: delivery.waits + 1 }),
      ...(spent
        ? { ...SETTLED, state: "failed" as const, handled_at: sql<Date>`clock_timestamp()` }
        : { not_before: byDatabaseClock(retryAt ?? new Date(Date.now() + waitSeconds * 1000)) }),
    })
    .where("guid", "=", delivery.guid)
    .where("state", "=", "pending")
    .where("attempts", "=", delivery.attempts)
    .execute();
  return spent ? "failed" : "postponed";
}

const DELETE_BATCH = 1_000;

/**
 * Deletes a batch of deliveries settled more than `days` ago; answers how many. GitHub can redeliver for three
 * days under the same GUID, so fewer days would let one count twice.
 */
export async function deleteOldDeliveries(db: Kysely<Tables>, days: number): Promise<number> {
  const { rows } = await sql`
    delete from deliveries where guid in (
      select guid from deliveries
      where state <> 'pending' and handled_at < clock_timestamp() - make_interval(days => ${days})
      limit ${DELETE_BATCH}
    ) returning 1`.execute(db);
  return rows.length;
}
