import { describe, expect, test } from "vitest";
import type { Fault } from "../simulator/faults.ts";
import { useDatabase } from "../support/database.ts";
import { type Journey, startJourney } from "../support/journey.ts";
import { until } from "../support/wait.ts";

/** What an owner may do to a repository at any moment of its scan. */
const database = useDatabase();

const REF = "/repos/{owner}/{repo}/git/ref/{ref}";
const COMMIT = "/repos/{owner}/{repo}/git/commits/{commit_sha}";
const TREE = "/repos/{owner}/{repo}/git/trees/{tree_sha}";
const TARBALL = "/repos/{owner}/{repo}/tarball/{ref}";
const ENOUGH_FOR_AN_ARCHIVE = 40;

/** Moments of a scan, each between two of its steps. */
const MOMENTS: Fault[] = [
  { route: REF },
  { route: COMMIT },
  { route: TREE },
  { route: TARBALL },
  { route: "tarball", meanwhileAfterBytes: 20_000 },
];

/** Files that do not compress, so that an archive of them is sent in pieces; `n` is part of every one. */
function files(n: number): Record<string, string> {
  const text = (i: number) => {
    let state = n * 1_000 + i + 1;
    return Array.from({ length: 400 }, () => {
      state = Math.imul(state, 0x9e3779b1) ^ (state >>> 15);
      return (state >>> 0).toString(36);
    }).join("\n");
  };
  return Object.fromEntries(
    Array.from({ length: ENOUGH_FOR_AN_ARCHIVE }, (_, i) => [`src/file-${i}.txt`, text(i)]),
  );
}

/** Replaces everything by a commit without parents; what was before is gone from the host at once. */
async function forcePush({ git, simulator, repositoryId }: Journey, n: number): Promise<string> {
  const before = await git.head();
  await git.git("update-ref", "-d", "refs/heads/main");
  const after = await git.commit(files(n), `Rewritten ${n}`);
  await git.git("prune", "--expire=now");
  await simulator.deliverPush(repositoryId, { before, after, forced: true });
  return after;
}

/** One check run per head that got one, by head: its conclusions. */
function conclusionsByHead({ simulator }: Journey): Record<string, (string | null)[]> {
  const byHead: Record<string, (string | null)[]> = {};
  for (const { head_sha, conclusion } of simulator.checkRuns) {
    byHead[head_sha] = [...(byHead[head_sha] ?? []), conclusion];
  }
  return byHead;
}

async function runs({ repositoryId }: Journey) {
  return await database.db
    .selectFrom("runs")
    .select(["id", "state", "failures", "reason", "head_sha"])
    .where("repository_id", "=", String(repositoryId))
    .orderBy("id")
    .execute();
}

/** Does something at every one of the moments, in as many scans as that takes; answers how often it did. */
function atEveryMoment({ simulator }: Journey, act: (nth: number) => Promise<unknown>): { times: number } {
  const done = { times: 0 };
  for (const moment of MOMENTS) {
    simulator.fault({
      ...moment,
      async meanwhile() {
        done.times += 1;
        await act(done.times);
      },
    });
  }
  return done;
}

async function successOn({ simulator }: Journey, head: string) {
  return simulator.checkRuns.find(
    ({ head_sha, conclusion }) => head_sha === head && conclusion === "success",
  );
}

async function expectNothingFailed(journey: Journey): Promise<void> {
  const all = await runs(journey);
  // A run may meet lost access before the delivery that tells of it cancels the run.
  const failed = all.filter(
    ({ failures, state }) => state === "failed" || (failures > 0 && state !== "cancelled"),
  );
  expect(failed).toEqual([]);
  const { checkRuns, violations } = journey.simulator;
  await until(() => checkRuns.every(({ status }) => status === "completed"), {
    what: "no check run to be left open",
  });
  expect(violations).toEqual([]);
}

