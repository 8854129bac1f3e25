import { sql } from "kysely";
import { describe, expect, test } from "vitest";
import { useDatabase } from "../support/database.ts";
import { type Journey, startJourney } from "../support/journey.ts";
import { createRandom } from "../support/random.ts";
import { until } from "../support/wait.ts";

/** Every row of the table of events, each told twice; then many of them in any order. */
const database = useDatabase();
const ZERO = "0".repeat(40);

/** Installed and indexed once, whatever GitHub has been told of it. */
async function startIndexed(environment: Record<string, string> = {}): Promise<Journey> {
  const journey = await startJourney(database, { environment });
  await journey.simulator.deliverInstallationCreated(journey.installationId);
  await untilRuns([["install", "succeeded"]]);
  await untilSettled();
  return journey;
}

async function runs(): Promise<[trigger: string, state: string][]> {
  const rows = await database.db.selectFrom("runs").select(["trigger", "state"]).orderBy("id").execute();
  return rows.map(({ trigger, state }) => [trigger, state]);
}

async function untilRuns(expected: [string, string][]): Promise<void> {
  await until(async () => JSON.stringify(await runs()) === JSON.stringify(expected), {
    what: `runs ${JSON.stringify(expected)}`,
    timeoutMs: 30_000,
  });
}

async function untilSettled(): Promise<void> {
  await until(
    async () =>
      (
        await sql`select from deliveries where state = 'pending'
          union all select from runs where state in ('queued', 'running')`.execute(database.db)
      ).rows.length === 0,
    { what: "deliveries and runs to be settled", timeoutMs: 30_000 },
  );
}

/** A repository as everyone sees it, or null where it is hidden. */
async function shown(journey: Journey): Promise<Record<string, unknown> | null> {
  const { data } = await journey.get<{ data: Record<string, unknown>[] }>("/api/v1/repositories");
  return data.find(({ id }) => id === String(journey.repositoryId)) ?? null;
}

/** Sends once more what was delivered last, under new GUIDs: handling twice must do no more than once. */
async function deliverAgain({ simulator }: Journey, since: number): Promise<void> {
  for (const { event, request } of simulator.deliveries.slice(since)) {
    await simulator.deliver(event, JSON.parse(request.body.toString()));
    await untilSettled();
  }
}

interface Row {
  event: string;
  does: (journey: Journey) => Promise<unknown>;
  /** The runs beside the first one; told twice. */
  runs?: [string, string][];
  shows: (repository: Record<string, unknown> | null, journey: Journey) => unknown;
}

const isShown: Row["shows"] = (repository) => expect(repository).not.toBeNull();
const isHidden: Row["shows"] = (repository) => expect(repository).toBeNull();
const changes = (journey: Journey) => journey.git.commit({ new: "1\n" });

