import { createReadStream } from "node:fs";
import { chmod, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { Readable } from "node:stream";
import { readTarball } from "../../src/github/tarball.ts";
import { chunkText } from "../../src/scan/chunk.ts";
import { classifyBlob } from "../../src/scan/classify.ts";
import { gitBlobSha } from "../../src/scan/manifest.ts";
import { startSimulator } from "../simulator/simulator.ts";
import { startAppProcess } from "../support/app-process.ts";
import { type Corpus, loadCorpus } from "./corpus.ts";

/**
 * `npm run bench:scan`: a whole first scan against the floor, which is reading, verifying, decoding and cutting the
 * same archive with no database and no GitHub. All in one run, since machines are noisy: compare the ratios.
 * BENCH_DATABASE_URL names a PostgreSQL to measure beside the embedded server; its database "repodex_bench" is
 * dropped and made anew.
 */
const API_TOKEN = "bench-bench-bench-bench";
const LIMITS = { maxFiles: 1_000_000, maxFileBytes: 1_048_576, maxRepositoryBytes: 20 * 1024 ** 3 };

interface Row {
  what: string;
  seconds: string;
  "× floor": string;
  "MB/s": string;
  "files/s": string;
  "RSS (MB)": string;
  requests: string;
}

async function measureFloor(corpus: Corpus): Promise<number> {
  const startedAt = performance.now();
  const body = Readable.toWeb(createReadStream(corpus.archive)) as ReadableStream<Uint8Array>;
  const signal = new AbortController().signal;
  let chunks = 0;
  for await (const { content } of readTarball(body, { limits: LIMITS, signal, wanted: () => true })) {
    gitBlobSha(content);
    const blob = classifyBlob(content);
    if (blob.state === "indexed") chunks += chunkText(blob.text).length;
  }
  if (chunks === 0) throw new Error("The corpus gave no chunks.");
  return (performance.now() - startedAt) / 1000;
}

interface Measured {
  seconds: number;
  rssMb: number;
  requests: number;
  stages: { stage: string; seconds: number }[];
}

interface LogEvent {
  at: string;
  kind: string;
  data: { stage?: string };
}

async function measureScan(corpus: Corpus, database: Record<string, string>): Promise<Measured> {
  const simulator = await startSimulator();
  const app = await startAppProcess({
    ...simulator.environment,
    ...database,
    HOST: "127.0.0.1",
    PORT: "0",
    API_TOKEN,
    LOG_LEVEL: "info",
  });
  try {
    simulator.webhookUrl = `${app.url}/api/github/webhooks`;
    const installation = simulator.addInstallation();
    const repository = simulator.addRepository({
      installation_id: installation,
      git_dir: corpus.gitDir,
      name: "bench",
    });
    repository.archive_file = corpus.archive;
    await simulator.deliverInstallationCreated(installation);
    await simulator.until(() => simulator.checkRuns.find((check) => check.status === "completed"), {
      timeoutMs: 600_000,
      what: "the scan",
    });
    const get = async (route: string) =>
      (
        await fetch(`${app.url}/api/v1${route}`, { headers: { authorization: `Bearer ${API_TOKEN}` } })
      ).json();
    const run = (await get("/runs/1")) as {
      state: string;
      verified: boolean;
      started_at: string;
      finished_at: string;
    };
    if (run.state !== "succeeded" || !run.verified) throw new Error(`The scan ended ${run.state}.`);
    const status = await readFile(`/proc/${app.child.pid}/status`, "utf8").catch(() => "");
    const { data } = (await get("/runs/1/log?limit=1000")) as { data: LogEvent[] };
    return {
      seconds: (Date.parse(run.finished_at) - Date.parse(run.started_at)) / 1000,
      rssMb: Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? Number.NaN) / 1024,
      requests: simulator.requests.length,
      stages: stagesOf(data),
    };
  } finally {
    await app.stop();
    await simulator.close();
  }
}

function stagesOf(events: LogEvent[]): Measured["stages"] {
  const marks = events.filter(
    ({ kind, data }) => kind === "run.started" || kind === "run.completed" || data.stage,
  );
  const stages = new Map<string, number>();
  marks.forEach((event, i) => {
    const next = marks[i + 1];
    const stage = event.data.stage ?? "starting";
    if (next)
      stages.set(stage, (stages.get(stage) ?? 0) + (Date.parse(next.at) - Date.parse(event.at)) / 1000);
  });
  return [...stages].map(([stage, seconds]) => ({ stage, seconds }));
}

function rowOf(
  what: string,
  corpus: Corpus,
  { seconds, floor, measured }: { seconds: number; floor: number; measured?: Measured },
): Row {
  return {
    what,
    seconds: seconds.toFixed(1),
    "× floor": (seconds / floor).toFixed(2),
    "MB/s": (corpus.bytes / 1e6 / seconds).toFixed(1),
    "files/s": (corpus.files / seconds).toFixed(0),
    "RSS (MB)": measured ? measured.rssMb.toFixed(0) : "",
    requests: measured ? String(measured.requests) : "",
  };
}

async function withDataDir<T>(work: (dataDir: string) => Promise<T>): Promise<T> {
  const dataDir = await mkdtemp(path.join(tmpdir(), "repodex-bench-"));
  await chmod(dataDir, 0o755);
  try {
    return await work(dataDir);
  } finally {
    await rm(dataDir, { recursive: true, force: true });
  }
}

async function recreate(url: string): Promise<string> {
  const { default: pg } = await import("pg");
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query("drop database if exists repodex_bench with (force)");
  await client.query(
    "create database repodex_bench template template0 encoding 'UTF8' lc_collate 'C' lc_ctype 'C.UTF-8'",
  );
  await client.end();
  const bench = new URL(url);
  bench.pathname = "/repodex_bench";
  return bench.href;
}

const corpus = await loadCorpus();
console.log(`${corpus.files.toLocaleString("en-US")} files, ${(corpus.bytes / 1e6).toFixed(0)} MB`);
await measureFloor(corpus); // warms the code and the page cache
const floor = await measureFloor(corpus);
const rows = [rowOf("floor", corpus, { seconds: floor, floor })];
const details: Record<string, Measured["stages"]> = {};
const server = process.env.BENCH_DATABASE_URL;
if (server) {
  const DATABASE_URL = await recreate(server);
  const measured = await withDataDir((DATA_DIR) => measureScan(corpus, { DATABASE_URL, DATA_DIR }));
  rows.push(rowOf("PostgreSQL", corpus, { seconds: measured.seconds, floor, measured }));
  details.PostgreSQL = measured.stages;
}
const embedded = await withDataDir((DATA_DIR) => measureScan(corpus, { DATA_DIR }));
rows.push(rowOf("embedded", corpus, { seconds: embedded.seconds, floor, measured: embedded }));
details.embedded = embedded.stages;
console.table(rows);
for (const [what, stages] of Object.entries(details)) {
  console.log(what, stages.map(({ stage, seconds }) => `${stage} ${seconds.toFixed(1)} s`).join(", "));
}
