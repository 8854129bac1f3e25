import { sql } from "kysely";
import { describe, expect, onTestFinished, test } from "vitest";
import { startAppProcess } from "../support/app-process.ts";
import { useDatabase } from "../support/database.ts";
import { type Journey, type RunJson, startJourney } from "../support/journey.ts";
import { API_TOKEN, api } from "../support/repodex.ts";
import { until } from "../support/wait.ts";

/** The outage that Repodex was born from: a scan died, its lock stayed, and every later rescan got 409 Conflict. */
const database = useDatabase();

const TREES = "/repos/{owner}/{repo}/git/trees/{tree_sha}";

interface Accepted {
  run_id: string;
  outcome: string;
  run: RunJson;
}

async function rescan(journey: Journey): Promise<Accepted> {
  const response = await journey.post(`/api/v1/repositories/${journey.repositoryId}/rescan`, {
    mode: "incremental",
  });
  expect(response.status).toBe(202);
  const accepted = (await response.json()) as Accepted;
  expect(response.headers.get("location")).toBe(`/api/v1/runs/${accepted.run_id}`);
  expect(accepted.run.id).toBe(accepted.run_id);
  return accepted;
}

const readRun = (journey: Journey, id: string) => journey.get<RunJson>(`/api/v1/runs/${id}`);

describe("the outage", () => {
  test("cannot come from a worker that dies right after its claim", async () => {
    const journey = await startJourney(database, { started: false, environment: { LEASE_SECONDS: "5" } });
    const { simulator } = journey;
    const lift = simulator.fault({
      route: "/repos/{owner}/{repo}",
      hang: true,
      times: Number.POSITIVE_INFINITY,
    });
    const doomed = await startAppProcess({
      ...simulator.environment,
      RECONCILE_SECONDS: "0",
      HOST: "127.0.0.1",
      PORT: "0",
      API_TOKEN,
      DATABASE_URL: database.url,
      LEASE_SECONDS: "5",
    });
    onTestFinished(() => doomed.stop());
    simulator.webhookUrl = `${doomed.url}/api/github/webhooks`;
    await simulator.deliverInstallationCreated(journey.installationId);
    await until(
      async () => (await database.db.selectFrom("runs").select("state").execute())[0]?.state === "running",
      {
        what: "the claim",
      },
    );
    doomed.child.kill("SIGKILL");
    lift();
    await journey.start();

    const asked = await rescan(journey);
    const status = await journey.status();
    await journey.untilStill(30_000);

    expect(asked.outcome).toBe("follow_up");
    expect(status.running).toMatchObject({ id: "1", state: "running" });
    expect(status.queued).toMatchObject({ id: asked.run_id, state: "queued", position: 1 });
    expect(await readRun(journey, "1")).toMatchObject({ state: "superseded", failures: 1 });
    expect(await readRun(journey, asked.run_id)).toMatchObject({ state: "succeeded" });
    await journey.expectTruth();
    expect(simulator.checkRuns.map(({ conclusion }) => conclusion)).toEqual(["success"]);
  });

  test("cannot come from a worker that hangs with its heart beating", async () => {
    const journey = await startJourney(database, { environment: { STALL_SECONDS: "3" } });
    await journey.install();
    journey.simulator.fault({ route: TREES, hang: true });
    const head = await journey.git.commit({ new: "1" });
    await journey.simulator.deliverPush(journey.repositoryId, {});
    const hanging = await journey.untilStatus("the push's scan", ({ running }) => running?.head_sha === head);

    const asked = await rescan(journey);
    const status = await journey.status();
    await journey.untilStill(30_000);

    expect(asked.outcome).toBe("follow_up");
    expect(status.running?.id).toBe(hanging.running?.id);
    expect(status.queued?.id).toBe(asked.run_id);
    const { data } = await journey.get<{ data: { message: string }[] }>(
      `/api/v1/runs/${hanging.running?.id}/log`,
    );
    expect(data.map(({ message }) => message).join("\n")).toContain("The scan did not move for 3 seconds.");
    expect(await readRun(journey, asked.run_id)).toMatchObject({ state: "succeeded", head_sha: head });
    await journey.expectTruth();
    const conclusions = journey.simulator.checkRuns
      .filter((check) => check.head_sha === head)
      .map((c) => c.conclusion);
    expect(conclusions.toSorted()).toEqual(["skipped", "success"]);
  });

  test("cannot come from a worker whose first write fails, again and again", async () => {
    const journey = await startJourney(database);
    await journey.install();
    const head = await journey.git.head();
    await sql`create function refuse() returns trigger language plpgsql as
      $$ begin raise exception 'no space left on device'; end $$`.execute(database.db);
    await sql`create trigger refuse before update on runs for each row
      when (new.stage = 'listing files') execute function refuse()`.execute(database.db);

    const asked = await rescan(journey);
    const failed = await until(
      async () => {
        const run = await readRun(journey, asked.run_id);
        if (run.state === "failed") return run;
        if (run.state === "queued" && run.wait_reason) {
          expect((await journey.status()).queued).toMatchObject({
            id: asked.run_id,
            wait_reason: run.wait_reason,
          });
          expect(await rescan(journey)).toMatchObject({ run_id: asked.run_id, outcome: "joined" });
        }
        return null;
      },
      { what: "the run to fail" },
    );
    await journey.untilStill();

    const reason = "The database refused a statement: no space left on device";
    expect(failed).toMatchObject({ reason, reason_code: "database_error", failures: 5 });
    expect((await journey.status()).last_finished).toMatchObject({
      id: asked.run_id,
      state: "failed",
      reason,
    });
    const { data } = await journey.get<{ data: { error: { code: string; message: string } | null }[] }>(
      `/api/v1/runs/${asked.run_id}/log?limit=1000`,
    );
    expect(data.at(-1)?.error).toMatchObject({ code: "database_error", message: reason });
    const page = await (await api(journey, `/runs/${asked.run_id}`)).text();
    expect(page).toContain(reason);
    const check = journey.simulator.checkRuns.find((candidate) => candidate.external_id === asked.run_id);
    expect(check).toMatchObject({ head_sha: head, conclusion: "failure", output: { title: reason } });

    await sql`drop trigger refuse on runs`.execute(database.db);
    await sql`drop function refuse`.execute(database.db);
    const next = await rescan(journey);
    await journey.untilStill();

    expect(next.outcome).toBe("queued");
    expect(await readRun(journey, next.run_id)).toMatchObject({ state: "succeeded", failures: 0 });
    await journey.expectTruth();
  });
});
