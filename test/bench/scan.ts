import { createReadStream } from "node:fs";
import { Readable } from "node:stream";
import { readTarball } from "../../src/github/tarball.ts";
import { chunkText } from "../../src/scan/chunk.ts";
import { classifyBlob } from "../../src/scan/classify.ts";
import { gitBlobSha } from "../../src/scan/manifest.ts";
import { type Corpus, loadCorpus } from "./corpus.ts";
import { recreate } from "./database.ts";
import { type MeasuredScan, measureScan } from "./first-scan.ts";

/**
 * `npm run bench:scan`: a whole first scan against the floor, which is reading, verifying, decoding and cutting the
 * same archive with no database and no GitHub. All in one run, since machines are noisy: compare the ratios.
 * BENCH_DATABASE_URL names a PostgreSQL to measure beside the embedded server; its database "repodex_bench" is
 * dropped and made anew. COPIES=10 takes the corpus ten times over, each copy of other contents.
 */
const LIMITS = { maxFileBytes: 1_048_576, maxRepositoryBytes: 20 * 1024 ** 3 };

interface Row {
  what: string;
  seconds: string;
  "× floor": string;
  "MB/s": string;
  "files/s": string;
  "RSS (MB)": string;
  "loop p99 (ms)": string;
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

function rowOf(
  what: string,
  corpus: Corpus,
  { seconds, floor, measured }: { seconds: number; floor: number; measured?: MeasuredScan },
): Row {
  return {
    what,
    seconds: seconds.toFixed(1),
    "× floor": (seconds / floor).toFixed(2),
    "MB/s": (corpus.bytes / 1e6 / seconds).toFixed(1),
    "files/s": (corpus.files / seconds).toFixed(0),
    "RSS (MB)": measured ? measured.rssMb.toFixed(0) : "",
    "loop p99 (ms)": measured ? measured.loopP99Ms.toFixed(0) : "",
    requests: measured ? String(measured.requests) : "",
  };
}

const corpus = await loadCorpus(Number(process.env.COPIES ?? 1));
console.log(`${corpus.files.toLocaleString("en-US")} files, ${(corpus.bytes / 1e6).toFixed(0)} MB`);
await measureFloor(corpus); // warms the code and the page cache
const floor = await measureFloor(corpus);
const rows = [rowOf("floor", corpus, { seconds: floor, floor })];
const details: Record<string, MeasuredScan["stages"]> = {};
const server = process.env.BENCH_DATABASE_URL;
for (const what of server ? ["PostgreSQL", "embedded"] : ["embedded"]) {
  const environment = server && what === "PostgreSQL" ? { DATABASE_URL: await recreate(server) } : undefined;
  const measured = await measureScan(corpus, environment ?? {});
  rows.push(rowOf(what, corpus, { seconds: measured.seconds, floor, measured }));
  details[what] = measured.stages;
}
console.table(rows);
for (const [what, stages] of Object.entries(details)) {
  console.log(what, stages.map(({ stage, seconds }) => `${stage} ${seconds.toFixed(1)} s`).join(", "));
}
