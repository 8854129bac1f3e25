import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import { connect } from "../../src/database/connect.ts";
import { OPERATOR } from "../../src/database/viewer.ts";
import { createLogger } from "../../src/log.ts";
import { parseQuery } from "../../src/search/query.ts";
import { createSearchEngine, type SearchEngine, search } from "../../src/search/search.ts";
import { startSimulator } from "../simulator/simulator.ts";
import { until } from "../support/wait.ts";
import { startBenchApp } from "./app.ts";
import { withDatabase } from "./database.ts";
import { quantile } from "./quantile.ts";
import { type CorpusRepository, loadSearchCorpus } from "./search-corpus.ts";
import { BENCH_QUERIES, type BenchQuery } from "./search-queries.ts";

/**
 * `npm run bench:search`: indexes some 800 real repositories (2 GB of files) through the app, then asks the same of it,
 * of pg_trgm in the same database, and of ripgrep, git grep and codesearch over the same files. All in one run, since
 * machines are noisy: compare the ratios.
 * BENCH_DATABASE_URL names a PostgreSQL to use instead of the embedded server; its database "repodex_bench" is dropped
 * and made anew; LOADED names a database that a run before has loaded. REPOSITORIES=100 takes fewer, PEERS=0 asks only ours, ROUNDS=5 asks ours so often (warm, the first
 * does not count).
 */
const REPOSITORIES = Number(process.env.REPOSITORIES ?? 10_000);
const ROUNDS = Number(process.env.ROUNDS ?? 5);
const PEERS = process.env.PEERS !== "0";
const LIMIT = 50;
const PEER_TIMEOUT_MS = 20_000;
const LOAD_TIMEOUT_MS = 60 * 60_000;
const STILL_MS = 3_000;
/** A process for each repository: what a person would wait for, but too long for all queries. */
const GIT_GREP_QUERIES = 6;

interface Timed {
  kind: BenchQuery["kind"];
  query: string;
  ms: number;
  found: number;
}

function timesOf(timed: Timed[]): number[] {
  return timed.map(({ ms }) => ms);
}

async function load(corpus: CorpusRepository[], url: string): Promise<Record<string, string>> {
  const simulator = await startSimulator();
  simulator.setContentLimits(null);
  const app = await startBenchApp(simulator, {
    DATABASE_URL: url,
    WRITES_PER_HOUR: "100000",
  });
  const client = new pg.Client(url);
  await client.connect();
  const number = async (text: string) => Number((await client.query(text)).rows[0].n);
  try {
    const installation_id = simulator.addInstallation();
    simulator.setBudgetWindow({ limit: 1_000_000, seconds: 3_600 });
    for (const { gitDir, name, archive } of corpus) {
      const repository = simulator.addRepository({ installation_id, git_dir: gitDir, name });
      repository.archive_file = archive;
    }
    const startedAt = performance.now();
    await simulator.deliverInstallationCreated(installation_id);
    const open = "select count(*) as n from runs where state in ('queued', 'running')";
    const ended = "select count(*) as n from runs where state not in ('queued', 'running')";
    await until(async () => (await number(ended)) >= corpus.length && (await number(open)) === 0, {
      what: "all scans",
      timeoutMs: LOAD_TIMEOUT_MS,
    });
    const seconds = (performance.now() - startedAt) / 1000;
    const failed = await number("select count(*) as n from runs where state <> 'succeeded'");
    if (failed > 0) throw new Error(`${failed} runs did not succeed.`);
    let before = -1;
    await everySoOften(async () => {
      const segments = await number("select count(*) as n from gram_segments");
      const isStill = segments === before;
      before = segments;
      return isStill;
    });
    await client.query("vacuum analyze");
    const bytes = await number("select sum(indexed_bytes) as n from repositories");
    const small = await number("select count(*) as n from repositories where indexed_bytes < 1e6");
    const all = await number("select pg_database_size(current_database()) as n");
    const index = await number(
      "select sum(pg_total_relation_size(t)) as n from unnest('{gram_segments,gram_parts,gram_postings}'::regclass[]) t",
    );
    const live = await number("select sum(length(data) + 40) as n from gram_postings");
    return {
      repositories: `${corpus.length} (${small} under 1 MB)`,
      "source (MB)": (bytes / 1e6).toFixed(0),
      "indexed in (s)": seconds.toFixed(0),
      "MB/s": (bytes / 1e6 / seconds).toFixed(1),
      "database ÷ source": (all / bytes).toFixed(2),
      "gram index ÷ source": (index / bytes).toFixed(3),
      "of that live": (live / bytes).toFixed(3),
      segments: String(before),
      "RSS (MB)": (await app.peakRssMb()).toFixed(0),
    };
  } finally {
    await client.end();
    await app.stop();
    await simulator.close();
  }
}

