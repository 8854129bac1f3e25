import { createServer } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { sql } from "kysely";
import { type Connection, connect } from "../../src/database/connect.ts";
import { createLogger } from "../../src/log.ts";
import { listEvents } from "../../src/runs/events.ts";
import { isFinal } from "../../src/runs/run.ts";
import { type Simulator, startSimulator } from "../simulator/simulator.ts";
import { configOf } from "../support/databases.ts";
import { until } from "../support/wait.ts";
import { API_TOKEN, type BenchApp, startBenchApp } from "./app.ts";
import { withDatabase } from "./database.ts";
import { makePushes } from "./pushes.ts";
import { quantile } from "./quantile.ts";
import { type Asked, type Frame, Reader, SilentReader } from "./stream-readers.ts";

/**
 * `npm run bench:streams`: 100 readers of event streams while 20 repositories are scanned at once, and ten more that
 * read nothing. What each was told is held against the runs' logs, also of those whose server was stopped and killed
 * meanwhile; the memory is that of a process that does the same without them. BENCH_DATABASE_URL as in bench:deliveries.
 */
const REPOSITORIES = 20;
const FILES = Number(process.env.FILES ?? 500);
const READERS_OF_A_RUN = 4;
const READERS_OF_ALL = 10;
const SILENT = 10;
/** Events of the log that the silent readers ask for: more than the system's buffers take. */
const LONG_LOG = 20_000;
const DROPPED_WITHIN_MS = 40_000;
const MEASURED = 3;
const ROUNDS = 2;
const MAX_GROWTH_MB = 50;
const POLL_MS = 50;
const STILL_WITHIN_MS = 120_000;

interface Bench {
  simulator: Simulator;
  connection: Connection;
  /** Where every app of this bench listens. */
  url: string;
  startApp(): Promise<BenchApp>;
}

interface RunJson {
  id: string;
  state: string;
  epoch: number;
}

/** What a round's readers were told, and what is wrong with it. */
interface Told {
  readers: number;
  events: number;
  connections: number;
  mostAtOnce: number;
  faults: string[];
}

async function findPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address ? address.port : 0;
}

async function count(connection: Connection, states: string): Promise<number> {
  const { rows } = await sql<{ n: number }>`
    select count(*)::int as n from runs where state = any(${states}::text[])`.execute(connection.db);
  return rows[0]?.n ?? 0;
}

const untilStill = async ({ connection }: Bench): Promise<void> => {
  const isStill = async () => (await count(connection, "{queued,running}")) === 0;
  await until(isStill, { what: "all runs to end", timeoutMs: STILL_WITHIN_MS });
};

const untilRunning = async ({ connection }: Bench): Promise<void> => {
  const areRunning = async () => (await count(connection, "{running}")) === REPOSITORIES;
  await until(areRunning, { what: "all to run at once", timeoutMs: STILL_WITHIN_MS });
};

/** Asks for a full scan of each repository; answers the runs. */
async function rescanAll({ url, connection }: Bench): Promise<string[]> {
  const repositories = await connection.db.selectFrom("repositories").select("id").execute();
  // Or the tenth of ten minutes would be answered by the one before.
  await sql`update runs set queued_at = queued_at - interval '1 hour'`.execute(connection.db);
  return await Promise.all(
    repositories.map(async ({ id }) => {
      const answer = await fetch(`${url}/api/v1/repositories/${id}/rescan`, {
        method: "POST",
        headers: { authorization: `Bearer ${API_TOKEN}` },
        body: '{"mode":"full"}',
      });
      const { run_id, outcome } = (await answer.json()) as { run_id: string; outcome: string };
      if (outcome !== "queued") throw new Error(`The scan of ${id} was ${outcome}.`);
      return run_id;
    }),
  );
}

const streamOf = ({ url }: Bench, runId: string): Asked => ({
  url,
  path: `/api/v1/runs/${runId}/events`,
  token: API_TOKEN,
});

