import { describe, expect, test } from "vitest";
import { useDatabase } from "../support/database.ts";
import { startJourney } from "../support/journey.ts";
import { until } from "../support/wait.ts";

const database = useDatabase();

describe("a check run", () => {
  test("is run again at a press of Re-run, and of its own buttons", async () => {
    const journey = await startJourney(database);
    await journey.install();
    const check = journey.simulator.checkRuns[0];
    expect(check).toBeDefined();
    const id = check?.id ?? 0;

    await journey.simulator.deliverCheckRunRerequested(id);
    await journey.untilStill();
    const afterRerun = (await journey.status()).last_finished;
    await journey.simulator.deliverCheckRunRequestedAction(id, "rescan_full");
    await journey.untilStill();
    const afterFull = (await journey.status()).last_finished;

    expect(afterRerun).toMatchObject({ trigger: "rerun", mode: "incremental", state: "succeeded" });
    expect(afterFull).toMatchObject({ trigger: "rerun", mode: "full", state: "succeeded" });
    expect(journey.simulator.checkRuns.map(({ conclusion }) => conclusion)).toEqual([
      "success",
      "success",
      "success",
    ]);
    await journey.expectTruth();
  });

  test("is not run again by somebody who may only read", async () => {
    const journey = await startJourney(database);
    await journey.install();
    const id = journey.simulator.checkRuns[0]?.id ?? 0;

    await journey.simulator.deliverCheckRunRequestedAction(id, "rescan", { login: "stranger" });
    await journey.untilStill();

    expect(journey.simulator.checkRuns).toHaveLength(1);
  });

  test("is created once, even if GitHub's first answer was lost", async () => {
    const journey = await startJourney(database);
    journey.simulator.fault({ route: "/repos/{owner}/{repo}/check-runs", method: "POST", cutAfterBytes: 10 });

    await journey.install();

    expect(journey.simulator.checkRuns).toHaveLength(1);
    expect(journey.simulator.checkRuns[0]?.conclusion).toBe("success");
  });

  test("is completed after GitHub refused it for a while, and delays no run meanwhile", async () => {
    const journey = await startJourney(database);
    journey.simulator.fault({
      route: "/repos/{owner}/{repo}/check-runs",
      method: "POST",
      status: 502,
      body: {},
      times: 4,
    });
    await journey.simulator.deliverInstallationCreated(journey.installationId);

    const { last_finished } = await journey.untilStatus(
      "the run to end",
      (status) => status.last_finished !== null,
    );
    const meanwhile = journey.simulator.checkRuns.length;
    await journey.untilStill(40_000);

    expect(last_finished?.state).toBe("succeeded");
    expect(meanwhile).toBe(0);
    expect(journey.simulator.checkRuns[0]?.conclusion).toBe("success");
  });

  test("is given up where GitHub takes no writes, and the run succeeds all the same", async () => {
    const journey = await startJourney(database);
    journey.simulator.fault({
      route: "/repos/{owner}/{repo}/check-runs",
      method: "POST",
      status: 403,
      body: { message: "Resource not accessible by integration" },
    });

    await journey.install();

    const report = await database.db.selectFrom("check_reports").selectAll().executeTakeFirstOrThrow();
    expect(report.state).toBe("unreachable");
    expect(report.error).toMatch(/permissions of app\.yml/);
    await journey.expectTruth();
  });

  test("of files that cannot be read is neutral, with the reason on each of them", async () => {
    const journey = await startJourney(database, {
      files: { "good.txt": "good", "bad.txt": Buffer.from([0x61, 0xff, 0xfe, 0xfd, 0x81, 0x62]) },
    });

    await journey.install();

    const check = journey.simulator.checkRuns[0];
    expect(check).toMatchObject({ conclusion: "neutral", output: { title: "1 of 2 files indexed" } });
    expect(check?.output.annotations).toMatchObject([{ path: "bad.txt", annotation_level: "warning" }]);
    await journey.expectTruth();
  });

  test("shows progress while a scan runs", async () => {
    const journey = await startJourney(database);
    await journey.install();
    journey.simulator.fault({ route: "/repos/{owner}/{repo}/git/trees/{tree_sha}", delayMs: 8_000 });
    const head = await journey.git.commit({ new: "1" });

    await journey.simulator.deliverPush(journey.repositoryId, {});
    await until(
      () =>
        journey.simulator.checkRuns.some(
          ({ head_sha, status }) => head_sha === head && status === "in_progress",
        ),
      {
        what: "a check in progress",
        timeoutMs: 30_000,
      },
    );
    await journey.untilStill();

    const history = journey.simulator.checkRuns.find(({ head_sha }) => head_sha === head)?.history ?? [];
    expect(history.map(({ status }) => status)).toContain("in_progress");
    expect(history.at(-1)).toMatchObject({ status: "completed", conclusion: "success" });
  });
});
