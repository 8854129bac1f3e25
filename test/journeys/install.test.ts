import { describe, expect, test } from "vitest";
import { SUSPENDED } from "../../src/scan/source.ts";
import { useDatabase } from "../support/database.ts";
import { createRepository } from "../support/git.ts";
import { type RunJson, startJourney } from "../support/journey.ts";
import { until } from "../support/wait.ts";

const database = useDatabase();

describe("an installation", () => {
  test("leads to an index that is the commit, and to a check run that says so", async () => {
    const journey = await startJourney(database);

    await journey.install();

    expect(await journey.expectTruth()).toEqual({ files: 4, texts: 3 });
    const head = await journey.git.head();
    expect(journey.simulator.checkRuns).toHaveLength(1);
    expect(journey.simulator.checkRuns[0]).toMatchObject({
      head_sha: head,
      status: "completed",
      conclusion: "success",
      output: { title: "3 files indexed" },
    });
    expect(journey.simulator.violations).toEqual([]);
  });

  test("finds all of its repositories, not only the first page of them", async () => {
    const journey = await startJourney(database, { simulator: { pageSizeMax: 3 } });
    const git = await createRepository({ bare: true, files: { a: "a" } });
    for (let i = 0; i < 6; i += 1) {
      journey.simulator.addRepository({
        installation_id: journey.installationId,
        git_dir: git.dir,
        name: `r${i}`,
      });
    }

    await journey.simulator.deliverInstallationCreated(journey.installationId);
    await journey.untilStatus("the first run", ({ last_finished }) => last_finished !== null, 60_000);
    await journey.untilStill(60_000);

    const { n } = await database.db
      .selectFrom("repositories")
      .select((eb) => eb.fn.countAll<string>().as("n"))
      .where("indexed_commit", "is not", null)
      .executeTakeFirstOrThrow();
    expect(n).toBe("7");
  }, 120_000);

  test("on a repository without commits is a success with nothing to index yet", async () => {
    const git = await createRepository({ bare: true });
    const journey = await startJourney(database, { git });

    await journey.install();

    const { last_finished: run } = await journey.status();
    expect(run).toMatchObject({
      state: "succeeded",
      head_sha: null,
      verified: null,
      progress: { files_total: 0 },
    });
    expect(journey.simulator.checkRuns).toEqual([]);
  });

  test("that ends hides everything at once, and cancels what waits or runs", async () => {
    const journey = await startJourney(database);
    await journey.install();
    journey.simulator.removeInstallation(journey.installationId);

    await journey.simulator.deliverInstallationDeleted(journey.installationId);
    await journey.untilStill();

    const list = await journey.get<{ data: unknown[] }>("/api/v1/repositories");
    expect(list.data).toEqual([]);
    await expect(journey.status()).rejects.toThrow("404");
  });

  test("loses and gains repositories", async () => {
    const journey = await startJourney(database);
    await journey.install();
    const { simulator, installationId, repositoryId: id, git } = journey;

    simulator.removeRepository(id);
    await simulator.deliverRepositoriesRemoved(installationId, [id]);
    await journey.untilStill();
    const gone = await journey.get<{ data: unknown[] }>("/api/v1/repositories");
    simulator.addRepository({ id, installation_id: installationId, git_dir: git.dir, name: "hello" });
    await simulator.deliverRepositoriesAdded(installationId, [id]);
    await journey.untilStill();
    const back = await journey.get<{ data: { running: RunJson | null }[] }>("/api/v1/repositories");

    expect(gone.data).toHaveLength(0);
    expect(back.data).toHaveLength(1);
    await journey.expectTruth();
  });

  test("keeps a repository that was removed and added again, whichever it hears of last", async () => {
    const journey = await startJourney(database);
    await journey.install();
    const { simulator, installationId, repositoryId } = journey;

    await simulator.deliverRepositoriesAdded(installationId, [repositoryId]);
    await journey.untilStill();
    await simulator.deliverRepositoriesRemoved(installationId, [repositoryId]);
    await journey.untilStill();

    const outcomes = await database.db.selectFrom("deliveries").select("outcome").execute();
    expect((await journey.get<{ data: unknown[] }>("/api/v1/repositories")).data).toHaveLength(1);
    expect(outcomes.map(({ outcome }) => outcome)).toContain(
      "0 of 1 removed repositories are gone: hidden, their runs cancelled.",
    );
  });

  test("hides what it is told was removed, even if GitHub will not say what is left", async () => {
    const journey = await startJourney(database);
    await journey.install();
    const { simulator, installationId, repositoryId } = journey;
    simulator.removeRepository(repositoryId);
    simulator.fault({ route: "/installation/repositories", status: 403, times: 10 });

    await simulator.deliverRepositoriesRemoved(installationId, [repositoryId]);
    await journey.untilStill();

    expect((await journey.get<{ data: unknown[] }>("/api/v1/repositories")).data).toEqual([]);
  });

  test("does not bring back what is removed while it is being listed", async () => {
    const journey = await startJourney(database);
    await journey.install();
    const { simulator, installationId, repositoryId } = journey;
    simulator.fault({ route: "/installation/repositories", delayMs: 1_500 });

    await simulator.deliverRepositoriesAdded(installationId, [repositoryId]);
    await until(
      () =>
        simulator.requests.some(
          ({ route, status }) => route === "/installation/repositories" && status === 0,
        ),
      {
        what: "the listing to begin",
      },
    );
    simulator.removeRepository(repositoryId);
    await simulator.deliverRepositoriesRemoved(installationId, [repositoryId]);
    await journey.untilStill();

    expect((await journey.get<{ data: unknown[] }>("/api/v1/repositories")).data).toEqual([]);
  });

  test("that is suspended in the middle of a scan is hidden and waits, and goes on when that ends", async () => {
    const journey = await startJourney(database);
    const { simulator, installationId } = journey;
    simulator.fault({
      route: "/repos/{owner}/{repo}/git/trees/{tree_sha}",
      meanwhile: async () => simulator.setSuspended(installationId, true),
      status: 403,
      body: { message: "This installation has been suspended" },
    });

    await simulator.deliverInstallationCreated(installationId);
    const waiting = await until(
      () =>
        database.db.selectFrom("runs").selectAll().where("wait_reason", "is not", null).executeTakeFirst(),
      { what: "the run to wait" },
    );
    const hidden = await journey.get<{ data: unknown[] }>("/api/v1/repositories");
    const rescan = await journey.post(`/api/v1/repositories/${journey.repositoryId}/rescan`);
    simulator.setSuspended(installationId, false);
    await simulator.deliver("installation", {
      action: "unsuspend",
      installation: { id: installationId, account: { id: 1, login: "octocat" } },
    });
    await journey.untilStill();

    expect(waiting).toMatchObject({ state: "queued", failures: 0, wait_reason: SUSPENDED });
    expect(hidden.data).toEqual([]);
    expect(rescan.status).toBe(422);
    expect(await rescan.json()).toMatchObject({ detail: expect.stringMatching(/suspended. Unsuspend it/) });
    expect((await journey.status()).last_finished).toMatchObject({ state: "succeeded", failures: 0 });
    await journey.expectTruth();
  });
});