/** Follows the state of runs by what a feed tells, and notes what cannot be. */
class FeedReader {
  readonly open = new Map<string, RunJson>();
  readonly faults: string[] = [];
  readonly reader: Reader;
  readonly #path: string;
  /** A server that begins to listen may tell a snapshot again, on the same connection. */
  #connections = 0;
  #last = "";

  constructor(url: string, path: string) {
    this.#path = path;
    this.reader = new Reader({ url, path, token: API_TOKEN }, (frame) => this.#take(frame));
  }

  #take({ event, data }: Frame): void {
    const isFirst = this.reader.connections !== this.#connections;
    this.#connections = this.reader.connections;
    if (isFirst && event !== "snapshot") this.#fault(`${event} as the first event`);
    if (data === this.#last && event !== "snapshot") this.#fault(`told twice: ${data}`);
    this.#last = data;
    const parsed = JSON.parse(data) as {
      run?: RunJson;
      runs?: RunJson[];
      running?: RunJson;
      queued?: RunJson;
    };
    if (!parsed.run) {
      this.open.clear();
      const runs = parsed.runs ?? [parsed.running, parsed.queued];
      for (const run of runs) if (run) this.open.set(run.id, run);
      return;
    }
    const { run } = parsed;
    const before = this.open.get(run.id);
    if (before && before.epoch > run.epoch) this.#fault(`went back: ${data}`);
    if (isFinal(run.state as never)) this.open.delete(run.id);
    else this.open.set(run.id, run);
  }

  #fault(what: string): void {
    this.faults.push(`${this.#path}: ${what}`);
  }
}

/** Waits until every reader was told something since it was last waited for, or has all. */
type UntilBack = () => Promise<void>;

function createUntilBack(readers: Reader[]): UntilBack {
  const before = new Map<Reader, number>();
  return async () => {
    const isBack = (reader: Reader) => reader.isDone || reader.frames.length > (before.get(reader) ?? 0);
    await until(() => readers.every(isBack), { what: "the readers to come back", timeoutMs: 30_000 });
    for (const reader of readers) before.set(reader, reader.frames.length);
  };
}

/** A round of scans with all the readers there are; `meanwhile` is done to the server while they run. */
async function readRound(
  bench: Bench,
  meanwhile: (untilBack: UntilBack) => Promise<void> = async () => {},
): Promise<Told> {
  const { connection, url } = bench;
  const repositories = await connection.db.selectFrom("repositories").select("id").execute();
  const feeds = Array.from(
    { length: READERS_OF_ALL * 2 },
    (_, i) =>
      new FeedReader(
        url,
        i % 2 === 0 ? "/api/v1/events" : `/api/v1/repositories/${repositories[i]?.id}/events`,
      ),
  );
  await until(() => feeds.every(({ reader }) => reader.frames.length > 0), { what: "the snapshots" });
  const runs = await rescanAll(bench);
  const silent = runs.slice(0, SILENT).map((runId) => new SilentReader(streamOf(bench, runId)));
  const readers = runs.flatMap((runId) =>
    Array.from({ length: READERS_OF_A_RUN }, () => ({
      runId,
      reader: new Reader(streamOf(bench, runId)),
    })),
  );
  let mostAtOnce = 0;
  let isOver = false;
  const watching = (async () => {
    while (!isOver) {
      mostAtOnce = Math.max(mostAtOnce, await count(connection, "{running}"));
      await delay(POLL_MS);
    }
  })();
  const all = [...readers, ...feeds].map(({ reader }) => reader);
  try {
    await meanwhile(createUntilBack(all));
    await untilStill(bench);
  } finally {
    isOver = true;
    await watching;
  }
  await Promise.all(readers.map(({ reader }) => reader.done()));
  const ended = () => feeds.every(({ open }) => open.size === 0);
  await until(ended, { what: "the feeds to tell every end" });
  await Promise.all(feeds.map(({ reader }) => reader.leave()));
  for (const reader of silent) reader.leave();
  const faults = await Promise.all(readers.map((read) => compare(connection, read)));
  return {
    readers: all.length,
    events: all.reduce((sum, { frames }) => sum + frames.length, 0),
    connections: all.reduce((sum, reader) => sum + reader.connections, 0),
    mostAtOnce,
    faults: [...faults.flat(), ...feeds.flatMap((feed) => feed.faults)],
  };
}

