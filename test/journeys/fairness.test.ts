import { sql } from "kysely";
import { expect, test } from "vitest";
import { useDatabase } from "../support/database.ts";
import { createRepository } from "../support/git.ts";
import { startJourney } from "../support/journey.ts";
import { until } from "../support/wait.ts";

/**
 * An organization of 3,000 repositories is being installed, each scan of it takes for ever, and somebody else pushes.
 */
const database = useDatabase();
const REPOSITORIES = 3_000;
const PUSHES = 15;
const SLOTS = 4;

test("3,000 runs of one installation, and all their slots busy, hold up nobody else's push", async () => {
  const journey = await startJourney(database, { environment: { RUN_SLOTS: String(SLOTS) } });
  const { simulator, repositoryId, git } = journey;
  await journey.install();
  const large = simulator.addInstallation({ account: "large-org" });
  const { dir } = await createRepository({ bare: true, files: { a: "a\n" } });
  for (let n = 1; n <= REPOSITORIES; n += 1)
    simulator.addRepository({
      installation_id: large,
      git_dir: dir,
      name: `large-${n}`,
      id: 900_000_000 + n,
    });
  simulator.fault({
    route: "/repos/{owner}/{repo}",
    match: ({ path }) => path.startsWith("/repos/large-org/"),
    times: Number.POSITIVE_INFINITY,
    hang: true,
  });
  const installedAt = performance.now();
  await simulator.deliverInstallationCreated(large);
  const holds = async () =>
    (
      await sql<{ n: number }>`
        select count(*)::int as n from runs where installation_id = ${large} and state = 'running'`.execute(
        database.db,
      )
    ).rows[0]?.n ?? 0;
  await until(async () => (await holds()) === SLOTS - 1, {
    what: "the large one to hold what it may",
    timeoutMs: 60_000,
  });
  const listedIn = performance.now() - installedAt;

  const waits: number[] = [];
  for (let push = 1; push <= PUSHES; push += 1) {
    await git.commit({ new: `${push}\n` });
    const head = await git.head();
    const pushedAt = performance.now();
    await simulator.deliverPush(repositoryId);
    await until(
      async () => {
        const rows = await database.db
          .selectFrom("runs")
          .select("started_at")
          .where("repository_id", "=", String(repositoryId))
          .where("wanted_head", "=", head)
          .execute();
        return rows.some(({ started_at }) => started_at !== null);
      },
      { what: `push ${push} to start` },
    );
    waits.push(performance.now() - pushedAt);
    expect(await holds()).toBeLessThan(SLOTS);
    await journey.untilStatus("the push's run to end", ({ running, queued }) => !running && !queued);
  }

  const sorted = waits.toSorted((a, b) => a - b);
  const [median = 0, worst = 0] = [sorted[Math.floor(PUSHES / 2)], sorted.at(-1)];
  console.log(`3,000 repositories are queued after ${Math.round(listedIn)} ms`);
  console.log(`a push starts after ${Math.round(median)} ms (median), ${Math.round(worst)} ms (worst)`);
  expect(median).toBeLessThan(2_000);
  expect(worst).toBeLessThan(5_000);
}, 120_000);
