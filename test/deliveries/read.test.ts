import type { Insertable } from "kysely";
import { expect, test } from "vitest";
import type { Tables } from "../../src/database/schema.ts";
import {
  type DeliveryPosition,
  type DeliveryState,
  isDeliveryPosition,
  listDeliveries,
} from "../../src/deliveries/read.ts";
import { useDatabase } from "../support/database.ts";
import { request, seedRepository } from "../support/seed.ts";

const database = useDatabase();

async function seed(guid: string, delivery: Partial<Insertable<Tables["deliveries"]>> = {}) {
  const state = delivery.state ?? "handled";
  await database.db
    .insertInto("deliveries")
    .values({
      guid,
      event: "push",
      state,
      ...(state === "pending" && { payload: "{}" }),
      ...(state === "failed" && { error: "It broke." }),
      ...delivery,
    })
    .execute();
}

async function guidsOf(state: DeliveryState | null, limit = 100): Promise<string[]> {
  const guids: string[] = [];
  let after: DeliveryPosition | null = null;
  for (;;) {
    const page: Awaited<ReturnType<typeof listDeliveries>> = await listDeliveries(database.db, {
      state,
      after,
      limit,
    });
    guids.push(...page.map(({ guid }) => guid));
    const last = page.at(-1);
    if (!last) return guids;
    after = JSON.parse(JSON.stringify(last.position)) as DeliveryPosition;
    expect(isDeliveryPosition(after)).toBe(true);
  }
}

test("deliveries are listed newest first, each once from page to page, also those of one moment", async () => {
  const at = (second: number) => new Date(Date.UTC(2026, 0, 1, 0, 0, second));
  for (const guid of ["a", "b", "c"]) await seed(guid, { received_at: at(5) });
  await seed("newest", { received_at: at(9) });
  await seed("oldest", { received_at: at(1) });
  await seed("now"); // with microseconds, which a Date would lose
  await seed("now too");

  expect(await guidsOf(null, 1)).toEqual(["now too", "now", "newest", "c", "b", "a", "oldest"]);
  expect(await guidsOf(null, 2)).toEqual(await guidsOf(null));
});

test("the list can be narrowed to a state", async () => {
  await seed("pending", { state: "pending" });
  await seed("handled");
  await seed("failed", { state: "failed" });

  expect(await guidsOf("pending")).toEqual(["pending"]);
  expect(await guidsOf("handled")).toEqual(["handled"]);
  expect(await guidsOf("failed")).toEqual(["failed"]);
});

test("a delivery tells its repository's name and the runs that it asked for", async () => {
  await seedRepository(database.db);
  await seed("known", { repository_id: "100", installation_id: "1", outcome: "A scan was queued." });
  await seed("unknown", { repository_id: "999", action: "created", event: "issue_comment" });
  const { run_id } = await request(database.connection, { delivery_guid: "known" });
  await database.db.updateTable("repositories").set({ removed_at: new Date() }).execute();

  const [unknown, known] = await listDeliveries(database.db, { state: null, after: null, limit: 10 });

  expect(known).toMatchObject({
    repository: "account-1/repository-100",
    repository_removed: true,
    run_ids: [run_id],
    outcome: "A scan was queued.",
    error: null,
  });
  expect(unknown).toMatchObject({
    event: "issue_comment",
    action: "created",
    repository: null,
    repository_removed: false,
    run_ids: [],
  });
  expect(known).not.toHaveProperty("payload");
});

test("only what the list gives is a place in it", () => {
  const position = { guid: "a", received_at: "2026-01-02T03:04:05.678901Z" };

  expect(isDeliveryPosition(position)).toBe(true);
  for (const broken of [null, "a", {}, { ...position, guid: "\0" }, { ...position, received_at: "now" }])
    expect(isDeliveryPosition(broken)).toBe(false);
  expect(isDeliveryPosition({ ...position, received_at: "2026-99-02T03:04:05.678901Z" })).toBe(false);
});
