import { describe, expect, test } from "vitest";
import { transaction } from "../../src/database/connect.ts";
import { dueNow } from "../../src/database/schedule.ts";
import { useDatabase } from "../support/database.ts";
import { createRepository } from "../support/git.ts";
import { type Journey, startJourney } from "../support/journey.ts";
import { until } from "../support/wait.ts";

/** What nobody told us of is found out. */
const database = useDatabase();
const ON = { RECONCILE_SECONDS: "3600" };

/** Makes what comes back come back now, and waits until it was done. */
async function reconcile(...names: string[]): Promise<void> {
  for (const name of names) {
    const before = await readSchedule(name);
    await transaction(database.connection, ({ trx }) => dueNow(trx, name));
    await until(
      async () => {
        const now = await readSchedule(name);
        return now && now.attempts > (before?.attempts ?? 0) && now.lease_until === null;
      },
      { what: `schedule ${name}`, timeoutMs: 30_000 },
    );
  }
}

async function readSchedule(name: string) {
  return await database.db.selectFrom("schedules").selectAll().where("name", "=", name).executeTakeFirst();
}

const scheduleOf = ({ installationId }: Journey) => `installation/${installationId}`;

async function names(journey: Journey): Promise<string[]> {
  const { data } = await journey.get<{ data: { full_name: string }[] }>("/api/v1/repositories");
  return data.map(({ full_name }) => full_name).toSorted();
}

async function untilIndexed(journey: Journey): Promise<void> {
  const head = await journey.git.head();
  await until(
    async () => {
      const { data } = await journey.get<{ data: { id: string; indexed: { commit: string } | null }[] }>(
        "/api/v1/repositories",
      );
      return data.find(({ id }) => id === String(journey.repositoryId))?.indexed?.commit === head;
    },
    { what: `${head} to be indexed`, timeoutMs: 30_000 },
  );
}

describe("without a single webhook", () => {
  test("an installation is found at the start and indexed", async () => {
    const journey = await startJourney(database, { environment: ON });

    await untilIndexed(journey);
    await journey.untilStill();

    await journey.expectTruth();
    expect(journey.simulator.deliveries).toEqual([]);
  });

  test("a push is found by comparing heads, and asked for once", async () => {
    const journey = await startJourney(database, { environment: ON });
    await untilIndexed(journey);
    await journey.untilStill();
    await journey.git.commit({ new: "1\n" });

    await reconcile(scheduleOf(journey));
    await untilIndexed(journey);
    await journey.untilStill();
    await reconcile(scheduleOf(journey));

    const { data } = await journey.get<{ data: { trigger: string }[] }>(
      `/api/v1/repositories/${journey.repositoryId}/runs`,
    );
    expect(data.map(({ trigger }) => trigger)).toEqual(["schedule", "install"]);
    await journey.expectTruth();
  });

  test("a push to a configured branch is found, and a change of the configuration itself", async () => {
    const journey = await startJourney(database, {
      environment: ON,
      files: { ".github/repodex.yml": "branch: next\n", "a.txt": "a\n" },
    });
    const { git, repositoryId } = journey;
    const next = async (sha: string) => await git.git("update-ref", "refs/heads/next", sha);
    const indexed = async () => {
      const { data } = await journey.get<{ data: { id: string; indexed: { commit: string } | null }[] }>(
        "/api/v1/repositories",
      );
      return data.find(({ id }) => id === String(repositoryId))?.indexed?.commit;
    };
    const first = await git.head();
    await next(first);
    await until(async () => (await indexed()) === first, { what: "the first commit", timeoutMs: 30_000 });
    await journey.untilStill();

    const tree = await git.git("rev-parse", `${first}^{tree}`);
    const pushed = await git.git("commit-tree", tree, "-p", first, "-m", "next");
    await next(pushed);
    await reconcile(scheduleOf(journey));
    await until(async () => (await indexed()) === pushed, { what: "the configured branch's commit" });
    await journey.untilStill();

    const back = await git.commit({ ".github/repodex.yml": "branch: main\n" });
    await reconcile(scheduleOf(journey));
    await until(async () => (await indexed()) === back, { what: "the other branch's commit" });
  });

  test("renaming, hiding, adding, removing, suspending and uninstalling are found", async () => {
    const journey = await startJourney(database, { environment: ON });
    const { simulator, installationId, repositoryId, git, repository } = journey;
    await untilIndexed(journey);
    await journey.untilStill();
    const loss = simulator.loseDeliveries(() => true, { recorded: false });

    await simulator.renameRepository(repositoryId, "renamed");
    repository.private = false;
    const added = simulator.addRepository({
      installation_id: installationId,
      git_dir: git.dir,
      name: "second",
    });
    await reconcile(scheduleOf(journey));
    await journey.untilStill();
    expect(await names(journey)).toEqual(["octocat/renamed", "octocat/second"]);
    expect(await journey.get(`/api/v1/repositories/${repositoryId}`)).toMatchObject({ private: false });

    simulator.removeRepository(added.id);
    await reconcile(scheduleOf(journey));
    expect(await names(journey)).toEqual(["octocat/renamed"]);

    await simulator.suspendInstallation(installationId);
    await reconcile("installations");
    expect(await names(journey)).toEqual([]);

    await simulator.unsuspendInstallation(installationId);
    await reconcile("installations");
    expect(await names(journey)).toEqual(["octocat/renamed"]);

    simulator.removeInstallation(installationId);
    await reconcile("installations");
    expect(await names(journey)).toEqual([]);
    loss();
  });
});

