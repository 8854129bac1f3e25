import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import type { RecordedRequest } from "../simulator/recorder.ts";
import type { Simulator } from "../simulator/simulator.ts";
import { startTestSimulator } from "../simulator/test-client.ts";
import type { SimulatedRepository } from "../simulator/world.ts";
import { useDatabase } from "../support/database.ts";
import { createRepository, type TestRepository } from "../support/git.ts";
import { createRandom } from "../support/random.ts";
import { startTestRepodex } from "../support/repodex.ts";
import { expectTruth } from "../support/truth.ts";
import { until } from "../support/wait.ts";

/**
 * A day of GitHub: 24 windows of its budget, here of a minute each, while 100 repositories are pushed to. All webhooks of
 * one window are lost, and one in twenty of the rest. `npm run soak:day`; the suite lives through a short one.
 */
const WINDOWS = Number(process.env.WINDOWS ?? 3);
const SECONDS = Number(process.env.SECONDS ?? 6);
const REPOSITORIES = Number(process.env.REPOSITORIES ?? 12);
/** Requests a window, of REST and of GraphQL each: enough for the pushes, and not for all that is behind after a loss. */
const LIMIT = Number(process.env.LIMIT ?? 60);
const PUSHES_A_SECOND = Number(process.env.PUSHES ?? 1);
const SEED = Number(process.env.SEED ?? Date.now() % 100_000);
const DROPPED = 0.05;
const BACKGROUND_SHARE = 0.8;
/** Shares of the repositories: one large owner, one of some size, one small. */
const OWNERS = { large: 0.6, medium: 0.3, small: 0.1 };

const database = useDatabase();
const random = createRandom(SEED);

interface Site {
  repository: SimulatedRepository;
  git: TestRepository;
}

async function openSites(simulator: Simulator): Promise<Site[]> {
  const sites: Site[] = [];
  for (const [account, share] of Object.entries(OWNERS)) {
    const installation_id = simulator.addInstallation({ account });
    for (let n = 0; n < Math.max(1, Math.round(REPOSITORIES * share)); n += 1) {
      const git = await createRepository({ bare: true, files: { "a.txt": `${account} ${n}\n` } });
      const repository = simulator.addRepository({
        installation_id,
        git_dir: git.dir,
        name: `repository-${n}`,
      });
      sites.push({ repository, git });
    }
  }
  return sites;
}

/** Pushes here and there until the window ends. */
async function pushUntil(end: number, simulator: Simulator, sites: Site[]): Promise<number> {
  const sent: Promise<unknown>[] = [];
  while (Date.now() < end) {
    const { repository, git } = random.pick(sites);
    await git.commit({ [`file-${random.below(20)}.txt`]: `${Date.now()}\n` });
    sent.push(simulator.deliverPush(repository.id).catch(() => {})); // a lost one has no answer
    await delay(
      Math.max(0, Math.min(end - Date.now(), (2_000 / PUSHES_A_SECOND) * (random.below(1_000) / 1_000))),
    );
  }
  await Promise.all(sent);
  return sent.length;
}

interface Use {
  used: number;
  background: number;
}

/** What was asked in each window, by installation and resource; refused requests do not count. */
function usesOf(requests: readonly RecordedRequest[], from: number): Map<string, Use> {
  const uses = new Map<string, Use>();
  for (const { installation_id, at, route, user_agent, status } of requests) {
    if (installation_id === null || route === "tarball" || status === 403) continue;
    const window = Math.floor((at.getTime() - from) / (SECONDS * 1_000));
    const key = `${window} ${installation_id} ${route === "/graphql" ? "graphql" : "core"}`;
    const use = uses.get(key) ?? { used: 0, background: 0 };
    use.used += 1;
    if (user_agent.startsWith("repodex-background")) use.background += 1;
    uses.set(key, use);
  }
  return uses;
}

/** Every index equals its head. */
async function untilAllIndexed(sites: Site[]): Promise<void> {
  const heads = new Map<string, string>();
  for (const { repository, git } of sites) heads.set(String(repository.id), await git.head());
  await until(
    async () => {
      const rows = await database.db.selectFrom("repositories").select(["id", "indexed_commit"]).execute();
      return (
        rows.filter(({ id, indexed_commit }) => heads.get(id) === indexed_commit).length === sites.length
      );
    },
    { what: "every index to equal its head", timeoutMs: (3 * SECONDS + 60) * 1_000 },
  );
}

test(
  `${WINDOWS} windows of ${SECONDS} s with ${REPOSITORIES} repositories (seed ${SEED})`,
  async () => {
    const simulator = await startTestSimulator();
    simulator.setContentLimits(null);
    const sites = await openSites(simulator);
    const from = Math.floor(Date.now() / 1_000) * 1_000;
    simulator.setBudgetWindow({ limit: LIMIT, seconds: SECONDS });
    const { url } = await startTestRepodex(database, {
      environment: {
        ...simulator.environment,
        RECONCILE_SECONDS: String(Math.max(5, Math.round(SECONDS / 4))),
      },
    });
    simulator.webhookUrl = `${url}/api/github/webhooks`;
    const lostWindow = Math.floor(WINDOWS / 2);
    const rows: Record<string, unknown>[] = [];

    for (let window = 0; window < WINDOWS; window += 1) {
      const found = simulator.loseDeliveries(() => window === lostWindow || random.chance(DROPPED), {
        recorded: window === lostWindow || random.chance(0.5),
      });
      const pushes = await pushUntil(from + (window + 1) * SECONDS * 1_000, simulator, sites);
      found();
      rows.push({ window, lost: window === lostWindow ? "all" : "5%", pushes });
    }
    const endedAt = Date.now();
    await untilAllIndexed(sites);
    const settledAfter = (Date.now() - endedAt) / 1_000;

    const uses = usesOf(simulator.requests, from);
    for (const row of rows) {
      const of = [...uses].filter(([key]) => key.startsWith(`${row.window} `)).map(([, use]) => use);
      row["most used"] = `${Math.max(0, ...of.map(({ used }) => used))} of ${LIMIT}`;
      row["most background"] = Math.max(0, ...of.map(({ background }) => background));
    }
    console.table(rows);
    console.log(`every index equalled its head ${settledAfter.toFixed(1)} s after the last push`);
    const shares = [...uses.values()].map(({ background }) => background / LIMIT);
    expect(Math.max(...shares)).toBeLessThanOrEqual(BACKGROUND_SHARE);
    for (const { repository, git } of sites) {
      await expectTruth(database.db, {
        repositoryId: String(repository.id),
        gitDir: git.dir,
        commit: await git.head(),
      });
    }
  },
  WINDOWS * SECONDS * 1_000 + 300_000,
);