const ROWS: Row[] = [
  {
    event: "installation.created of what is installed asks for another look",
    does: ({ simulator, installationId }) => simulator.deliverInstallationCreated(installationId),
    runs: [
      ["install", "succeeded"],
      ["install", "succeeded"],
    ],
    shows: isShown,
  },
  {
    event: "installation.deleted hides",
    async does({ simulator, installationId }) {
      simulator.removeInstallation(installationId);
      await simulator.deliverInstallationDeleted(installationId);
    },
    shows: isHidden,
  },
  {
    event: "installation.suspend hides",
    does: ({ simulator, installationId }) => simulator.suspendInstallation(installationId),
    shows: isHidden,
  },
  {
    event: "installation.unsuspend shows again",
    async does({ simulator, installationId }) {
      await simulator.suspendInstallation(installationId);
      await untilSettled();
      await simulator.unsuspendInstallation(installationId);
    },
    shows: isShown,
  },
  {
    event: "installation.new_permissions_accepted leaves what went well alone",
    does: ({ simulator, installationId }) => simulator.acceptPermissions(installationId),
    shows: isShown,
  },
  {
    event: "installation_repositories.removed hides",
    async does({ simulator, installationId, repositoryId }) {
      simulator.removeRepository(repositoryId);
      await simulator.deliverRepositoriesRemoved(installationId, [repositoryId]);
    },
    shows: isHidden,
  },
  {
    event: "installation_repositories.added shows again",
    async does({ simulator, installationId, repositoryId, git }) {
      simulator.removeRepository(repositoryId);
      await simulator.deliverRepositoriesRemoved(installationId, [repositoryId]);
      await untilSettled();
      const git_dir = git.dir;
      simulator.addRepository({ installation_id: installationId, git_dir, name: "hello", id: repositoryId });
      await simulator.deliverRepositoriesAdded(installationId, [repositoryId]);
      await until(async () => (await runs()).length === 2, { what: "its run" });
    },
    runs: [
      ["install", "succeeded"],
      ["install", "succeeded"],
    ],
    shows: isShown,
  },
  {
    event: "installation_target.renamed renames the owner",
    does: ({ simulator, installationId }) => simulator.renameAccount(installationId, "new-octocat"),
    shows: (repository) => expect(repository).toMatchObject({ full_name: "new-octocat/hello" }),
  },
  {
    event: "push to the indexed branch is indexed",
    async does(journey) {
      await changes(journey);
      await journey.simulator.deliverPush(journey.repositoryId);
    },
    runs: [
      ["push", "succeeded"],
      ["push", "succeeded"],
    ],
    shows: async (repository, { git }) =>
      expect(repository).toMatchObject({ indexed: { commit: await git.head() } }),
  },
  {
    event: "push, forced, is indexed like any other",
    async does(journey) {
      await changes(journey);
      await journey.simulator.deliverPush(journey.repositoryId, { forced: true, before: "f".repeat(40) });
    },
    runs: [
      ["push", "succeeded"],
      ["push", "succeeded"],
    ],
    shows: async (repository, { git }) =>
      expect(repository).toMatchObject({ indexed: { commit: await git.head() } }),
  },
  {
    event: "push of another branch leads to nothing",
    does: async ({ simulator, repositoryId, git }) =>
      simulator.deliverPush(repositoryId, { ref: "refs/heads/topic", after: await git.head(), before: ZERO }),
    shows: isShown,
  },
  {
    event: "push of a tag leads to nothing",
    does: async ({ simulator, repositoryId, git }) =>
      simulator.deliverPush(repositoryId, { ref: "refs/tags/v1", after: await git.head(), before: ZERO }),
    shows: isShown,
  },
  {
    event: "repository.renamed renames",
    does: ({ simulator, repositoryId }) => simulator.renameRepository(repositoryId, "goodbye"),
    shows: (repository) => expect(repository).toMatchObject({ full_name: "octocat/goodbye" }),
  },
  {
    event: "repository.transferred moves the index to the new owner",
    async does({ simulator, repositoryId }) {
      const to = simulator.addInstallation({ account: "other-org" });
      await simulator.transferRepository(repositoryId, to);
      await until(async () => (await runs()).length === 2, { what: "its run" });
    },
    runs: [
      ["install", "succeeded"],
      ["install", "succeeded"],
    ],
    shows: (repository, { installationId }) => {
      expect(repository).toMatchObject({ full_name: "other-org/hello" });
      expect(repository?.installation_id).not.toBe(String(installationId));
    },
  },
  {
    event: "repository.deleted hides",
    does: ({ simulator, repositoryId }) => simulator.deleteRepository(repositoryId),
    shows: isHidden,
  },
  {
    event: "repository.archived keeps the index and asks for nothing",
    does: ({ simulator, repositoryId }) => simulator.archiveRepository(repositoryId),
    shows: (repository) =>
      expect(repository).toMatchObject({ archived: true, indexed: expect.objectContaining({}) }),
  },
  {
    event: "repository.unarchived looks at it again",
    async does({ simulator, repositoryId }) {
      await simulator.archiveRepository(repositoryId);
      await untilSettled();
      await simulator.unarchiveRepository(repositoryId);
    },
    runs: [
      ["schedule", "succeeded"], // told of its archiving again, it is looked at too: it is archived no more
      ["schedule", "succeeded"],
      ["schedule", "succeeded"],
    ],
    shows: (repository) => expect(repository).toMatchObject({ archived: false }),
  },
  {
    event: "repository.publicized and public show it to everyone",
    does: ({ simulator, repositoryId }) => simulator.publicizeRepository(repositoryId),
    shows: (repository) => expect(repository).toMatchObject({ private: false }),
  },
  {
    event: "repository.privatized takes that back",
    async does({ simulator, repositoryId }) {
      await simulator.publicizeRepository(repositoryId);
      await untilSettled();
      await simulator.privatizeRepository(repositoryId);
    },
    shows: (repository) => expect(repository).toMatchObject({ private: true }),
  },
  {
    event: "repository.edited (default_branch) indexes the new one",
    async does({ simulator, repositoryId, git }) {
      await git.git("branch", "next");
      await simulator.changeDefaultBranch(repositoryId, "next");
    },
    runs: [
      ["push", "succeeded"],
      ["push", "succeeded"],
    ],
    shows: (repository) => expect(repository).toMatchObject({ default_branch: "next" }),
  },
  {
    event: "check_suite.rerequested runs again, and says so on its commit",
    does: async ({ simulator, repositoryId, git }) =>
      simulator.deliverCheckSuite(repositoryId, "rerequested", { head_sha: await git.head() }),
    runs: [
      ["rerun", "succeeded"],
      ["rerun", "succeeded"],
    ],
    shows: isShown,
  },
  {
    event: "check_suite.requested leads to nothing beyond the push",
    does: async ({ simulator, repositoryId, git }) =>
      simulator.deliverCheckSuite(repositoryId, "requested", { head_sha: await git.head() }),
    shows: isShown,
  },
  {
    event: "check_suite.completed leads to nothing",
    does: async ({ simulator, repositoryId, git }) =>
      simulator.deliverCheckSuite(repositoryId, "completed", { head_sha: await git.head() }),
    shows: isShown,
  },
  {
    event: "ping leads to nothing",
    does: ({ simulator }) => simulator.deliverPing(),
    shows: isShown,
  },
  {
    event: "an event that nobody knows leads to nothing",
    does: ({ simulator, repositoryId }) =>
      simulator.deliver("star_gazing", { action: "begun", ...simulator.origin(repositoryId) }),
    shows: isShown,
  },
];