/** Something happens, and is told, once the list is read and before it is used. */
async function whileListed(journey: Journey, route: string, does: () => Promise<unknown>): Promise<void> {
  journey.simulator.fault({
    route,
    meanwhileAfterBytes: 10, // by then the answer is made
    async meanwhile() {
      await does();
      await until(
        async () =>
          (await database.db.selectFrom("deliveries").where("state", "=", "pending").select("guid").execute())
            .length === 0,
        { what: "it to be handled" },
      );
    },
  });
}

describe("a list that was read before an event", () => {
  const LIST = "/installation/repositories";

  test("shows nothing that was made private since", async () => {
    const journey = await startJourney(database, { environment: ON });
    const { simulator, repositoryId } = journey;
    await untilIndexed(journey);
    await simulator.publicizeRepository(repositoryId);
    await journey.untilStill();
    await whileListed(journey, LIST, () => simulator.privatizeRepository(repositoryId));

    await reconcile(scheduleOf(journey));

    expect(await journey.get(`/api/v1/repositories/${repositoryId}`)).toMatchObject({ private: true });
  });

  test("shows nothing of an installation that was suspended since", async () => {
    const journey = await startJourney(database, { environment: ON });
    await untilIndexed(journey);
    await journey.untilStill();
    await whileListed(journey, "/app/installations", () =>
      journey.simulator.suspendInstallation(journey.installationId),
    );

    await reconcile("installations");

    expect(await names(journey)).toEqual([]);
  });

  test("takes nothing back that was transferred since", async () => {
    const journey = await startJourney(database, { environment: ON });
    const { simulator, repositoryId } = journey;
    await untilIndexed(journey);
    await journey.untilStill();
    const to = simulator.addInstallation({ account: "other-org" });
    await whileListed(journey, LIST, () => simulator.transferRepository(repositoryId, to));

    await reconcile(scheduleOf(journey));

    expect(await names(journey)).toEqual(["other-org/hello"]);
  });

  test("asks for no run of an installation that was removed since", async () => {
    const journey = await startJourney(database, { environment: ON });
    const { simulator, installationId, git } = journey;
    await untilIndexed(journey);
    await journey.untilStill();
    await git.commit({ new: "1\n" });
    await whileListed(journey, "/graphql", async () => {
      simulator.removeInstallation(installationId);
      await simulator.deliverInstallationDeleted(installationId);
    });

    await reconcile(scheduleOf(journey));

    expect(
      await database.db.selectFrom("runs").select("state").where("state", "=", "queued").execute(),
    ).toEqual([]);
    expect(await names(journey)).toEqual([]);
  });
});

describe("a suspension", () => {
  test("leaves no check run open once it has ended", async () => {
    const journey = await startJourney(database, { environment: ON });
    const { simulator, installationId, repositoryId } = journey;
    await untilIndexed(journey);
    await journey.untilStill();
    await journey.git.commit({ new: "1\n" });
    const head = await journey.git.head();
    const of = () => simulator.checkRuns.filter(({ head_sha }) => head_sha === head);
    const lift = simulator.fault({
      route: "/repos/{owner}/{repo}/check-runs/{check_run_id}",
      status: 502,
      times: 1_000,
    });
    simulator.fault({ route: "/repos/{owner}/{repo}/git/trees/{tree_sha}", delayMs: 1_000 });
    await simulator.deliverPush(repositoryId);
    await until(() => of().length > 0, { what: "the check run" });
    await untilIndexed(journey);
    await simulator.suspendInstallation(installationId);
    await until(async () => (await names(journey)).length === 0, { what: "it to be hidden" });
    lift();

    await simulator.unsuspendInstallation(installationId);
    await journey.untilStill();

    expect(of().map(({ status, conclusion }) => [status, conclusion])).toEqual([["completed", "success"]]);
  });
});

