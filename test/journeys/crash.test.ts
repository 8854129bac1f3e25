import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { type AppProcess, startAppProcess } from "../support/app-process.ts";
import { useDatabase } from "../support/database.ts";
import { commitFolder } from "../support/folder.ts";
import { startJourney } from "../support/journey.ts";
import { createRandom } from "../support/random.ts";
import { API_TOKEN } from "../support/repodex.ts";
import { readRow } from "../support/seed.ts";
import { expectTruth } from "../support/truth.ts";
import { until } from "../support/wait.ts";

/** `npm run chaos` kills ten times; the suite, to stay short, only now and then. */
const KILLS = Number(process.env.KILLS ?? 2);
const SEED = Number(process.env.SEED ?? Date.now() % 100_000);
const LEASE_SECONDS = 5;
const TAKEN_UP_WITHIN_MS = 10_000;

const database = useDatabase();

test(`a scan killed at any moment is taken up again and ends well (${KILLS} kills, seed ${SEED})`, async () => {
  const random = createRandom(SEED);
  const git = await commitFolder(path.join(import.meta.dirname, "../../node_modules"), {
    only: ["linguist-languages", "kysely", "hono", "zod"],
  });
  const journey = await startJourney(database, { git, started: false });
  const { simulator, installationId } = journey;
  const start = async (): Promise<AppProcess> => {
    const app = await startAppProcess({
      ...simulator.environment,
      HOST: "127.0.0.1",
      PORT: "0",
      API_TOKEN,
      DATABASE_URL: database.url,
      LEASE_SECONDS: String(LEASE_SECONDS),
    });
    onTestFinished(() => app.stop());
    simulator.webhookUrl = `${app.url}/api/github/webhooks`;
    return app;
  };
  const replicas = [await start()];
  const undisturbed = await timeOfScan(journey);
  const rows: Record<string, unknown>[] = [];

  for (let kill = 1; kill <= KILLS; kill += 1) {
    const withReplica = kill % 2 === 0;
    if (withReplica) replicas.push(await start());
    const repository = simulator.addRepository({
      installation_id: installationId,
      git_dir: git.dir,
      name: `k${kill}`,
    });
    await simulator.deliverRepositoriesAdded(installationId, [repository.id]);
    const claimed = await until(() => runOf(repository.id, ({ state }) => state === "running"), {
      what: "the claim",
    });
    await delay(random.below(undisturbed * 0.6)); // the moment is what chance decides here
    const before = await readRow(database.db, claimed.id);
    const victim = replicas.findIndex(({ child }) => claimed.worker?.includes(`/${child.pid}/`));
    replicas.splice(victim, 1)[0]?.child.kill("SIGKILL");
    if (replicas.length === 0) replicas.push(await start());
    const readyAt = performance.now();

    const takenUp = await until(
      () => runOf(repository.id, ({ epoch, finished_at }) => epoch > before.epoch || finished_at !== null),
      { what: `run ${claimed.id} to be taken up`, timeoutMs: TAKEN_UP_WITHIN_MS },
    );
    const takenUpAfter = performance.now() - readyAt;
    await journey.untilStill(60_000);
    const ended = await readRow(database.db, takenUp.id);
    const truth = await expectTruth(database.db, {
      repositoryId: String(repository.id),
      gitDir: git.dir,
      commit: await git.head(),
    });
    const checks = simulator.checkRuns.filter((check) => check.repository_id === repository.id);
    rows.push({
      kill,
      stage: before.state === "running" ? before.stage : before.state,
      "files done": `${before.progress.files_done ?? 0} of ${truth.files}`,
      by: withReplica ? "a second replica" : "a restart",
      "taken up after (s)": (takenUpAfter / 1000).toFixed(1),
      state: ended.state,
      checks: checks.map(({ conclusion }) => conclusion).join(),
    });
    expect(ended.state).toBe("succeeded");
    expect(checks.map(({ status, conclusion }) => [status, conclusion])).toEqual([["completed", "success"]]);
    while (replicas.length > 1) await replicas.pop()?.stop();
    simulator.webhookUrl = `${replicas[0]?.url}/api/github/webhooks`;
  }

  console.table(rows);
  expect(rows).toHaveLength(KILLS);
}, 600_000);

async function runOf(
  repositoryId: number,
  probe: (run: Awaited<ReturnType<typeof readRow>>) => boolean,
): Promise<Awaited<ReturnType<typeof readRow>> | null> {
  const runs = await database.db
    .selectFrom("runs")
    .selectAll()
    .where("repository_id", "=", String(repositoryId))
    .execute();
  return runs.find(probe) ?? null;
}

/** Milliseconds that a scan of the same repository takes when nothing happens to it. */
async function timeOfScan(journey: Awaited<ReturnType<typeof startJourney>>): Promise<number> {
  await journey.simulator.deliverInstallationCreated(journey.installationId);
  const run = await until(() => runOf(journey.repositoryId, ({ finished_at }) => finished_at !== null), {
    what: "an undisturbed scan",
    timeoutMs: 60_000,
  });
  await journey.untilStill();
  return (run.finished_at?.getTime() ?? 0) - (run.started_at?.getTime() ?? 0);
}
