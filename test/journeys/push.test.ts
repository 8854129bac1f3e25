import { describe, expect, test } from "vitest";
import { useDatabase } from "../support/database.ts";
import { startJourney } from "../support/journey.ts";
import { until } from "../support/wait.ts";

const database = useDatabase();

describe("a push", () => {
  test("of changed files makes the index the new commit, and reports it there", async () => {
    const journey = await startJourney(database);
    await journey.install();
    const before = await journey.git.head();
    const after = await journey.git.commit({
      "src/main.ts": "export const answer = 43;\n",
      "README.md": null,
      new: "n",
    });

    await journey.simulator.deliverPush(journey.repositoryId, { before });
    await journey.untilStill();

    await journey.expectTruth();
    const { last_finished } = await journey.status();
    expect(last_finished).toMatchObject({
      state: "succeeded",
      trigger: "push",
      head_sha: after,
      progress: { files_changed: 2, files_removed: 1 },
    });
    const check = journey.simulator.checkRuns.find((candidate) => candidate.head_sha === after);
    expect(check?.conclusion).toBe("success");
    expect(check?.details_url).toBe(`${journey.url}/runs/${last_finished?.id}`);
    expect(journey.simulator.violations).toEqual([]);
  });

  test("to another branch, or of a tag, is recorded and nothing more", async () => {
    const journey = await startJourney(database);
    await journey.install();
    await journey.git.git("branch", "other");

    await journey.simulator.deliverPush(journey.repositoryId, { ref: "refs/heads/other" });
    await journey.simulator.deliverPush(journey.repositoryId, {
      ref: "refs/tags/v1",
      after: await journey.git.head(),
    });
    await journey.untilStill();

    const { data } = await journey.get<{ data: unknown[] }>(
      `/api/v1/repositories/${journey.repositoryId}/runs`,
    );
    expect(data).toHaveLength(1);
  });

  test("that changes nothing but the commit reads no file again", async () => {
    const journey = await startJourney(database);
    await journey.install();
    await journey.git.git("update-ref", "refs/heads/main", await emptyCommit(journey.git));
    const asked = journey.simulator.requests.length;

    await journey.simulator.deliverPush(journey.repositoryId, {});
    await journey.untilStill();

    await journey.expectTruth();
    const routes = journey.simulator.requests.slice(asked).map(({ route }) => route);
    expect(routes).not.toContain("/graphql");
    expect(routes).not.toContain("/repos/{owner}/{repo}/tarball/{ref}");
  });

  test("whose ref lags its webhook waits for it to show", async () => {
    const journey = await startJourney(database);
    await journey.install();
    const before = await journey.git.head();
    const after = await journey.git.commit({ late: "1" });
    const stale = (body: Buffer) => Buffer.from(body.toString().replaceAll(after, before));
    journey.simulator.fault({ route: "/repos/{owner}/{repo}/git/ref/{ref}", mutate: stale, times: 1 });

    await journey.simulator.deliverPush(journey.repositoryId, { before, after });
    await journey.untilStill();

    await journey.expectTruth();
    expect((await journey.status()).last_finished?.head_sha).toBe(after);
  });

  test("whose ref lags by one of two commits is followed to the second", async () => {
    const journey = await startJourney(database);
    await journey.install();
    const first = await journey.git.commit({ a: "1" });
    const second = await journey.git.commit({ a: "2" });
    const stale = (body: Buffer) => Buffer.from(body.toString().replaceAll(second, first));
    journey.simulator.fault({ route: "/repos/{owner}/{repo}/git/ref/{ref}", mutate: stale, times: 1 });

    await journey.simulator.deliverPush(journey.repositoryId, { before: first, after: second });
    await journey.untilStill();

    await journey.expectTruth();
    expect((await journey.status()).last_finished).toMatchObject({ head_sha: second, failures: 0 });
    expect(journey.simulator.checkRuns.find(({ head_sha }) => head_sha === second)?.conclusion).toBe(
      "success",
    );
  });

  test("that replaces the head of a running scan closes the old head's check and follows it", async () => {
    const journey = await startJourney(database);
    await journey.install();
    const first = await journey.git.commit({ a: "1" });
    const lift = journey.simulator.fault({ route: "/repos/{owner}/{repo}/git/trees/{tree_sha}", hang: true });
    await journey.simulator.deliverPush(journey.repositoryId, { after: first });
    await until(() => journey.simulator.checkRuns.some((check) => check.head_sha === first), {
      what: "its check run",
    });

    const second = await journey.git.commit({ a: "2" });
    await journey.simulator.deliverPush(journey.repositoryId, { before: first, after: second });
    lift();
    const status = await journey.untilStatus("a follow-up", ({ queued }) => queued !== null);

    expect(status.running?.head_sha).toBe(first);
    const cancelled = await journey.post(`/api/v1/runs/${status.running?.id}/cancel`);
    expect(cancelled.status).toBe(202);
    await journey.untilStill();
    await journey.expectTruth();
    const conclusions = journey.simulator.checkRuns.map(({ head_sha, conclusion }) => [head_sha, conclusion]);
    expect(conclusions).toContainEqual([first, "cancelled"]);
    expect(conclusions).toContainEqual([second, "success"]);
  });

  test("with force, over a commit that is being read, is read from its new head at no cost", async () => {
    const journey = await startJourney(database);
    await journey.install();
    const doomed = await journey.git.commit({ doomed: "1" });
    journey.simulator.fault({
      route: "/repos/{owner}/{repo}/git/trees/{tree_sha}",
      times: 1,
      status: 404,
      body: { message: "Not Found" },
      delayMs: 2_000,
    });
    await journey.simulator.deliverPush(journey.repositoryId, { after: doomed });
    await journey.untilStatus("the scan of it", ({ running }) => running?.head_sha === doomed);

    await journey.git.git("update-ref", "refs/heads/main", `${doomed}^`);
    const kept = await journey.git.commit({ kept: "1" });
    await journey.untilStill();

    await journey.expectTruth();
    expect((await journey.status()).last_finished).toMatchObject({ head_sha: kept, failures: 0 });
    expect(journey.simulator.checkRuns.find(({ head_sha }) => head_sha === doomed)?.conclusion).toBe(
      "skipped",
    );
  });
});

async function emptyCommit(git: { git(...args: string[]): Promise<string> }): Promise<string> {
  return await git.git("commit-tree", "HEAD^{tree}", "-p", "HEAD", "-m", "nothing changed");
}