/** What a reader was told of a run, against its log. */
async function compare(
  { db }: Connection,
  { runId, reader }: { runId: string; reader: Reader },
): Promise<string[]> {
  const log = await listEvents(db, runId, { afterSeq: 0, limit: 1_000_000 });
  const told = reader.frames.map(({ id, data }) => {
    const { seq, kind, message } = JSON.parse(data) as { seq: number; kind: string; message: string };
    return JSON.stringify([id, seq, kind, message]);
  });
  const expected = log.map(({ seq, kind, message }) => JSON.stringify([seq, seq, kind, message]));
  if (log.at(-1)?.kind !== "run.completed") return [`run ${runId} has no end`];
  return told.join() === expected.join() ? [] : [`run ${runId}: told ${told.length} of ${log.length} events`];
}

/** The most memory of a new process that scans everything some times, with or without readers. */
async function measureRss(bench: Bench, round: () => Promise<unknown>): Promise<number> {
  const app = await bench.startApp();
  for (let i = 0; i < ROUNDS; i += 1) await round();
  const rss = await app.peakRssMb();
  await app.stop();
  return rss;
}

async function scanUnread(bench: Bench): Promise<void> {
  await rescanAll(bench);
  await untilStill(bench);
}

/** Gives a run that has ended a log of many megabytes; answers the run. */
async function lengthenLog({ connection }: Bench): Promise<string> {
  const { rows } = await sql<{ id: string }>`
    with run as (
      update runs set event_seq = event_seq + ${LONG_LOG} where id = (select max(id) from runs where finished_at is not null)
      returning id, event_seq - ${LONG_LOG} as last
    )
    insert into run_events (run_id, seq, level, kind, message)
    select id, last + i, 'info', 'run.progress', repeat('x', 200) from run, generate_series(1, ${LONG_LOG}) i
    returning run_id as id`.execute(connection.db);
  return rows[0]?.id ?? "";
}

/** How many of the readers that take nothing of a long log lose their connections. */
async function countDropped(bench: Bench): Promise<number> {
  const runId = await lengthenLog(bench);
  const app = await bench.startApp();
  const readers = Array.from({ length: SILENT }, () => new SilentReader(streamOf(bench, runId)));
  await delay(DROPPED_WITHIN_MS);
  const served = await Promise.all(readers.map((reader) => reader.wasServed()));
  await app.stop();
  return served.filter((was) => !was).length;
}

/** A round in which the server is stopped, started, killed and started again. */
async function restartRound(bench: Bench): Promise<Told & { stopSeconds: number }> {
  let app = await bench.startApp();
  let stopSeconds = 0;
  const told = await readRound(bench, async (untilBack) => {
    await untilRunning(bench);
    await untilBack();
    const startedAt = performance.now();
    await app.stop();
    stopSeconds = (performance.now() - startedAt) / 1000;
    app = await bench.startApp();
    await untilRunning(bench);
    await untilBack();
    await app.kill();
    app = await bench.startApp();
  });
  await app.stop();
  return { ...told, stopSeconds };
}

