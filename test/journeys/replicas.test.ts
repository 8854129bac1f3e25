import { sql } from "kysely";
import { expect, onTestFinished, test } from "vitest";
import { startAppProcess } from "../support/app-process.ts";
import { useDatabase } from "../support/database.ts";
import { createRepository, type TestRepository } from "../support/git.ts";
import { type Journey, startJourney } from "../support/journey.ts";
import { createRandom, type Random } from "../support/random.ts";
import { API_TOKEN } from "../support/repodex.ts";
import { expectTruth } from "../support/truth.ts";
import { until } from "../support/wait.ts";

const SEED = Number(process.env.SEED ?? Date.now() % 100_000);
const INSTALLATIONS = 20;
const REPOSITORIES_EACH = 1;
const PUSHES = 10;
/** Long enough for a push to come in the middle of a scan, and for a claim that does not look to overlap it. */
const SLOW_TREE = { route: "/repos/{owner}/{repo}/git/trees/{tree_sha}", delayMs: 2_000, times: 1e9 };
const SKEWED_CLOCK = new URL("../support/skewed-clock.ts", import.meta.url).href;

const database = useDatabase();

interface Installed {
  id: number;
  installation_id: number;
  git: TestRepository;
}

/** Repositories of several owners, of which nobody has been told yet. */
async function addRepositories({ simulator }: Journey, owners: number, each: number): Promise<Installed[]> {
  const added: Installed[] = [];
  for (let owner = 0; owner < owners; owner += 1) {
    const installation_id = simulator.addInstallation({ account: `owner-${owner}` });
    for (let i = 0; i < each; i += 1) {
      const git = await createRepository({
        bare: true,
        files: { "a.txt": `${owner} ${i}\n`, "b/c.ts": "let c;\n" },
      });
      const { id } = simulator.addRepository({ installation_id, git_dir: git.dir, name: `r${i}` });
      added.push({ id, installation_id, git });
    }
  }
  return added;
}

async function installAll({ simulator }: Journey, repositories: Installed[]): Promise<void> {
  const ids = new Set(repositories.map(({ installation_id }) => installation_id));
  await Promise.all([...ids].map((id) => simulator.deliverInstallationCreated(id)));
}

async function pushSome({ simulator }: Journey, pushed: Installed[], urls: string[], random: Random) {
  for (let i = 0; i < PUSHES; i += 1) {
    const { id, git } = random.pick(pushed);
    await git.commit({ "a.txt": `push ${i}\n`, [`new-${i}.txt`]: `${i}\n` });
    simulator.webhookUrl = `${random.pick(urls)}/api/github/webhooks`;
    await simulator.deliverPush(id);
  }
}

/** Of each repository: what began, ended or was given back, in its order. A scan that overlaps shows as two begins. */
async function findOverlaps(): Promise<string[]> {
  const { rows } = await sql<{ repository_id: string; kinds: string[] }>`
    select r.repository_id, array_agg(case e.kind when 'run.started' then 'begin' else 'end' end order by e.at) as kinds
    from run_events e join runs r on r.id = e.run_id
    where e.kind in ('run.started', 'run.waiting', 'run.retrying')
      or (e.kind = 'run.completed' and r.started_at is not null)
    group by r.repository_id`.execute(database.db);
  return rows.filter(({ kinds }) => /begin begin/.test(kinds.join(" "))).map((row) => row.repository_id);
}

async function workersThatBegan(): Promise<number> {
  const { rows } = await sql`
    select distinct data->>'worker' from run_events where kind = 'run.started'`.execute(database.db);
  return rows.length;
}

async function expectAllTrue({ simulator }: Journey, repositories: Installed[]): Promise<void> {
  for (const { id, git } of repositories) {
    const head = await git.head();
    await expectTruth(database.db, { repositoryId: String(id), gitDir: git.dir, commit: head });
    const checks = simulator.checkRuns.filter((check) => check.repository_id === id);
    const onHead = checks.filter(({ head_sha }) => head_sha === head).map(({ conclusion }) => conclusion);
    expect(onHead).toContain("success");
    expect(checks.filter(({ status }) => status !== "completed")).toEqual([]);
  }
}

test(`two replicas answer every head of 20 repositories, and never scan one at once (seed ${SEED})`, async () => {
  const journey = await startJourney(database, { environment: { RUN_SLOTS: "12" } });
  const urls = [journey.url, (await journey.start()).url];
  const repositories = await addRepositories(journey, INSTALLATIONS, REPOSITORIES_EACH);

  journey.simulator.fault(SLOW_TREE);
  await installAll(journey, repositories);
  await until(async () => (await workersThatBegan()) > 0, { what: "the first scans" });
  const known = await until(() => knownOf(repositories), { what: "the repositories to be known" });
  await pushSome(journey, known, urls, createRandom(SEED));
  await journey.untilStill();

  expect(await findOverlaps()).toEqual([]);
  expect(await workersThatBegan()).toBe(2);
  await expectAllTrue(journey, repositories);
  const unanswered = await sql`
    select from run_requests q left join runs r on r.id = q.run_id
    where r.state is distinct from 'succeeded'`.execute(database.db);
  expect(unanswered.rows).toEqual([]);
  expect(journey.simulator.violations).toEqual([]);
});

async function knownOf(repositories: Installed[]): Promise<Installed[] | null> {
  const rows = await database.db.selectFrom("repositories").select("id").execute();
  return rows.length >= repositories.length ? repositories : null;
}

test.for([5, -5])(
  "a replica whose clock is %d hours off works beside a right one as if it were not",
  async (hours) => {
    const journey = await startJourney(database, { started: false });
    const { simulator, repositoryId, installationId } = journey;
    const skewed = await startAppProcess({
      ...simulator.environment,
      RECONCILE_SECONDS: "0",
      HOST: "127.0.0.1",
      PORT: "0",
      API_TOKEN,
      DATABASE_URL: database.url,
      LEASE_SECONDS: "2",
      NODE_OPTIONS: `--import=${SKEWED_CLOCK}`,
      CLOCK_HOURS: String(hours),
    });
    onTestFinished(() => skewed.stop());
    simulator.webhookUrl = `${skewed.url}/api/github/webhooks`;
    journey.url = skewed.url;
    await journey.install(); // alone: it gets its tokens although GitHub refuses its JWTs at first
    const reset = Math.ceil(Date.now() / 1000) + 3;
    simulator.setBudget(installationId, { limit: 5_000, remaining: 2, reset });
    await journey.git.commit({ new: "1" });

    await simulator.deliverPush(repositoryId, {});
    const { queued } = await journey.untilStatus(
      "the push to wait",
      (status) => status.queued?.wait_reason != null,
    );
    const { rows } = await sql<{ seconds: number }>`
    select extract(epoch from max(paused_until) - clock_timestamp())::float8 as seconds from installations`.execute(
      database.db,
    );
    await journey.start(); // a right one joins
    const others = await addRepositories(journey, 3, 1);
    await installAll(journey, others);
    await journey.untilStill();

    expect(queued).toMatchObject({ failures: 0 });
    expect(rows[0]?.seconds).toBeGreaterThan(0);
    expect(rows[0]?.seconds).toBeLessThan(10);
    await journey.expectTruth();
    await expectAllTrue(journey, others);
    const failed = await database.db.selectFrom("runs").select("id").where("failures", ">", 0).execute();
    expect(failed).toEqual([]);
    expect(simulator.violations).toEqual([]);
  },
);