/** Compaction says nothing when it has done all: it has where nothing changes for so long. */
async function everySoOften(isDone: () => Promise<boolean>): Promise<void> {
  while (!(await isDone())) await delay(STILL_MS);
}

async function ask(engine: SearchEngine, { query, kind }: BenchQuery): Promise<Timed> {
  const options = { limit: LIMIT, context: 1, lines: 10, cursor: null };
  const startedAt = performance.now();
  const { data, incomplete } = await search(engine, OPERATOR, parseQuery(query), options);
  const ms = performance.now() - startedAt;
  if (incomplete) throw new Error(`${query}: ${incomplete.message}`);
  return { kind, query, ms, found: data.length };
}

async function askOurs(url: string): Promise<Timed[]> {
  const connection = connect({
    connection: { connectionString: url },
    log: createLogger("warn"),
    maxConnections: 4,
  });
  const engine = createSearchEngine(connection);
  const timed: Timed[] = [];
  try {
    for (const query of BENCH_QUERIES) {
      await ask(engine, query);
      const rounds: Timed[] = [];
      for (let round = 0; round < ROUNDS; round += 1) rounds.push(await ask(engine, query));
      timed.push({ ...(rounds[0] as Timed), ms: quantile(timesOf(rounds), 0.5) });
    }
    return timed;
  } finally {
    await engine.close();
    await connection.close();
  }
}

/** The same chunks in a table of their own with a pg_trgm index: the first rows that match, like ours. */
async function askTrigrams(url: string): Promise<{ timed: Timed[]; buildSeconds: number; bytes: number }> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    await client.query("create extension if not exists pg_trgm");
    await client.query(
      "create table oracle as select repository_id, sha, start_line, text from chunks where sha is not null",
    );
    const startedAt = performance.now();
    await client.query("set maintenance_work_mem = '256MB'");
    await client.query("create index oracle_text on oracle using gin (text gin_trgm_ops)");
    const buildSeconds = (performance.now() - startedAt) / 1000;
    await client.query("analyze oracle");
    await client.query(`set statement_timeout = ${PEER_TIMEOUT_MS}; set jit = off`);
    const timed: Timed[] = [];
    for (const query of BENCH_QUERIES) {
      if (!query.peer) continue;
      const { pattern, isRegex, caseSensitive } = query.peer;
      const [operator, value] = isRegex
        ? [caseSensitive ? "~" : "~*", `(?n)${pattern}`]
        : [caseSensitive ? "like" : "ilike", `%${pattern.replace(/[\\%_]/g, "\\$&")}%`];
      const text = `select repository_id, sha, start_line, text from oracle where text ${operator} $1 limit ${LIMIT}`;
      const run = async () => {
        const from = performance.now();
        const { rowCount } = await client.query(text, [value]).catch(() => ({ rowCount: -1 }));
        return { kind: query.kind, query: query.query, ms: performance.now() - from, found: rowCount ?? 0 };
      };
      await run();
      timed.push(await run());
    }
    const { rows } = await client.query("select pg_total_relation_size('oracle')::float8 as bytes");
    return { timed, buildSeconds, bytes: rows[0].bytes };
  } finally {
    await client.end();
  }
}

/** Runs a program to its end and counts the lines that it prints. */
async function runProgram(
  command: string,
  args: string[],
  { cwd, env = {} }: { cwd?: string; env?: Record<string, string> } = {},
): Promise<{ ms: number; found: number }> {
  const startedAt = performance.now();
  const child = spawn(command, args, {
    stdio: ["ignore", "pipe", "ignore"],
    timeout: PEER_TIMEOUT_MS,
    env: { ...process.env, ...env },
    ...(cwd && { cwd }),
  });
  let found = 0;
  child.stdout.on("data", (chunk: Buffer) => {
    for (const byte of chunk) if (byte === 10) found += 1;
  });
  await once(child, "close");
  return { ms: performance.now() - startedAt, found };
}

