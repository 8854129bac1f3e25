import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import { startTestSimulator } from "../simulator/test-client.ts";
import { useDatabase } from "../support/database.ts";
import { isStill } from "../support/journey.ts";
import { createRandom } from "../support/random.ts";
import { API_TOKEN } from "../support/repodex.ts";
import { until } from "../support/wait.ts";
import { createHistory } from "./history.ts";
import { type Killed, killSome } from "./kill.ts";
import { startReplicas } from "./replicas.ts";
import { openSite, type Site, type Surroundings } from "./site.ts";
import { expectAnswers, expectCheckRuns, expectIndex, expectOrder, readIndex } from "./verdict.ts";

/** `npm run chaos` makes 200 commits and kills thirty times; the suite, to stay short, only some. */
const COMMITS = Number(process.env.COMMITS ?? 20);
const KILLS = Number(process.env.KILLS ?? 2);
const SEED = Number(process.env.SEED ?? Date.now() % 100_000);
const REPLICAS = 2;
const LEASE_SECONDS = 5;
const STILL_WITHIN_MS = 120_000 + COMMITS * 3_000;
const PAUSE_MS = 400;
const REST_WITHIN_MS = 15_000;

const database = useDatabase();

async function prepare(): Promise<Surroundings & { sites: Site[] }> {
  const simulator = await startTestSimulator({ webhookSecret: "the secret of the simulator" });
  simulator.setContentLimits(null); // hundreds of runs in minutes
  const environment = {
    ...simulator.environment,
    HOST: "127.0.0.1",
    PORT: "0",
    API_TOKEN,
    DATABASE_URL: database.url,
    LEASE_SECONDS: String(LEASE_SECONDS),
    WRITES_PER_HOUR: "100000",
  };
  // A lot of its own for each: how often one is drawn depends on time, and must not change what another draws.
  const replicas = await startReplicas(REPLICAS, { environment, random: createRandom(SEED + 1) });
  const sites: Site[] = [];
  for (const [i, name] of ["hostile", "unruly"].entries()) {
    const history = await createHistory(createRandom(SEED + 10 + i));
    sites.push(await openSite(history, { simulator, replicas, random: createRandom(SEED + 20 + i), name }));
  }
  return { simulator, replicas, sites, random: createRandom(SEED) };
}

/** The same commits, indexed by an app that has never seen them before; by the ids of the sites' repositories. */
async function indexAfresh({
  simulator,
  sites,
}: Surroundings & { sites: Site[] }): Promise<Map<number, unknown[]>> {
  const fresh = new Map<number, number>();
  for (const { repository } of sites) {
    const { installation_id, git_dir, name } = repository;
    const { id } = simulator.addRepository({ installation_id, git_dir, name: `${name}-fresh` });
    await simulator.deliverRepositoriesAdded(installation_id, [id]);
    fresh.set(repository.id, id);
  }
  await untilStill();
  const indexes = new Map<number, unknown[]>();
  for (const [id, freshId] of fresh) indexes.set(id, await readIndex(database.db, freshId));
  return indexes;
}

async function untilStill(): Promise<void> {
  await until(() => isStill(database), { what: "everything to be still", timeoutMs: STILL_WITHIN_MS });
}

test(
  `after ${COMMITS} hostile commits and ${KILLS} kills every index is git's, every request is answered (SEED=${SEED})`,
  async () => {
    console.log(`chaos: SEED=${SEED} COMMITS=${COMMITS} KILLS=${KILLS}`);
    const chaos = await prepare();
    const { random, sites, simulator } = chaos;
    const kills = new Set<number>();
    while (kills.size < Math.min(KILLS, COMMITS)) kills.add(1 + random.below(COMMITS));
    const killed: Killed[] = [];

    for (let step = 1; step <= COMMITS; step += 1) {
      await random.pick(sites).step();
      if (kills.has(step)) killed.push(await killSome(chaos, { db: database.db, sure: killed.length === 0 }));
      else if (random.chance(0.1)) await rest();
      else await delay(random.below(PAUSE_MS)); // the moment is what chance decides here
    }
    for (const site of sites) await site.settle();
    const settledAt = performance.now();
    await untilStill();
    console.log(`still ${((performance.now() - settledAt) / 1000).toFixed(0)} s after the last push`);

    console.table(killed);
    console.table(await failedRuns());
    const fresh = await indexAfresh(chaos);
    const rows = [];
    for (const site of sites) {
      const { files } = await expectIndex(database.db, site);
      await expectAnswers(database.db, site, simulator);
      const checks = await expectCheckRuns(database.db, site, simulator);
      expect(await readIndex(database.db, site.repository.id)).toEqual(fresh.get(site.repository.id));
      const { accepted, comments, promised, repository } = site;
      rows.push({
        repository: repository.full_name,
        files,
        "check runs": checks,
        deliveries: accepted.size,
        comments: comments.length,
        "API requests": promised.size,
      });
    }
    const claims = await expectOrder(database.db);
    console.table(rows);
    console.log(`${claims} claims, ${simulator.requests.length} requests to GitHub`);
    expect(simulator.violations).toEqual([]);
    // Of a few kills, none may have met a run that still had to go on.
    const takenUp = killed.filter((kill) => kill["taken up after (s)"] !== null);
    if (KILLS >= 10) expect(takenUp.length).toBeGreaterThan(0);
  },
  STILL_WITHIN_MS * 4 + COMMITS * 10_000,
);

/** A moment without runs, where there is one: after several kills a run waits for a minute and more. */
async function rest(): Promise<void> {
  const isIdle = async () => {
    const states = ["queued", "running"] as const;
    const busy = await database.db.selectFrom("runs").select("id").where("state", "in", states).execute();
    return busy.length === 0;
  };
  await until(isIdle, { what: "a moment of rest", timeoutMs: REST_WITHIN_MS }).catch(() => {});
}

/** Why runs failed for good, if any did: the first thing to know where the verdict is bad. */
async function failedRuns(): Promise<object[]> {
  return await database.db
    .selectFrom("runs")
    .select(["id", "repository_id", "trigger", "mode", "head_sha", "reason"])
    .where("state", "=", "failed")
    .execute();
}