async function measure(bench: Bench): Promise<boolean> {
  const app = await bench.startApp();
  const installations = new Set<number>();
  const removals: (() => Promise<void>)[] = [];
  for (let i = 0; i < REPOSITORIES; i += 1) {
    const pushes = await makePushes({ seed: i, files: FILES, commits: 1 });
    removals.push(pushes.remove);
    const installation_id = bench.simulator.addInstallation({ account: `bench-${i}` });
    bench.simulator.addRepository({ installation_id, git_dir: pushes.gitDir, name: `repository-${i}` });
    installations.add(installation_id);
  }
  for (const id of installations) await bench.simulator.deliverInstallationCreated(id);
  await until(async () => (await count(bench.connection, "{succeeded}")) === REPOSITORIES, {
    what: "the first scans",
    timeoutMs: STILL_WITHIN_MS,
  });
  await app.stop();

  const without: number[] = [];
  const withReaders: number[] = [];
  const told: Told[] = [];
  for (let i = 0; i < MEASURED; i += 1) {
    without.push(await measureRss(bench, () => scanUnread(bench)));
    withReaders.push(await measureRss(bench, async () => told.push(await readRound(bench))));
  }
  const restarted = await restartRound(bench);
  const dropped = await countDropped(bench);
  await Promise.all(removals.map((remove) => remove()));
  return report({ without, withReaders, told, restarted, dropped });
}

interface Measured {
  without: number[];
  withReaders: number[];
  told: Told[];
  restarted: Told & { stopSeconds: number };
  dropped: number;
}

function report({ without, withReaders, told, restarted, dropped }: Measured): boolean {
  const growth = quantile(withReaders, 0.5) - quantile(without, 0.5);
  const row = (what: string, { readers, events, connections, mostAtOnce, faults }: Told) => ({
    what,
    readers,
    connections,
    "events read": events,
    "runs at once": mostAtOnce,
    faults: faults.length,
  });
  console.table([...told.map((of) => row("one server", of)), row("stopped and killed meanwhile", restarted)]);
  console.table({
    "RSS without readers (MB)": without.map(Math.round).join(", "),
    "RSS with readers (MB)": withReaders.map(Math.round).join(", "),
    "silent readers let go of": `${dropped} of ${SILENT}`,
    "stopped within (s)": restarted.stopSeconds.toFixed(1),
  });
  const all = [...told, restarted];
  for (const fault of all.flatMap(({ faults }) => faults).slice(0, 10)) console.log(fault.slice(0, 300));
  const bars = [
    { what: "nothing lost, doubled or out of order", holds: all.every(({ faults }) => faults.length === 0) },
    { what: `${REPOSITORIES} runs at once`, holds: all.every((of) => of.mostAtOnce === REPOSITORIES) },
    { what: "the readers came back each time", holds: restarted.connections >= restarted.readers * 3 },
    { what: "readers that take nothing are let go of", holds: dropped === SILENT },
    {
      what: `RSS grows by at most ${MAX_GROWTH_MB} MB: ${growth.toFixed(0)}`,
      holds: growth <= MAX_GROWTH_MB,
    },
  ];
  for (const { what, holds } of bars) console.log(`${holds ? "held  " : "MISSED"} ${what}`);
  return bars.every(({ holds }) => holds);
}

const isHeld = await withDatabase(async (databaseUrl) => {
  const simulator = await startSimulator();
  simulator.setContentLimits(null);
  simulator.setBudgetWindow({ limit: 10_000_000, seconds: 3_600 });
  const connection = connect({ connection: configOf(databaseUrl), log: createLogger("silent") });
  const PORT = String(await findPort());
  const environment = {
    DATABASE_URL: databaseUrl,
    PORT,
    RUN_SLOTS: String(REPOSITORIES),
    LEASE_SECONDS: "5",
    WRITES_PER_HOUR: "100000",
  };
  const apps: BenchApp[] = [];
  const startApp = async () => {
    const app = await startBenchApp(simulator, environment);
    apps.push(app);
    return app;
  };
  try {
    return await measure({ simulator, connection, url: `http://127.0.0.1:${PORT}`, startApp });
  } finally {
    await Promise.all(apps.map((app) => app.stop())); // which were stopped, if nothing went wrong
    await connection.close();
    await simulator.close();
  }
});
process.exitCode = isHeld ? 0 : 1;