describe("a configured branch that is missing", () => {
  test("is looked at now and then, not at each comparing", async () => {
    const journey = await startJourney(database, {
      environment: ON,
      files: { ".github/repodex.yml": "branch: next\n", "a.txt": "a\n" },
    });
    await journey.git.git("branch", "next");
    await untilIndexed(journey);
    await journey.git.commit({ ".github/repodex.yml": "branch: nowhere\n" });
    await reconcile(scheduleOf(journey));
    await journey.untilStill();
    const before = await database.db.selectFrom("runs").select("id").execute();

    for (let time = 0; time < 3; time += 1) await reconcile(scheduleOf(journey));
    await journey.untilStill();

    expect(await database.db.selectFrom("runs").select("id").execute()).toEqual(before);
  });
});

describe("a repository whose head GitHub refuses to tell", () => {
  test("does not keep the others' from being compared", async () => {
    const journey = await startJourney(database, { environment: ON });
    await untilIndexed(journey);
    await journey.untilStill();
    await journey.git.commit({ new: "1\n" });
    journey.simulator.fault({
      route: "/graphql",
      mutate: (body) =>
        Buffer.from(
          JSON.stringify({
            ...JSON.parse(body.toString()),
            errors: [
              { type: "FORBIDDEN", path: ["r7"], message: "Although you appear to have the correct…" },
            ],
          }),
        ),
    });

    await reconcile(scheduleOf(journey));
    await untilIndexed(journey);
  });
});

describe("a partial list", () => {
  test("of repositories removes nothing, and is asked for again", async () => {
    const journey = await startJourney(database, {
      environment: ON,
      simulator: { pageSizeMax: 1 },
      started: false,
    });
    const { simulator, installationId } = journey;
    const git_dir = (await createRepository({ bare: true, files: { a: "a\n" } })).dir;
    simulator.addRepository({ installation_id: installationId, git_dir, name: "second" });
    await journey.start();
    await until(async () => (await names(journey)).length === 2, { what: "both repositories" });
    await journey.untilStill();
    // The second page is empty, and says that it is the last.
    simulator.fault({
      route: "/installation/repositories",
      match: ({ path }) => path.includes("page=2"),
      times: 10,
      mutate: (body) => Buffer.from(JSON.stringify({ ...JSON.parse(body.toString()), repositories: [] })),
      headers: { link: "" },
    });

    await reconcile(scheduleOf(journey));

    expect(await names(journey)).toHaveLength(2);
    expect(await readSchedule(scheduleOf(journey))).toMatchObject({
      error: "GitHub's list of the installation's repositories was not whole.",
      failures: 1,
    });
  });

  test("of installations uninstalls nothing that GitHub still knows", async () => {
    const journey = await startJourney(database, { environment: ON });
    await untilIndexed(journey);
    await journey.untilStill();
    journey.simulator.fault({ route: "/app/installations", mutate: () => Buffer.from("[]") });

    await reconcile("installations");

    expect(await names(journey)).toEqual(["octocat/hello"]);
    expect(await readSchedule("installations")).toMatchObject({ outcome: "0 installations, 0 gone." });
  });
});

describe("a delivery that never arrived", () => {
  test("is asked for again, and only that one", async () => {
    const journey = await startJourney(database, { environment: ON });
    const { simulator, repositoryId } = journey;
    await journey.install();
    const found = simulator.loseDeliveries(({ event }) => event === "issue_comment");
    const comment = simulator.addComment({ repository_id: repositoryId, issue_number: 1, body: "/rescan" });
    await simulator.deliverComment(comment).catch(() => {});
    found();
    const before = simulator.deliveries.length;

    await reconcile("redeliveries");
    await until(() => simulator.comments.some(({ user }) => user.type === "Bot"), { what: "the reply" });
    await journey.untilStill();
    await reconcile("redeliveries");

    expect(simulator.deliveries.slice(before).map(({ event, redelivery }) => [event, redelivery])).toEqual([
      ["issue_comment", true],
    ]);
  });

  test("and fails again is asked for a few times, not for ever", async () => {
    const journey = await startJourney(database, { environment: ON });
    const { simulator } = journey;
    await journey.install();
    simulator.loseDeliveries(() => true);
    await simulator.deliverPing().catch(() => {});
    const before = simulator.deliveries.length;

    await reconcile("redeliveries");
    await until(() => simulator.deliveries.length > before, { what: "the second attempt" });
    await reconcile("redeliveries");

    expect(simulator.deliveries.length).toBe(before + 1);
    expect(await database.db.selectFrom("redeliveries").select("times").execute()).toEqual([{ times: 1 }]);
  });

  test("and is older than three days is left alone", async () => {
    const journey = await startJourney(database, { environment: ON });
    const { simulator } = journey;
    await journey.install();
    simulator.loseDeliveries(() => true);
    await simulator.deliverPing().catch(() => {});
    const lost = simulator.deliveries.at(-1);
    if (lost) lost.delivered_at = new Date(Date.now() - 73 * 3_600_000);

    await reconcile("redeliveries");

    expect(simulator.deliveries.at(-1)).toBe(lost);
  });
});
