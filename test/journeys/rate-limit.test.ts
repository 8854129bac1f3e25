import { describe, expect, test } from "vitest";
import { useDatabase } from "../support/database.ts";
import { startJourney } from "../support/journey.ts";

const database = useDatabase();

describe("GitHub's rate limit", () => {
  test("makes a scan wait for the reset, says so, and costs it nothing", async () => {
    const journey = await startJourney(database);
    await journey.install();
    await journey.git.commit({ new: "1" });
    const reset = Math.ceil(Date.now() / 1000) + 4;
    journey.simulator.setBudget(journey.installationId, { limit: 5_000, remaining: 2, reset });

    await journey.simulator.deliverPush(journey.repositoryId, {});
    const waiting = await journey.untilStatus("the run to wait", ({ queued }) => queued?.wait_reason != null);
    await journey.untilStill();

    expect(waiting.queued?.wait_reason).toMatch(/^GitHub's rate limit is used up until \d\d:\d\d UTC\.$/);
    expect(waiting.queued?.failures).toBe(0);
    expect((await journey.status()).last_finished).toMatchObject({ state: "succeeded", failures: 0 });
    await journey.expectTruth();
    expect(journey.simulator.checkRuns.at(-1)?.conclusion).toBe("success");
  });

  test("of the second kind is waited for as long as GitHub says", async () => {
    const journey = await startJourney(database);
    journey.simulator.fault({
      route: "/repos/{owner}/{repo}/git/trees/{tree_sha}",
      status: 429,
      headers: { "retry-after": "3" },
      body: { message: "You have exceeded a secondary rate limit." },
    });
    const startedAt = Date.now();

    await journey.install();

    expect(Date.now() - startedAt).toBeGreaterThanOrEqual(3_000);
    const { last_finished } = await journey.status();
    expect(last_finished).toMatchObject({ state: "succeeded", failures: 0, epoch: 2 });
  });

  test("in the middle of a scan costs nothing that was read before it", async () => {
    const some = (content: string) =>
      Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`src/${i}.ts`, `${content} ${i}\n`]));
    const journey = await startJourney(database, {
      files: { ...some("const before ="), "large.txt": "0123456789\n".repeat(80_000) },
    });
    await journey.install();
    await journey.git.commit(some("const after ="));
    const asked = journey.simulator.requests.length;
    const reset = Math.ceil(Date.now() / 1000) + 4;
    journey.simulator.setBudget(journey.installationId, { limit: 5_000, remaining: 1, reset }, "graphql");

    await journey.simulator.deliverPush(journey.repositoryId, {});
    const waiting = await journey.untilStatus("the run to wait", ({ queued }) => queued?.wait_reason != null);
    await journey.untilStill();

    expect(waiting.queued).toMatchObject({ failures: 0, progress: { files_done: 101 } });
    const queries = journey.simulator.requests.slice(asked).filter(({ route }) => route === "/graphql");
    expect(queries.length).toBe(4); // 100 files, refused, 100 and 100
    expect((await journey.status()).last_finished).toMatchObject({ state: "succeeded", failures: 0 });
    await journey.expectTruth();
  });
});
