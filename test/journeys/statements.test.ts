import { expect, onTestFinished, test } from "vitest";
import { type AppProcess, startAppProcess } from "../support/app-process.ts";
import { useDatabase } from "../support/database.ts";
import { endLongLeases, type Journey, startJourney } from "../support/journey.ts";
import { createRandom } from "../support/random.ts";
import { API_TOKEN } from "../support/repodex.ts";
import { openStatementProxy, type StatementProxy } from "../support/statement-proxy.ts";

/** `npm run chaos:statements` dies after every statement of a scan; the suite, to stay short, after a few of them. */
const STATEMENTS = process.env.STATEMENTS ?? "2";
const SEED = Number(process.env.SEED ?? Date.now() % 100_000);
const PATIENCE_MS = 60_000;

const database = useDatabase();

test(`a process that dies after any statement leaves nothing behind (${STATEMENTS} of them, seed ${SEED})`, async () => {
  const random = createRandom(SEED);
  const journey = await startJourney(database, { started: false });
  journey.simulator.setContentLimits(null); // hundreds of runs in minutes
  const proxy = await openStatementProxy(database.url);
  onTestFinished(() => proxy.close());
  let app = await start(journey, proxy);
  await journey.simulator.deliverInstallationCreated(journey.installationId);
  await journey.untilStatus("the first run", ({ last_finished }) => last_finished !== null);
  await journey.untilStill();
  const total = await countStatements(journey, proxy);
  console.log(`${total} statements from the webhook until everything was still`);
  const rows: Record<string, unknown>[] = [];

  for (const nth of choose(total, random.below)) {
    const death = Promise.withResolvers<string>();
    const { child } = app;
    proxy.stopAfter(nth, (statement) => {
      child.kill("SIGKILL");
      child.once("exit", () => death.resolve(statement));
    });
    const guid = `push-${nth}`;
    const head = await push(journey, nth);
    const delivered = await journey.simulator.deliverPush(journey.repositoryId, { guid }).catch(() => null);
    const statement = await death.promise;
    proxy.goOn();
    await endLongLeases(database);
    app = await start(journey, proxy);
    // GitHub shows that it got no answer, and somebody presses "Redeliver".
    if (delivered?.status !== 202) await journey.simulator.deliverPush(journey.repositoryId, { guid });
    await journey.untilStill(PATIENCE_MS);

    rows.push({ nth, statement: statement.slice(0, 90), ...(await outcomeOf(journey, head)) });
    await journey.expectTruth();
    expect(await outcomeOf(journey, head), `after statement ${nth}: ${statement}`).toEqual(ENDED_WELL);
  }

  console.table(rows);
  expect(journey.simulator.violations).toEqual([]);
  expect(rows.length).toBeGreaterThan(0);
}, 3_600_000);

async function start(journey: Journey, proxy: StatementProxy): Promise<AppProcess> {
  const app = await startAppProcess({
    ...journey.simulator.environment,
    RECONCILE_SECONDS: "0",
    HOST: "127.0.0.1",
    PORT: "0",
    API_TOKEN,
    DATABASE_URL: proxy.url,
    LEASE_SECONDS: "2",
  });
  onTestFinished(() => app.stop());
  journey.simulator.webhookUrl = `${app.url}/api/github/webhooks`;
  journey.url = app.url;
  return app;
}

/** One file is changed, one comes, one goes, and the configuration lets one in: everything that a scan can do. */
async function push({ git }: Journey, nth: number): Promise<string> {
  return await git.commit({
    "src/main.ts": `${nth}\n`,
    [`new-${nth}`]: `${nth}\n`,
    "README.md": `# ${nth}\n`,
    "docs/a.md": "a\n",
    "docs/b.md": "b\n",
    ".github/repodex.yml": `exclude: [docs/${nth % 2 === 0 ? "a" : "b"}.md]\n`,
  });
}

/** How many statements it takes from a push's webhook until everything is still. */
async function countStatements(journey: Journey, proxy: StatementProxy): Promise<number> {
  await push(journey, 0);
  proxy.countFromHere();
  await journey.simulator.deliverPush(journey.repositoryId, {});
  await journey.untilStill();
  return proxy.count();
}

function choose(total: number, below: (n: number) => number): number[] {
  if (STATEMENTS === "all") return Array.from({ length: total }, (_, i) => i + 1);
  const chosen = Array.from({ length: Number(STATEMENTS) }, () => 1 + below(total));
  return [...new Set(chosen)].toSorted((a, b) => a - b);
}

const ENDED_WELL = { requests: 1, runs: "succeeded", checks: "success" };

async function outcomeOf({ simulator }: Journey, head: string) {
  const asked = await database.db
    .selectFrom("run_requests")
    .innerJoin("runs", "runs.id", "run_requests.run_id")
    .select("runs.state")
    .where("runs.wanted_head", "=", head)
    .execute();
  const checks = simulator.checkRuns.filter(({ head_sha }) => head_sha === head);
  return {
    requests: asked.length,
    runs: asked.map(({ state }) => state).join(),
    checks: checks.map(({ status, conclusion }) => conclusion ?? status).join(),
  };
}
