import { describe, expect, test } from "vitest";
import type { Fault } from "../simulator/faults.ts";
import { useDatabase } from "../support/database.ts";
import { type Journey, startJourney } from "../support/journey.ts";
import { until } from "../support/wait.ts";

/** Access that ends, and comes back, in the middle of a scan. */
const database = useDatabase();

/** While the tree is listed nothing is stored yet; while the archive streams some of it may be. */
const MOMENTS: Record<string, Fault> = {
  "while the tree is listed": { route: "/repos/{owner}/{repo}/git/trees/{tree_sha}" },
  "while the archive streams": { route: "tarball", meanwhileAfterBytes: 100_000 },
};

function files(): Record<string, Buffer> {
  const content = (i: number) =>
    Buffer.from(crypto.getRandomValues(new Uint8Array(16_000 + i))).toString("hex");
  return Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`file-${i}.txt`, Buffer.from(content(i))]));
}

/** Starts a scan and lets something happen in its middle; answers once that has. */
async function scanAnd(journey: Journey, moment: Fault | undefined, meanwhile: () => Promise<unknown>) {
  const happened = Promise.withResolvers<void>();
  journey.simulator.fault({ ...moment, meanwhile: () => meanwhile().finally(happened.resolve) });
  await journey.simulator.deliverInstallationCreated(journey.installationId);
  await happened.promise;
}

async function runs() {
  return await database.db
    .selectFrom("runs")
    .select(["id", "state", "finished_at", "cancel_requested_at"])
    .orderBy("id")
    .execute();
}

async function untilCancelAsked(): Promise<void> {
  await until(async () => (await runs()).some((run) => run.cancel_requested_at !== null), {
    what: "the run to be told",
  });
}

async function removeRepository({ simulator, installationId, repositoryId }: Journey): Promise<void> {
  simulator.removeRepository(repositoryId);
  await simulator.deliverRepositoriesRemoved(installationId, [repositoryId]);
}

async function removeApp({ simulator, installationId }: Journey): Promise<void> {
  simulator.removeInstallation(installationId);
  await simulator.deliverInstallationDeleted(installationId);
}

/** GitHub gives the installation another id, the repository keeps its own. */
async function installAgain({ simulator, git, repositoryId }: Journey): Promise<void> {
  const installation_id = simulator.addInstallation({ account: "octocat" });
  simulator.addRepository({ installation_id, git_dir: git.dir, name: "hello", id: repositoryId });
  await simulator.deliverInstallationCreated(installation_id);
}

/** Nothing shows, and what was under way wrote nothing once its run had ended. */
async function expectGone(journey: Journey): Promise<void> {
  expect((await journey.get<{ data: unknown[] }>("/api/v1/repositories")).data).toEqual([]);
  await expect(journey.status()).rejects.toThrow("404");
  expect(await database.db.selectFrom("files").select("path").execute()).toEqual([]);
  const [run] = await runs();
  const events = await database.db.selectFrom("run_events").selectAll().orderBy("seq").execute();
  expect(events.at(-1)).toMatchObject({ kind: "run.completed", message: "Cancelled." });
  expect(run).toMatchObject({ state: "cancelled" });
}

describe("removing the repository from the installation", () => {
  test.for(Object.keys(MOMENTS))("%s cancels the run, and nothing shows", async (when) => {
    const journey = await startJourney(database, { files: files() });

    await scanAnd(journey, MOMENTS[when], async () => {
      await removeRepository(journey);
      await untilCancelAsked();
    });
    await journey.untilStill();

    await expectGone(journey);
    expect(journey.simulator.violations).toEqual([]);
  });

  test("and adding it again in the middle of a scan leads to a true index, by one run after the other", async () => {
    const journey = await startJourney(database, { files: files() });
    const { simulator, git, installationId, repositoryId } = journey;

    await scanAnd(journey, MOMENTS["while the archive streams"], async () => {
      await removeRepository(journey);
      await untilCancelAsked();
      simulator.addRepository({
        installation_id: installationId,
        git_dir: git.dir,
        name: "hello",
        id: repositoryId,
      });
      await simulator.deliverRepositoriesAdded(installationId, [repositoryId]);
    });
    await journey.untilStill();

    await journey.expectTruth();
    expect((await runs()).map(({ state }) => state)).toEqual(["cancelled", "succeeded"]);
  });
});

describe("uninstalling the App", () => {
  test("in the middle of a scan cancels the run, and nothing shows", async () => {
    const journey = await startJourney(database, { files: files() });

    await scanAnd(journey, MOMENTS["while the archive streams"], async () => {
      await removeApp(journey);
      await untilCancelAsked();
    });
    await journey.untilStill();

    await expectGone(journey);
  });

  test.for(Object.keys(MOMENTS))(
    "and installing it again at once, %s, ends in a true index",
    async (when) => {
      const journey = await startJourney(database, { files: files() });

      await scanAnd(journey, MOMENTS[when], async () => {
        await removeApp(journey);
        await installAgain(journey);
      });
      await journey.untilStill();

      await journey.expectTruth();
      const states = (await runs()).map(({ state }) => state);
      expect(states.at(-1)).toBe("succeeded");
      expect(states).not.toContain("failed");
      expect(journey.simulator.checkRuns.map(({ conclusion }) => conclusion)).toContain("success");
    },
  );

  test("and installing it again after the run was cancelled indexes anew", async () => {
    const journey = await startJourney(database, { files: files() });
    await scanAnd(journey, MOMENTS["while the archive streams"], async () => {
      await removeApp(journey);
      await untilCancelAsked();
    });
    await journey.untilStill();

    await installAgain(journey);
    await journey.untilStatus("the new run", ({ last_finished }) => last_finished?.state === "succeeded");
    await journey.untilStill();

    await journey.expectTruth();
    expect((await runs()).map(({ state }) => state)).toEqual(["cancelled", "succeeded"]);
  });
});
