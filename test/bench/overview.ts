import { Hono } from "hono";
import { type Connection, connect } from "../../src/database/connect.ts";
import { migrate } from "../../src/database/migrate.ts";
import { createHttpApp } from "../../src/http/app.ts";
import { Metrics } from "../../src/http/metrics.ts";
import { RunChanges } from "../../src/http/run-changes.ts";
import { createLogger } from "../../src/log.ts";
import { createSearchEngine } from "../../src/search/search.ts";
import { startServer } from "../../src/server.ts";
import { administer, configOf } from "../support/databases.ts";
import { createRandom } from "../support/random.ts";
import { API_TOKEN } from "../support/repodex.ts";
import { seedUser } from "../support/seed.ts";
import { signInAccess } from "../support/sign-in.ts";
import { withDatabase } from "./database.ts";
import { quantile } from "./quantile.ts";

/**
 * `npm run bench:overview`: how long the home page and what else tells of many repositories take with 5,000 of them in
 * 50 installations, one of which has 2,000, and 100,000 runs. Asked over HTTP by the operator and by one who sees 500.
 * No worker runs beside it, so what waits stays. BENCH_DATABASE_URL as in bench:deliveries.
 */
const REPOSITORIES = 5_000;
const LARGE = 2_000;
const INSTALLATIONS = 50;
const RUNS_EACH = 20;
const SEEN = 500;
const WARM = 3;
const REQUESTS = 60;
const MAX_P95_MS = 100;

/** Of 20 repositories three have a failed last run, twelve wait, and one of forty runs. */
const SEED = [
  `insert into installations (id, account_login, confirmed)
   select i, 'account-' || i, true from generate_series(1, ${INSTALLATIONS}) i`,
  `insert into repositories (id, installation_id, owner, name, default_branch, confirmed, indexed_commit, indexed_tree_sha,
     indexed_verified, indexed_branch, indexed_at, indexed_files, indexed_chunks, indexed_bytes)
   select i, inst, 'account-' || inst, 'repository-' || i, 'main', true, md5(i::text) || 'abcdef01', md5(i::text) || 'abcdef02',
     true, 'main', now(), 1000, 2000, 5000000
   from (select i, case when i <= ${LARGE} then 1 else 2 + i % ${INSTALLATIONS - 1} end as inst
     from generate_series(1, ${REPOSITORIES}) i) r`,
  `insert into runs (repository_id, installation_id, trigger, priority, state, head_sha, queued_at, started_at, finished_at,
     reason, reason_code, worker, lease_until, requested_by, progress, event_seq)
   select r.id, r.installation_id, case when n % 4 = 0 then 'rescan' else 'push' end, case when n % 4 = 0 then 20 else 10 end,
     state, md5(n::text || r.id) || '00000000', now() - make_interval(mins => (${RUNS_EACH} - n) * 10, secs => r.id % 600),
     case when state <> 'queued' then now() - make_interval(mins => (${RUNS_EACH} - n) * 10) end,
     case when state not in ('queued', 'running') then now() - make_interval(mins => (${RUNS_EACH} - n) * 10) end,
     case when state = 'failed' then 'GitHub refused to list the files.' end,
     case when state = 'failed' then 'refused' end,
     case when state = 'running' then 'bench' end,
     case when state = 'running' then now() + interval '1 day' end,
     'octocat', '{"files_total": 1000, "files_done": 1000}', 12
   from generate_series(1, ${RUNS_EACH}) n cross join repositories r
   cross join lateral (select case
     when n = ${RUNS_EACH} and r.id % 20 < 12 then 'queued'
     when n = ${RUNS_EACH} - 1 and r.id % 40 = 1 then 'running'
     when n = ${RUNS_EACH} and r.id % 20 < 15 or (n + r.id) % 30 = 0 then 'failed'
     else 'succeeded' end as state) s
   order by n, r.id`,
  "vacuum analyze",
];

interface Question {
  what: string;
  path(i: number): string;
  /** Only the first event of a stream counts. */
  isStream?: boolean;
  /** Others are refused. */
  isOperators?: boolean;
}

const random = createRandom(11);
/** Repositories that both see, the one of the large installation first. */
const SOME = Array.from({ length: REQUESTS }, () => 10 * (1 + random.below(SEEN)));

