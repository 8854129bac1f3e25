import { sql } from "kysely";
import { describe, expect, test } from "vitest";
import {
  type ClaimedDelivery,
  claimDelivery,
  DeliveryTaken,
  markHandled,
  postponeDelivery,
  storeDelivery,
} from "../../src/deliveries/store.ts";
import { useDatabase } from "../support/database.ts";

const database = useDatabase();
const PING = {
  event: "ping",
  action: null,
  installation_id: null,
  repository_id: null,
  payload: '{"zen":"x"}',
};
const store = (guid: string) => storeDelivery(database.db, { ...PING, guid });
const claim = () => claimDelivery(database.db, { leaseSeconds: 60 });
const read = () => database.db.selectFrom("deliveries").selectAll().executeTakeFirstOrThrow();

async function failForGood(): Promise<void> {
  for (let attempt = 1; attempt <= 20; attempt += 1) {
    await sql`update deliveries set not_before = now()`.execute(database.db);
    await postponeDelivery(database.db, (await claim()) as ClaimedDelivery, {
      error: `failure ${attempt}\0`,
    });
  }
}

describe("the inbox", () => {
  test("gives a delivery to one of many who ask at once", async () => {
    await store("a");

    const claimed = await Promise.all(Array.from({ length: 6 }, claim));

    expect(claimed.filter((delivery) => delivery !== null)).toHaveLength(1);
  });

  test("gives it again once the lease of who had it is over", async () => {
    await store("a");
    await claim();
    const held = await claim();
    await sql`update deliveries set lease_until = now() - interval '1 second'`.execute(database.db);

    expect(held).toBeNull();
    expect(await claim()).toMatchObject({ guid: "a", attempts: 2 });
  });

  test("marks it handled once: whoever comes second writes nothing", async () => {
    await store("a");

    await markHandled(database.db, "a", "Done.");

    await expect(markHandled(database.db, "a", "Done again.")).rejects.toThrow(DeliveryTaken);
    expect(await read()).toMatchObject({ state: "handled", outcome: "Done.", payload: null });
  });

  test("keeps the reason of one that failed for good, and begins anew when it is redelivered", async () => {
    await store("a");
    await failForGood();
    const failed = await read();

    const revived = await store("a");

    expect(failed).toMatchObject({ state: "failed", error: "failure 20\uFFFD", payload: null });
    expect(revived).toBe(true);
    expect(await claim()).toMatchObject({ guid: "a", attempts: 1, payload: '{"zen":"x"}' });
  });

  test("gives up one that ends its process every time", async () => {
    await store("a");
    await sql`update deliveries set attempts = 20`.execute(database.db);

    expect(await claim()).toBeNull();
    expect(await read()).toMatchObject({
      state: "failed",
      error: "Handling it has ended the process again and again.",
    });
  });

  test("takes a replay of a handled delivery for what it is", async () => {
    await store("a");
    await markHandled(database.db, "a", "Done.");

    expect(await store("a")).toBe(false);
    expect(await claim()).toBeNull();
  });
});
