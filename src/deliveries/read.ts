import { type Kysely, sql } from "kysely";
import type { Tables } from "../database/schema.ts";

/** What a list may be narrowed to. */
export const DELIVERY_STATES = ["pending", "handled", "failed"] as const;
export type DeliveryState = (typeof DELIVERY_STATES)[number];

/** A delivery as operators see it: what came, and what it led to; never its payload. */
export interface DeliveryView {
  guid: string;
  event: string;
  action: string | null;
  installation_id: string | null;
  repository_id: string | null;
  /** owner/name, where it is known. */
  repository: string | null;
  /** It is known, but Repodex does not read it any more. */
  repository_removed: boolean;
  state: DeliveryState;
  received_at: Date;
  handled_at: Date | null;
  attempts: number;
  /** Those of the attempts that cost nothing: GitHub asked to wait, or was away. */
  waits: number;
  /** When a pending one is due. */
  not_before: Date;
  /** What it led to, in a sentence. */
  outcome: string | null;
  error: string | null;
  /** The runs that it asked for, the first few. */
  run_ids: string[];
  position: DeliveryPosition;
}

/** A delivery's place in the list's order. */
export interface DeliveryPosition {
  /** To the microsecond, which a Date does not hold. */
  received_at: string;
  guid: string;
}

const RUNS_NAMED = 5;

/** Deliveries, newest first, those after `after` only; of all installations, so for operators alone. */
export async function listDeliveries(
  db: Kysely<Tables>,
  options: { state: DeliveryState | null; after: DeliveryPosition | null; limit: number },
): Promise<DeliveryView[]> {
  const { state, after, limit } = options;
  const isWanted = state === null ? sql`true` : sql`d.state = ${sql.lit(state)}`; // literal: it chooses the index
  const isOlder = after
    ? sql`(d.received_at, d.guid) < (${after.received_at}::timestamptz, ${after.guid})`
    : sql`true`;
  const { rows } = await sql<DeliveryView>`
    select d.guid, d.event, d.action, d.installation_id, d.repository_id,
      repositories.owner || '/' || repositories.name as repository,
      coalesce(repositories.removed_at is not null, false) as repository_removed,
      d.state, d.received_at, d.handled_at, d.attempts, d.waits, d.not_before, d.outcome, d.error,
      coalesce((select array_agg(asked.run_id::text order by asked.run_id) from (
        select distinct run_id from run_requests
        where delivery_guid = d.guid and run_id is not null order by run_id limit ${RUNS_NAMED}
      ) asked), '{}') as run_ids,
      json_build_object('guid', d.guid, 'received_at',
        to_char(d.received_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')) as position
    from deliveries d
    left join repositories on repositories.id = d.repository_id
    where ${isWanted} and ${isOlder}
    order by d.received_at desc, d.guid desc limit ${limit}`.execute(db);
  return rows;
}

/** Whether a value is a place in the list's order. */
export function isDeliveryPosition(value: unknown): value is DeliveryPosition {
  return (
    typeof value === "object" &&
    value !== null &&
    "guid" in value &&
    typeof value.guid === "string" &&
    !value.guid.includes("\0") &&
    "received_at" in value &&
    typeof value.received_at === "string" &&
    /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/.test(value.received_at) &&
    !Number.isNaN(Date.parse(value.received_at))
  );
}