describe("the event", () => {
  test.for(ROWS)("$event, also when it is told twice", async (row) => {
    const journey = await startIndexed();
    const since = journey.simulator.deliveries.length;

    await row.does(journey);
    await untilSettled();
    await row.shows(await shown(journey), journey);
    await deliverAgain(journey, since);
    await untilSettled();

    await row.shows(await shown(journey), journey);
    expect((await runs()).slice(1)).toEqual(row.runs ?? []);
    const failed = await database.db
      .selectFrom("deliveries")
      .where("state", "=", "failed")
      .selectAll()
      .execute();
    expect(failed).toEqual([]);
    expect(journey.simulator.violations).toEqual([]);
  });

  test.for(["created", "completed"] as const)(
    "check_run.%s of our own check leads to nothing",
    async (action) => {
      const journey = await startIndexed();
      await journey.untilStill();
      const check = journey.simulator.checkRuns[0];
      expect(check).toBeDefined();

      await journey.simulator.deliverCheckRun(check?.id ?? 0, action);
      await untilSettled();

      expect(await runs()).toHaveLength(1);
    },
  );
});

describe("events in any order", () => {
  test("end in what GitHub shows", async () => {
    const seed = Number(process.env.SEED ?? Date.now() % 1_000_000);
    const random = createRandom(seed);
    console.log(`SEED=${seed}`);
    const journey = await startIndexed();
    const { simulator, repositoryId, git } = journey;
    await git.git("branch", "next");
    const since = simulator.deliveries.length;
    const found = simulator.loseDeliveries(() => true);
    await simulator.renameRepository(repositoryId, "second");
    await simulator.privatizeRepository(repositoryId);
    await simulator.archiveRepository(repositoryId);
    await simulator.changeDefaultBranch(repositoryId, "next");
    await simulator.publicizeRepository(repositoryId);
    await simulator.renameRepository(repositoryId, "third");
    await simulator.unarchiveRepository(repositoryId);
    await simulator.privatizeRepository(repositoryId);
    found();
    const lost = simulator.deliveries.slice(since);

    const shuffled = lost
      .map((attempt) => ({ attempt, at: random.below(1_000_000) }))
      .toSorted((a, b) => a.at - b.at);
    for (const { attempt } of shuffled) await simulator.redeliver(attempt);
    await untilSettled();

    expect(await shown(journey)).toMatchObject({
      full_name: "octocat/third",
      private: true,
      archived: false,
      default_branch: "next",
    });
  });

  test("a list that was read before a removal adds nothing back", async () => {
    const journey = await startIndexed();
    const { simulator, installationId, repositoryId } = journey;
    simulator.fault({
      route: "/installation/repositories",
      meanwhileAfterBytes: 10, // by then the answer is made
      async meanwhile() {
        simulator.removeRepository(repositoryId);
        await simulator.deliverRepositoriesRemoved(installationId, [repositoryId]);
        await until(async () => (await shown(journey)) === null, { what: "it to be hidden" });
      },
    });

    await simulator.deliverInstallationCreated(installationId);
    await untilSettled();

    expect(await shown(journey)).toBeNull();
    expect(await runs()).toEqual([["install", "succeeded"]]);
  });

  test("a push from before a new name does not bring the old one back", async () => {
    const journey = await startIndexed();
    const { simulator, repositoryId, git } = journey;
    const found = simulator.loseDeliveries(() => true);
    const topic = { ref: "refs/heads/topic", after: await git.head(), before: ZERO };
    await simulator.deliverPush(repositoryId, topic).catch(() => {});
    found();
    const late = simulator.deliveries.at(-1);
    await simulator.renameRepository(repositoryId, "renamed");
    await untilSettled();

    if (late) await simulator.redeliver(late);
    await untilSettled();

    expect(await shown(journey)).toMatchObject({ name: "renamed" });
  });

  test("a push from before does not show what was made private since", async () => {
    const journey = await startIndexed();
    const { simulator, repositoryId } = journey;
    await simulator.publicizeRepository(repositoryId);
    await untilSettled();
    const found = simulator.loseDeliveries(() => true);
    await simulator.deliverPush(repositoryId).catch(() => {});
    found();
    const late = simulator.deliveries.at(-1);
    await simulator.privatizeRepository(repositoryId);
    await untilSettled();
    // Nobody may be asked what is true now: the event alone must not do it.
    simulator.fault({ route: "/repos/{owner}/{repo}", status: 502, times: 100 });

    if (late) await simulator.redeliver(late);
    await until(async () => (await runs()).length === 2, { what: "the push's run" });

    expect(await shown(journey)).toMatchObject({ private: true });
  });

  test("what is made private is hidden even while GitHub answers nothing", async () => {
    const journey = await startIndexed();
    const { simulator, repositoryId } = journey;
    await simulator.publicizeRepository(repositoryId);
    await untilSettled();
    simulator.fault({ route: "/repos/{owner}/{repo}", status: 502, times: 100 });

    await simulator.privatizeRepository(repositoryId);

    const hidden = await until(async () => (await shown(journey))?.private === true, {
      what: "it to be private",
    });
    expect(hidden).toBe(true);
  });
});
