import { Worker } from "node:worker_threads";
import { type Kysely, sql } from "kysely";
import { connect } from "../../src/database/connect.ts";
import type { Tables } from "../../src/database/schema.ts";
import { createLogger } from "../../src/log.ts";
import { sign } from "../simulator/deliveries.ts";
import { type Simulator, startSimulator } from "../simulator/simulator.ts";
import { startAppProcess } from "../support/app-process.ts";
import { configOf } from "../support/databases.ts";
import { until } from "../support/wait.ts";
import { withDatabase } from "./database.ts";
import { makePushes, type PushedRepository } from "./pushes.ts";
import type { Sending, Sent } from "./send.ts";

/**
 * `npm run bench:deliveries`: signed pushes on a fixed schedule, while what they ask for is being scanned. The app is
 * a process of its own, the sender a thread of its own, the simulator the rest; all share this machine's cores. A
 * latency is counted from when its delivery was due, so that a stall shows in all that it held up.
 */
const RATE = Number(process.env.BENCH_RATE ?? 100);
const SECONDS = Number(process.env.BENCH_SECONDS ?? 30);
const REPOSITORIES = 20;
const INSTALLATIONS = Number(process.env.BENCH_INSTALLATIONS ?? 4);
const FILES = 300;
const STILL_WITHIN_MS = 120_000;
const MAX_P99_MS = 150;

const API_TOKEN = "bench-bench-bench-bench";

interface Bar {
  what: string;
  holds: boolean;
}

async function install(simulator: Simulator): Promise<PushedRepository[]> {
  const each = Math.ceil((RATE * SECONDS) / REPOSITORIES);
  const installations = Array.from({ length: INSTALLATIONS }, (_, i) =>
    simulator.addInstallation({ account: `bench-${i}` }),
  );
  const repositories = await Promise.all(
    Array.from({ length: REPOSITORIES }, (_, i) => makePushes({ seed: i, files: FILES, commits: each })),
  );
  return repositories.map((pushes, i) => {
    const name = `repository-${i}`;
    const installation_id = installations[i % INSTALLATIONS] ?? 0;
    return { ...pushes, ...simulator.addRepository({ installation_id, git_dir: pushes.gitDir, name }), name };
  });
}

/** The deliveries in the order they are due, round the repositories. */
function schedule(simulator: Simulator, repositories: PushedRepository[]): Sending[] {
  return Array.from({ length: RATE * SECONDS }, (_, i) => {
    const repository = repositories[i % repositories.length];
    const after = repository?.commits[Math.floor(i / repositories.length)];
    if (!repository || !after) throw new Error("There are fewer commits than deliveries.");
    const before = repository.commits[Math.floor(i / repositories.length) - 1] ?? repository.first;
    const body = JSON.stringify({
      ref: "refs/heads/main",
      before,
      after,
      created: false,
      deleted: false,
      forced: false,
      base_ref: null,
      compare: "",
      commits: [],
      head_commit: null,
      pusher: { name: "octocat", email: "octocat@example.com" },
      ...simulator.origin(repository.id),
    });
    const signature = sign(Buffer.from(body), simulator.webhookSecret);
    return { atMs: (i * 1000) / RATE, gitDir: repository.gitDir, after, body, signature };
  });
}

function send(url: string, sendings: Sending[]): Promise<Sent[]> {
  const worker = new Worker(new URL("./send.ts", import.meta.url), { workerData: { url, sendings } });
  return new Promise((resolve, reject) => worker.once("message", resolve).once("error", reject));
}

async function untilStill(db: Kysely<Tables>): Promise<void> {
  await until(
    async () => {
      const { rows } = await sql<{ left: number }>`
        select ((select count(*) from deliveries where state = 'pending')
          + (select count(*) from runs where finished_at is null))::int as left`.execute(db);
      return rows[0]?.left === 0;
    },
    { what: "all deliveries to be handled and all runs to end", timeoutMs: STILL_WITHIN_MS },
  );
}

interface Heads {
  indexed: number;
  replaced: number;
  lost: number;
  reports: number;
}

/** What became of every commit that was pushed: a run indexed it, went on to a newer one, or left that to its follow-up. */
async function countHeads(db: Kysely<Tables>, sendings: Sending[]): Promise<Heads> {
  const { rows } = await sql<Heads>`
    with heads as (
      select pushed,
        exists (select from runs where head_sha = pushed and state = 'succeeded') as indexed,
        exists (select from check_reports c join runs r on r.id = c.run_id
          where c.head_sha = pushed and r.finished_at is not null
            and (c.replaced_by_sha is not null or r.state = 'superseded')) as replaced
      from unnest(${sendings.map(({ after }) => after)}::text[]) as pushed
    )
    select (count(*) filter (where indexed))::int as indexed,
      (count(*) filter (where replaced and not indexed))::int as replaced,
      (count(*) filter (where not replaced and not indexed))::int as lost,
      (select count(*)::int from check_reports where state = 'open') as reports
    from heads`.execute(db);
  return rows[0] ?? { indexed: 0, replaced: 0, lost: 0, reports: 0 };
}

