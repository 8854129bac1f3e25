import type { Logger } from "pino";
import type { Connection } from "../database/connect.ts";
import { LeaseLoop } from "../database/lease-loop.ts";
import {
  type ClaimedDelivery,
  claimDelivery,
  DELIVERIES_CHANNEL,
  DeliveryTaken,
  markIgnored,
  type Postponement,
  postponeDelivery,
  renewDelivery,
} from "./store.ts";

/** How long what a dead process was handling waits for another. */
const LEASE_SECONDS = 15;
/** A handler that hangs gives its place up. */
const HANDLE_TIMEOUT_MS = 90_000;
const POLL_MS = 3_000;
const CONCURRENCY = 8;

/**
 * Handles one delivery: GitHub calls first, then one transaction that writes what follows and marks it handled.
 * Returns without marking where it has nothing to do for the event.
 */
export type HandleDelivery = (delivery: ClaimedDelivery, log: Logger) => Promise<void>;

export interface InboxOptions {
  connection: Connection;
  handle: HandleDelivery;
  log: Logger;
}

/** Hands stored deliveries to their handler: each at least once, its effects once. */
export function createInbox(options: InboxOptions): LeaseLoop<ClaimedDelivery> {
  return new LeaseLoop({
    ...options,
    channel: DELIVERIES_CHANNEL,
    concurrency: CONCURRENCY,
    pollMs: POLL_MS,
    leaseSeconds: LEASE_SECONDS,
    lease: () => claimDelivery(options.connection.db, { leaseSeconds: LEASE_SECONDS }),
    renew: (delivery) => renewDelivery(options.connection.db, delivery, { leaseSeconds: LEASE_SECONDS }),
    handle: (delivery) => settle(delivery, options),
  });
}

async function settle(
  delivery: ClaimedDelivery,
  { connection, handle, ...options }: InboxOptions,
): Promise<void> {
  const log = options.log.child({ delivery_id: delivery.guid, event: delivery.event });
  try {
    await inTime(handle(delivery, log));
    await markIgnored(connection.db, delivery.guid); // a no-op where the handler marked it
  } catch (error) {
    if (error instanceof DeliveryTaken) return;
    try {
      const state = await postponeDelivery(connection.db, delivery, describe(error));
      log.warn({ err: error, attempt: delivery.attempts, state }, "delivery not handled");
    } catch (err) {
      log.warn({ err }, "delivery could not be given back; its lease runs out instead");
    }
  }
}

function describe(error: unknown): Postponement {
  return {
    error: error instanceof Error ? error.message : String(error),
    retryAt: error instanceof DeliveryPostponed ? error.retryAt : null,
    costs:
      error instanceof DeliveryPostponed ? "nothing" : error instanceof PayloadUnusable ? "all" : "attempt",
  };
}

/** Rejects when `work` takes too long; what it may still write is refused once the delivery is settled. */
async function inTime(work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    const fail = () => reject(new Error("Handling the delivery took too long."));
    timer = setTimeout(fail, HANDLE_TIMEOUT_MS);
  });
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
    work.catch(() => {}); // late work may still reject
  }
}

/** A payload that does not say what it must: signed, and no use however often it is handled. */
export class PayloadUnusable extends Error {
  override readonly name = "PayloadUnusable";
  constructor(field: string) {
    super(
      `The payload's field ${field} is missing or not what GitHub documents: nothing can follow from it.`,
    );
  }
}

/** GitHub asks to wait, or is away: a delivery that needs it waits too, and loses no attempt. */
export class DeliveryPostponed extends Error {
  override readonly name = "DeliveryPostponed";
  /** When to come back; null: after the usual wait. */
  readonly retryAt: Date | null;

  constructor(message: string, { retryAt, cause }: { retryAt: Date | null; cause: unknown }) {
    super(message, { cause });
    this.retryAt = retryAt;
  }
}
