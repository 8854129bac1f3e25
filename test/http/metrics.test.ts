import { expect, test } from "vitest";
import { useDatabase } from "../support/database.ts";
import { startJourney } from "../support/journey.ts";
import { api } from "../support/repodex.ts";
import { claim, request, seedRepository, seedUser } from "../support/seed.ts";
import { signInAccess } from "../support/sign-in.ts";
import { until } from "../support/wait.ts";
import { expectProblem, serve } from "./server.ts";

const database = useDatabase();

/** The samples by name and labels. */
async function readMetrics(server: { url: string }): Promise<Map<string, number>> {
  const answer = await api(server, "/metrics");
  expect([answer.status, answer.headers.get("content-type")]).toEqual([
    200,
    "text/plain; version=0.0.4; charset=utf-8",
  ]);
  const samples = (await answer.text()).split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(
    samples.map((line) => {
      const space = line.lastIndexOf(" ");
      return [line.slice(0, space), Number(line.slice(space + 1))];
    }),
  );
}

test("metrics tell of runs, deliveries, GitHub's budget and this process after a real scan", async () => {
  const journey = await startJourney(database);
  await journey.install();
  const swept = await until(
    async () => {
      const metrics = await readMetrics(journey);
      return (metrics.get("repodex_sweep_age_seconds") ?? 99) < 5 ? metrics : null;
    },
    { what: "a sweep" },
  );

  expect(swept.get('repodex_runs{state="succeeded"}')).toBe(1);
  expect(swept.get('repodex_runs{state="failed"}')).toBe(0);
  expect(swept.get("repodex_inbox_deliveries")).toBe(0);
  expect(swept.get('repodex_scan_seconds{quantile="0.95"}')).toBeGreaterThan(0);
  expect(swept.get('repodex_claim_seconds{quantile="0.5"}')).toBeLessThan(30);
  expect(swept.get("repodex_scan_bytes")).toBeGreaterThan(0);
  const budget = `repodex_github_budget_remaining{installation_id="${journey.installationId}",resource="core"}`;
  expect(swept.get(budget)).toBeLessThan(5_000);
  expect(swept.get('repodex_webhook_seconds_count{status="202"}')).toBeGreaterThan(0);
  expect(swept.get("process_resident_memory_bytes")).toBeGreaterThan(1e7);
  expect(swept.get('repodex_event_loop_delay_seconds{quantile="0.99"}')).toBeGreaterThan(0);
});

test("metrics tell how long a run has been due and a delivery been waiting", async () => {
  await seedRepository(database.db);
  const server = await serve(database);
  const { run_id } = await request(database.connection);
  const anHourAgo = new Date(Date.now() - 3_600_000);
  const delivery = { guid: "a", event: "push", payload: "{}", received_at: anHourAgo };
  await database.db
    .updateTable("runs")
    .set({ queued_at: anHourAgo, not_before: anHourAgo })
    .where("id", "=", run_id)
    .execute();
  await database.db.insertInto("deliveries").values(delivery).execute();

  const metrics = await readMetrics(server);

  expect(metrics.get('repodex_runs{state="queued"}')).toBe(1);
  expect(metrics.get("repodex_oldest_due_run_seconds")).toBeGreaterThan(3_599);
  expect(metrics.get("repodex_inbox_deliveries")).toBe(1);
  expect(metrics.get("repodex_inbox_oldest_seconds")).toBeGreaterThan(3_599);
  expect(metrics.get('repodex_scan_seconds{quantile="0.5"}')).toBeNaN();
});

test.each([
  ["its installation waits for GitHub", { paused_until: new Date(Date.now() + 600_000) }],
  ["its installation is suspended", { suspended_at: new Date() }],
])("a run is not due while %s", async (_, installation) => {
  await seedRepository(database.db);
  await request(database.connection);
  const server = await serve(database);
  await database.db
    .updateTable("runs")
    .set({ queued_at: new Date(0), not_before: new Date(0) })
    .execute();
  const before = await readMetrics(server);

  await database.db.updateTable("installations").set(installation).execute();

  expect(before.get("repodex_oldest_due_run_seconds")).toBeGreaterThan(1e9);
  expect((await readMetrics(server)).get("repodex_oldest_due_run_seconds")).toBe(0);
});

test("a run is not due while the one before it in its repository runs", async () => {
  await seedRepository(database.db);
  await request(database.connection);
  await claim(database.connection);
  await request(database.connection);
  await database.db
    .updateTable("runs")
    .set({ queued_at: new Date(0), not_before: new Date(0) })
    .where("state", "=", "queued")
    .execute();
  const server = await serve(database);

  expect((await readMetrics(server)).get("repodex_oldest_due_run_seconds")).toBe(0);
});

test("metrics are the operator's alone", async () => {
  const ofViewers = await serve(database, { access: signInAccess(database, { operators: ["hubot"] }) });
  const ofOperator = await serve(database);
  const viewer = await seedUser(database.db);
  const operator = await seedUser(database.db, { id: "2", login: "Hubot" });
  const asked = (token: string) =>
    fetch(`${ofViewers.url}/metrics`, { headers: { authorization: `Bearer ${token}` } });

  await expectProblem(await asked(viewer.token), 404);
  expect((await asked(operator.token)).status).toBe(200);
  expect((await api(ofViewers, "/metrics")).status, "with the operator's own token").toBe(200);
  await expectProblem(await fetch(`${ofOperator.url}/metrics`), 401);
});