/** Seconds from a push's arrival to the run that it asked for: nine in ten took no longer, and the slowest. */
async function timeHandling(db: Kysely<Tables>): Promise<{ most: number; max: number }> {
  const { rows } = await sql<{ most: number; max: number }>`
    select percentile_cont(0.9) within group (order by extract(epoch from handled_at - received_at)) as most,
      max(extract(epoch from handled_at - received_at))::float8 as max
    from deliveries where event = 'push'`.execute(db);
  return rows[0] ?? { most: Number.NaN, max: Number.NaN };
}

interface RunCounts {
  repository_id: string;
  indexed_commit: string | null;
  runs: number;
  finished: number;
}

/** A finished scan is also one that left the rest to its follow-up, since the head had moved on meanwhile. */
async function countRuns(db: Kysely<Tables>): Promise<RunCounts[]> {
  const { rows } = await sql<RunCounts>`
    select p.id as repository_id, p.indexed_commit, count(*)::int as runs,
      (count(*) filter (where r.state = 'succeeded' or (r.state = 'superseded' and r.head_sha is not null)))::int as finished
    from repositories p join runs r on r.repository_id = p.id group by p.id`.execute(db);
  return rows;
}

function quantile(sorted: number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

async function measure(url: string): Promise<Bar[]> {
  const simulator = await startSimulator();
  simulator.setContentLimits(null); // what is measured is ours, not how long GitHub makes wait
  const app = await startAppProcess({
    ...simulator.environment,
    WRITES_PER_HOUR: "100000", // thousands of pushes in half a minute
    RECONCILE_SECONDS: "0",
    DATABASE_URL: url,
    HOST: "127.0.0.1",
    PORT: "0",
    API_TOKEN,
    LOG_LEVEL: "info",
  });
  const connection = connect({ connection: configOf(url), log: createLogger("silent") });
  let repositories: PushedRepository[] = [];
  try {
    simulator.webhookUrl = `${app.url}/api/github/webhooks`;
    repositories = await install(simulator);
    for (const id of new Set(repositories.map(({ installation_id }) => installation_id)))
      await simulator.deliverInstallationCreated(id);
    await untilStill(connection.db);
    const sendings = schedule(simulator, repositories);
    const sent = await send(simulator.webhookUrl, sendings);
    const sentAt = performance.now();
    await untilStill(connection.db);
    const stillAfter = (performance.now() - sentAt) / 1000;
    return report(
      { sent, stillAfter, repositories },
      {
        heads: await countHeads(connection.db, sendings),
        runs: await countRuns(connection.db),
        handling: await timeHandling(connection.db),
      },
    );
  } finally {
    await connection.close();
    await app.stop();
    await Promise.all(repositories.map(({ remove }) => remove()));
    await simulator.close();
  }
}

function report(
  { sent, stillAfter, repositories }: { sent: Sent[]; stillAfter: number; repositories: PushedRepository[] },
  { heads, runs, handling }: { heads: Heads; runs: RunCounts[]; handling: { most: number; max: number } },
): Bar[] {
  const sorted = sent.map(({ ms }) => ms).sort((a, b) => a - b);
  const accepted = sent.filter(({ status }) => status === 202).length;
  const p99 = quantile(sorted, 0.99);
  const counts = runs.map(({ runs }) => runs).sort((a, b) => a - b);
  const last = new Map(repositories.map(({ id, commits }) => [String(id), commits.at(-1)]));
  console.table({
    sent: sent.length,
    "answered 202": accepted,
    "p50 (ms)": quantile(sorted, 0.5).toFixed(1),
    "p99 (ms)": p99.toFixed(1),
    "max (ms)": sorted.at(-1)?.toFixed(1),
    "handled after, p90 and max (s)": `${handling.most.toFixed(2)}, ${handling.max.toFixed(2)}`,
    "runs a repository": `${counts[0]} to ${counts.at(-1)}`,
    "heads indexed": heads.indexed,
    "heads replaced": heads.replaced,
    "heads lost": heads.lost,
    "still after (s)": stillAfter.toFixed(1),
    "check runs yet to write": heads.reports,
  });
  return [
    { what: "every delivery is answered with 202", holds: accepted === sent.length },
    { what: `p99 is at most ${MAX_P99_MS} ms`, holds: p99 <= MAX_P99_MS },
    { what: "every head ends indexed or replaced", holds: heads.lost === 0 },
    {
      what: "every repository ends at its last commit",
      holds: runs.every(({ repository_id, indexed_commit }) => indexed_commit === last.get(repository_id)),
    },
    {
      what: "a repository has at most two runs more than finished scans",
      holds: runs.length === REPOSITORIES && runs.every(({ runs, finished }) => runs <= finished + 2),
    },
  ];
}

const bars = await withDatabase(measure);
for (const { what, holds } of bars) console.log(`${holds ? "held  " : "MISSED"} ${what}`);
process.exitCode = bars.every(({ holds }) => holds) ? 0 : 1;