const QUESTIONS: Question[] = [
  { what: "home page", path: () => "/" },
  { what: "repositories", path: () => "/api/v1/repositories" },
  { what: "repositories, 1,000", path: () => "/api/v1/repositories?limit=1000" },
  { what: "repositories that wait", path: () => "/api/v1/repositories?state=queued" },
  { what: "repositories by a name", path: (i) => `/api/v1/repositories?q=repository-4${i % 100}` },
  { what: "events, snapshot", path: () => "/api/v1/events", isStream: true },
  { what: "rescan/status", path: (i) => `/api/v1/repositories/${SOME[i % SOME.length]}/rescan/status` },
  { what: "runs of a repository", path: (i) => `/api/v1/repositories/${SOME[i % SOME.length]}/runs` },
  { what: "page of a repository", path: (i) => `/repositories/${SOME[i % SOME.length]}` },
  { what: "metrics", path: () => "/metrics", isOperators: true },
];

/** The tokens of those who ask. */
async function tokensOf({ db }: Connection): Promise<Record<string, string>> {
  const read = Array.from({ length: SEEN }, (_, i) => String(10 * (i + 1)));
  const { token } = await seedUser(db, { read });
  return { operator: API_TOKEN, [`sees ${SEEN}`]: token };
}

interface Timed {
  who: string;
  what: string;
  p50: number;
  p95: number;
  max: number;
}

/** Milliseconds until an answer was read, or the first event of a stream. */
async function time(url: string, token: string, { isStream }: Question): Promise<number> {
  const startedAt = performance.now();
  const leaving = new AbortController();
  const answer = await fetch(url, {
    headers: { authorization: `Bearer ${token}` },
    signal: leaving.signal,
  });
  if (answer.status !== 200) throw new Error(`${url}: ${answer.status} ${await answer.text()}`);
  if (!isStream) await answer.arrayBuffer();
  else await answer.body?.getReader().read();
  const ms = performance.now() - startedAt;
  leaving.abort();
  return ms;
}

async function timeAll(url: string, tokens: Record<string, string>): Promise<Timed[]> {
  const timed: Timed[] = [];
  for (const [who, token] of Object.entries(tokens)) {
    for (const question of QUESTIONS) {
      if (question.isOperators && who !== "operator") continue;
      const times: number[] = [];
      for (let i = -WARM; i < REQUESTS; i += 1) {
        const ms = await time(`${url}${question.path(i + WARM)}`, token, question);
        if (i >= 0) times.push(ms);
      }
      const [p50, p95, max] = [0.5, 0.95, 1].map((share) => quantile(times, share));
      timed.push({ who, what: question.what, p50: p50 ?? 0, p95: p95 ?? 0, max: max ?? 0 });
    }
  }
  return timed;
}

async function serve(connection: Connection): Promise<{ url: string; close(): Promise<void> }> {
  const changes = new RunChanges(connection);
  const engine = createSearchEngine(connection);
  const metrics = new Metrics({ db: connection.db, budgets: { list: () => [] } });
  const server = await startServer({
    webhooks: new Hono(),
    http: createHttpApp({
      connection,
      access: signInAccess({ connection }),
      changes,
      search: { engine, githubWebUrl: "https://github.com" },
      metrics,
      installLink: async () => null,
      log: createLogger("warn"),
    }),
    host: "127.0.0.1",
    port: 0,
  });
  return {
    url: server.url,
    async close() {
      await changes.close();
      await engine.close();
      metrics.close();
      await server.close();
    },
  };
}

const timed = await withDatabase(async (url) => {
  const connection = connect({ connection: configOf(url), log: createLogger("silent") });
  try {
    await migrate(connection, { log: createLogger("silent") });
    await administer(url, ...SEED);
    const [counts] = await administer(
      url,
      `select (select count(*) from repositories)::int as repositories, count(*)::int as runs,
         (count(*) filter (where state = 'queued'))::int as queued, (count(*) filter (where state = 'running'))::int as running,
         (count(*) filter (where state = 'failed'))::int as failed from runs`,
    );
    console.table(counts);
    const server = await serve(connection);
    return await timeAll(server.url, await tokensOf(connection)).finally(() => server.close());
  } finally {
    await connection.close();
  }
});
console.table(
  timed.map(({ who, what, p50, p95, max }) => ({
    who,
    what,
    "p50 (ms)": p50.toFixed(1),
    "p95 (ms)": p95.toFixed(1),
    "max (ms)": max.toFixed(1),
    bar: p95 <= MAX_P95_MS ? "held" : "MISSED",
  })),
);
process.exitCode = timed.every(({ p95 }) => p95 <= MAX_P95_MS) ? 0 : 1;
