import { sql } from "kysely";
import { describe, expect, onTestFinished, test } from "vitest";
import { LeaseLoop } from "../../src/database/lease-loop.ts";
import {
  type ClaimedDelivery,
  claimDelivery,
  DELIVERIES_CHANNEL,
  renewDelivery,
  storeDelivery,
} from "../../src/deliveries/store.ts";
import { createLogger } from "../../src/log.ts";
import { useDatabase } from "../support/database.ts";
import { until } from "../support/wait.ts";

const database = useDatabase();
const LEASE = { leaseSeconds: 1 };
const PING = { event: "ping", action: null, installation_id: null, repository_id: null, payload: "{}" };

/** A loop whose one delivery is worked on until the test ends or its signal says stop. */
async function startWork(renew = (delivery: ClaimedDelivery) => renewDelivery(database.db, delivery, LEASE)) {
  await storeDelivery(database.db, { ...PING, guid: "a" });
  const work = { signal: null as AbortSignal | null, beats: 0 };
  const ended = Promise.withResolvers<void>();
  const loop = new LeaseLoop<ClaimedDelivery>({
    ...LEASE,
    connection: database.connection,
    channel: DELIVERIES_CHANNEL,
    concurrency: 1,
    pollMs: 100,
    lease: () => claimDelivery(database.db, LEASE),
    async renew(delivery) {
      work.beats += 1;
      return await renew(delivery);
    },
    async handle(_delivery, signal) {
      work.signal ??= signal; // once it ends, the row may be taken again at once
      signal.addEventListener("abort", () => ended.resolve(), { once: true });
      await ended.promise;
    },
    log: createLogger("silent"),
  });
  loop.start();
  onTestFinished(async () => {
    ended.resolve();
    await loop.stop();
  });
  await until(() => work.signal, { what: "the work to begin" });
  return work;
}

describe("what a loop works on", () => {
  test("stays held for longer than a lease", async () => {
    const work = await startWork();

    await until(() => work.beats >= 6, { what: "two leases' beats" });

    expect(await claimDelivery(database.db, LEASE)).toBeNull();
    expect(work.signal?.aborted).toBe(false);
  });

  test("is told to stop when its row is somebody else's", async () => {
    const work = await startWork();

    await sql`update deliveries set attempts = attempts + 1`.execute(database.db);

    expect(await until(() => work.signal?.aborted, { what: "the end of the work" })).toBe(true);
  });

  test("is told to stop when the database has not confirmed the lease for its length", async () => {
    const work = await startWork(() => Promise.reject(new Error("The database is away.")));

    expect(await until(() => work.signal?.aborted, { what: "the end of the work" })).toBe(true);
    expect(work.beats).toBeGreaterThanOrEqual(3);
  });
});