describe("at every moment of a scan", () => {
  test("a force push leads to the newest head, at no cost", async () => {
    const journey = await startJourney(database, { files: files(1) });
    const pushed = atEveryMoment(journey, (nth) => forcePush(journey, 1 + nth));

    await journey.simulator.deliverInstallationCreated(journey.installationId);
    const newest = await until(
      async () =>
        pushed.times === MOMENTS.length ? await successOn(journey, await journey.git.head()) : null,
      { what: "the check run on the newest head", timeoutMs: 30_000 },
    );

    await journey.expectTruth();
    await expectNothingFailed(journey);
    const onNewest = conclusionsByHead(journey)[newest.head_sha] ?? [];
    expect(onNewest.filter((conclusion) => conclusion !== "skipped")).toEqual(["success"]);
  });

  test("another default branch leads to that branch's head", async () => {
    const journey = await startJourney(database, { files: files(1) });
    const { git, simulator, repositoryId } = journey;
    const changed = atEveryMoment(journey, async (nth) => {
      await git.git("update-ref", "refs/heads/main", await git.git("rev-parse", "HEAD"));
      const next = await git.commit({ branch: `${nth}` });
      await git.git("update-ref", `refs/heads/branch-${nth}`, next);
      await git.git("symbolic-ref", "HEAD", `refs/heads/branch-${nth}`);
      await simulator.deliver("repository", {
        action: "edited",
        changes: { default_branch: { from: "main" } },
        ...simulator.origin(repositoryId),
      });
    });

    await journey.install();

    expect(changed.times).toBe(MOMENTS.length);
    await journey.expectTruth();
    await expectNothingFailed(journey);
    const branch = `branch-${MOMENTS.length}`;
    expect(await indexed(journey)).toEqual({ commit: await git.head(), branch });
    expect(conclusionsByHead(journey)[await git.head()]).toContain("success");
  });

  test("a rename changes nothing but the name", async () => {
    const journey = await startJourney(database, { files: files(1) });
    const { simulator, repository } = journey;
    const renamed = atEveryMoment(journey, async (nth) => {
      const from = repository.name;
      repository.name = `renamed-${nth}`;
      await simulator.deliver("repository", {
        action: "renamed",
        changes: { repository: { name: { from } } },
        ...simulator.origin(repository.id),
      });
    });

    await journey.install();

    expect(renamed.times).toBe(MOMENTS.length);
    await journey.expectTruth();
    await expectNothingFailed(journey);
    const full_name = `octocat/renamed-${MOMENTS.length}`;
    expect(await journey.get(`/api/v1/repositories/${repository.id}`)).toMatchObject({ full_name });
    expect(simulator.checkRuns.map(({ conclusion }) => conclusion)).toEqual(["success"]);
  });

  test("a transfer leads to an index by the new owner's installation", async () => {
    const journey = await startJourney(database, { files: files(1) });
    const { simulator, repository } = journey;
    const other = simulator.addInstallation({ account: "octo-org" });
    const owners = [
      { owner: "octo-org", installation_id: other },
      { owner: "octocat", installation_id: journey.installationId },
    ];
    const transferred = atEveryMoment(journey, async (nth) => {
      const before = repository.installation_id;
      Object.assign(repository, owners[(nth - 1) % 2]);
      await simulator.deliverRepositoriesRemoved(before, [repository.id]);
      await simulator.deliverRepositoriesAdded(repository.installation_id, [repository.id]);
    });

    await journey.install();

    expect(transferred.times).toBe(MOMENTS.length);
    await journey.expectTruth();
    await expectNothingFailed(journey);
    expect(await journey.get(`/api/v1/repositories/${repository.id}`)).toMatchObject({
      full_name: "octo-org/hello",
      installation_id: String(other),
    });
    expect(simulator.checkRuns.map(({ conclusion }) => conclusion)).toContain("success");
  });
});

test("a force push while changed files are read shows none of the old ones as unreadable", async () => {
  const journey = await startJourney(database, { files: files(1) });
  await journey.install();
  const doomed = await journey.git.commit({ "src/file-1.txt": "doomed\n" });
  journey.simulator.fault({ route: "/graphql", meanwhile: () => forcePush(journey, 2) });

  await journey.simulator.deliverPush(journey.repositoryId, { after: doomed });
  await journey.untilStill();

  await journey.expectTruth();
  await expectNothingFailed(journey);
  // GitHub may have lost the commit before a check run could be made on it.
  expect(conclusionsByHead(journey)[doomed] ?? ["skipped"]).toEqual(["skipped"]);
  expect(conclusionsByHead(journey)[await journey.git.head()]).toEqual(["success"]);
});

test("the default branch may be deleted in the middle of a scan, and another take its place", async () => {
  const journey = await startJourney(database, { files: files(1) });
  const { git, simulator, repositoryId } = journey;
  const old = await git.head();
  simulator.fault({
    route: TREE,
    async meanwhile() {
      await git.git("update-ref", "-d", "refs/heads/main");
      await git.git("update-ref", "refs/heads/other", old);
      await simulator.deliverPush(repositoryId, { ref: "refs/heads/main", before: old, deleted: true });
    },
  });
  await journey.install();
  const indexedAtDeletion = await indexed(journey);

  await journey.post(`/api/v1/repositories/${repositoryId}/rescan`);
  const waiting = await journey.untilStatus("the rescan to say what it waits for", ({ queued }) =>
    Boolean(queued?.wait_reason),
  );
  const trunk = await git.git("commit-tree", `${old}^{tree}`, "-m", "Trunk");
  await git.git("update-ref", "refs/heads/trunk", trunk);
  await git.git("symbolic-ref", "HEAD", "refs/heads/trunk");
  await simulator.deliver("repository", {
    action: "edited",
    changes: { default_branch: { from: "main" } },
    ...simulator.origin(repositoryId),
  });
  await journey.untilStill();

  expect(indexedAtDeletion).toEqual({ commit: old, branch: "main" });
  expect(waiting.queued?.wait_reason).toBe("GitHub shows no branch main, which it calls the default.");
  await journey.expectTruth();
  expect(await indexed(journey)).toEqual({ commit: trunk, branch: "trunk" });
  expect(conclusionsByHead(journey)[trunk]).toEqual(["success"]);
  expect(simulator.violations).toEqual([]);
});

async function indexed({ repositoryId }: Journey) {
  return await database.db
    .selectFrom("repositories")
    .select(["indexed_commit as commit", "indexed_branch as branch"])
    .where("id", "=", String(repositoryId))
    .executeTakeFirstOrThrow();
}