async function askPrograms(corpus: CorpusRepository[]): Promise<Record<string, Timed[]>> {
  const trees = corpus.map(({ tree }) => tree);
  const folder = await mkdtemp(path.join(tmpdir(), "repodex-bench-"));
  const env = { CSEARCHINDEX: path.join(folder, "csearchindex") };
  const timed: Record<string, Timed[]> = { ripgrep: [], codesearch: [], "git grep": [] };
  try {
    const build = await runProgramUntilDone("cindex", trees, env);
    console.log(`cindex: ${(build / 1000).toFixed(0)} s`);
    for (const { query, kind, peer } of BENCH_QUERIES) {
      if (!peer) continue;
      const { pattern, isRegex, caseSensitive } = peer;
      const fixed = isRegex ? [] : ["-F"];
      const folded = caseSensitive ? [] : ["-i"];
      const plain = isRegex ? pattern : pattern.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
      const add = (name: string, measured: { ms: number; found: number }) =>
        timed[name]?.push({ kind, query, ...measured });
      const rg = [
        "-n",
        "--no-heading",
        "--no-ignore",
        "--hidden",
        ...fixed,
        ...folded,
        "-e",
        pattern,
        ...trees,
      ];
      add("ripgrep", await runProgram("rg", rg));
      add("codesearch", await runProgram("csearch", ["-n", ...folded, plain], { env }));
      if ((timed["git grep"]?.length ?? 0) >= GIT_GREP_QUERIES) continue;
      let all = { ms: 0, found: 0 };
      for (const { gitDir } of corpus) {
        const args = [
          "--git-dir",
          gitDir,
          "grep",
          "-n",
          isRegex ? "-P" : "-F",
          ...folded,
          "-e",
          pattern,
          "HEAD",
        ];
        const one = await runProgram("git", args);
        all = { ms: all.ms + one.ms, found: all.found + one.found };
      }
      add("git grep", all);
    }
    return timed;
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function runProgramUntilDone(
  command: string,
  args: string[],
  env: Record<string, string>,
): Promise<number> {
  const startedAt = performance.now();
  const child = spawn(command, args, { stdio: "ignore", env: { ...process.env, ...env } });
  await once(child, "close");
  return performance.now() - startedAt;
}

function rowOf(who: string, timed: Timed[], answers: string) {
  return {
    who,
    queries: timed.length,
    "p50 (ms)": quantile(timesOf(timed), 0.5).toFixed(1),
    "p95 (ms)": quantile(timesOf(timed), 0.95).toFixed(1),
    "max (ms)": quantile(timesOf(timed), 1).toFixed(1),
    answers,
  };
}

const LOADED = process.env.LOADED;
await (LOADED ? measure(LOADED) : withDatabase(measure));

async function measure(url: string): Promise<void> {
  const corpus = await loadSearchCorpus(REPOSITORIES);
  if (!LOADED) console.table([await load(corpus, url)]);
  const ours = await askOurs(url);
  const ranked = ours.filter(({ kind }) => kind === "words");
  const exact = ours.filter(({ kind }) => kind !== "words");
  const shared = exact.filter(({ kind }) => kind !== "filtered");
  const first = `the first ${LIMIT} files, with lines`;
  const rows = [
    rowOf("ours: literals, patterns, filters", exact, first),
    rowOf("ours: of these, what all can be asked", shared, first),
    rowOf("ours: ranked words", ranked, `the best ${LIMIT} files`),
  ];
  for (const { query, ms, found } of ours.toSorted((a, b) => b.ms - a.ms).slice(0, 12)) {
    console.log(`${ms.toFixed(1).padStart(7)} ms ${String(found).padStart(3)} files  ${query}`);
  }
  if (PEERS) {
    const { timed, buildSeconds, bytes } = await askTrigrams(url);
    console.log(
      `pg_trgm: index built in ${buildSeconds.toFixed(0)} s, table and index ${(bytes / 1e6).toFixed(0)} MB`,
    );
    rows.push(rowOf("pg_trgm GIN", timed, `the first ${LIMIT} chunks`));
    console.log(
      `p95 of pg_trgm ÷ ours: ${(quantile(timesOf(timed), 0.95) / quantile(timesOf(shared), 0.95)).toFixed(1)}`,
    );
    for (const [who, timings] of Object.entries(await askPrograms(corpus))) {
      rows.push(rowOf(who, timings, "all lines"));
    }
  }
  console.table(rows);
}
