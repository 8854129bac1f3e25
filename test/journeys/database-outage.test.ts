import { describe, expect, test } from "vitest";
import { type Journey, startJourney } from "../support/journey.ts";
import { captureLog } from "../support/log.ts";
import { startOwnServer } from "../support/own-server.ts";
import { until } from "../support/wait.ts";

/** The database server itself goes away in the middle of a scan: the process lives, and the scan is taken up. */

const TREE = "/repos/{owner}/{repo}/git/trees/{tree_sha}";

async function expectEndedWell(journey: Journey): Promise<void> {
  await journey.expectTruth();
  const { last_finished } = await journey.status();
  expect(last_finished).toMatchObject({ state: "succeeded", head_sha: await journey.git.head() });
  expect(last_finished?.failures).toBeLessThanOrEqual(1);
  const head = await journey.git.head();
  const checks = journey.simulator.checkRuns.filter(({ head_sha }) => head_sha === head);
  expect(checks.map(({ conclusion }) => conclusion)).toEqual(["success"]);
}

describe("PostgreSQL", () => {
  test("that restarts at once in the middle of a scan costs at most an attempt", async () => {
    const server = await startOwnServer();
    const journey = await startJourney(server);
    await journey.install();
    await journey.git.commit({ "src/main.ts": "changed\n" });
    const restarted = Promise.withResolvers<void>();
    const restart = () => server.crash().then(() => server.restart());
    journey.simulator.fault({ route: TREE, meanwhile: () => restart().finally(restarted.resolve) });

    await journey.simulator.deliverPush(journey.repositoryId, {});
    await restarted.promise;
    await journey.untilStill();

    await expectEndedWell(journey);
  });

  test("that is away for longer than a lease loses nothing, and webhooks are told 503", async () => {
    const server = await startOwnServer();
    const { log, lines } = captureLog();
    const journey = await startJourney(server, { log });
    await journey.install();
    await journey.git.commit({ "src/main.ts": "changed\n" });
    const away = Promise.withResolvers<void>();
    journey.simulator.fault({ route: TREE, meanwhile: () => server.crash().finally(away.resolve) });
    await journey.simulator.deliverPush(journey.repositoryId, {});
    await away.promise;

    await journey.git.commit({ "src/main.ts": "changed again\n" });
    const during = await journey.simulator.deliverPush(journey.repositoryId, { guid: "during" });
    const health = await fetch(`${journey.url}/healthz`);
    const ready = await fetch(`${journey.url}/readyz`);
    const givenUp = (line: Record<string, unknown>) =>
      line.msg === "run could not be given back" && line.attempt === 5;
    await until(() => lines.some(givenUp), { what: "the run to be left to its lease", timeoutMs: 60_000 });
    await server.restart();
    const after = await journey.simulator.deliverPush(journey.repositoryId, { guid: "during" });
    await journey.untilStill();

    expect([during.status, health.status, ready.status, after.status]).toEqual([503, 200, 503, 202]);
    await expectEndedWell(journey);
  });
});
