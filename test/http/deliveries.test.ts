import { expect, test } from "vitest";
import { useDatabase } from "../support/database.ts";
import { request, seedRepository, seedUser } from "../support/seed.ts";
import { signInAccess } from "../support/sign-in.ts";
import { seedDelivery } from "./seed.ts";
import { cursorOf, expectProblem, serve, TIME } from "./server.ts";

const database = useDatabase();

interface DeliveryJson {
  guid: string;
  state: string;
}

test("operators read what came and what it led to, and never what was in it", async () => {
  await seedRepository(database.db);
  const server = await serve(database);
  await seedDelivery(database.db, "first", {
    repository_id: "100",
    installation_id: "1",
    outcome: "A scan was queued.",
  });
  const { run_id } = await request(database.connection, { delivery_guid: "first" });
  await seedDelivery(database.db, "second", { state: "pending", payload: '"a secret"', attempts: 0 });

  const { data } = await server.get<{ data: DeliveryJson[] }>("/api/v1/deliveries");

  expect(data.map(({ guid }) => guid)).toEqual(["second", "first"]);
  expect(data[1]).toEqual({
    guid: "first",
    event: "push",
    action: null,
    installation_id: "1",
    repository_id: "100",
    repository: "account-1/repository-100",
    repository_removed: false,
    state: "handled",
    received_at: expect.stringMatching(TIME),
    handled_at: null,
    attempts: 1,
    waits: 0,
    not_before: expect.stringMatching(TIME),
    outcome: "A scan was queued.",
    error: null,
    run_ids: [run_id],
  });
  expect(JSON.stringify(data)).not.toContain("secret");
});

test("the list of deliveries is paged without a gap or a double, also within one state", async () => {
  const server = await serve(database);
  const received_at = new Date(); // the same for all: guids decide
  for (let i = 0; i < 7; i += 1) await seedDelivery(database.db, `handled-${i}`, { received_at });
  for (let i = 0; i < 5; i += 1)
    await seedDelivery(database.db, `failed-${i}`, { received_at, state: "failed", error: "Broken." });

  const all = await server.readPages<DeliveryJson>("/api/v1/deliveries", 5);
  const failed = await server.readPages<DeliveryJson>("/api/v1/deliveries?state=failed", 2);

  expect(all.map(({ guid }) => guid)).toEqual(
    [...all].map(({ guid }) => guid).toSorted((a, b) => (a < b ? 1 : -1)),
  );
  expect(all).toHaveLength(12);
  expect(failed.map(({ guid }) => guid)).toEqual(["4", "3", "2", "1", "0"].map((digit) => `failed-${digit}`));
});

test.each([
  "state=lost",
  "limit=0",
  `cursor=${cursorOf("100")}`,
  `cursor=${cursorOf({ guid: "x", received_at: "2026-99-99T00:00:00.000000Z" })}`,
  `cursor=${cursorOf({ guid: "\0", received_at: "2026-01-01T00:00:00.000000Z" })}`,
])("a request for deliveries with %s is a bad one", async (query) => {
  const server = await serve(database);
  await expectProblem(await server.ask(`/api/v1/deliveries?${query}`), 400);
});

test("to those who are no operators the list of deliveries is not there, whatever they ask of it", async () => {
  const server = await serve(database, { access: signInAccess(database) });
  server.token = (await seedUser(database.db)).token;

  const answers = await Promise.all(
    ["", "?limit=0"].map((query) => server.ask(`/api/v1/deliveries${query}`)),
  );

  for (const answer of answers) await expectProblem(answer, 404);
});
