import path from "node:path";
import { startSimulator } from "../simulator/simulator.ts";
import { administer } from "../support/databases.ts";
import { startBenchApp } from "./app.ts";
import { type Corpus, loadCorpus } from "./corpus.ts";
import { recreate, withEmbedded } from "./database.ts";
import { type MeasuredScan, measureScan } from "./first-scan.ts";

/**
 * `npm run bench:load`: what the search index costs a whole first scan. The same scan as it is, without any search
 * index, and with a pg_trgm index in place of ours, all in one run, since machines are noisy: compare the ratios.
 * BENCH_DATABASE_URL names a PostgreSQL to measure on, before the embedded server does it once more as it is; its
 * database "repodex_bench" is dropped and made anew. WAYS=ab leaves the pg_trgm index out.
 */
const WAYS = process.env.WAYS ?? "abc";
const WITHOUT_GRAMS = { imports: [path.join(import.meta.dirname, "without-grams.ts")] };
const GRAM_TABLES = "'{gram_segments,gram_parts,gram_postings}'::regclass[]";

interface Sizes {
  database: number;
  grams: number;
  trigrams: number;
  segments: number;
  /** Bytes of the texts that are indexed: larger files and others are only listed. */
  source: number;
}

interface Loaded extends MeasuredScan, Sizes {
  what: string;
}

async function readSizes(url: string): Promise<Sizes> {
  const [sizes] = await administer<Sizes>(
    url,
    `select pg_database_size(current_database())::float8 as database,
      (select sum(pg_total_relation_size(t)) from unnest(${GRAM_TABLES}) t)::float8 as grams,
      coalesce(pg_relation_size(to_regclass('chunks_trigrams')), 0)::float8 as trigrams,
      (select count(*) from gram_segments)::int as segments,
      (select sum(indexed_bytes)::float8 from repositories) as source`,
  );
  if (!sizes) throw new Error("The sizes could not be read.");
  return sizes;
}

/** Lets the app make its tables and gives them the index that everyone would try first. */
async function prepareTrigrams(url: string): Promise<void> {
  const simulator = await startSimulator();
  const app = await startBenchApp(simulator, { DATABASE_URL: url });
  await app.stop();
  await simulator.close();
  await administer(
    url,
    "create extension pg_trgm",
    "create index chunks_trigrams on chunks using gin (text gin_trgm_ops)",
  );
}

async function loadAsItIs(corpus: Corpus, { url, what }: { url: string; what: string }): Promise<Loaded> {
  return { what, ...(await measureScan(corpus, { DATABASE_URL: url })), ...(await readSizes(url)) };
}

async function loadWithoutGrams(
  corpus: Corpus,
  { url, what }: { url: string; what: string },
): Promise<Loaded> {
  const measured = await measureScan(corpus, { DATABASE_URL: url }, WITHOUT_GRAMS);
  const sizes = await readSizes(url);
  if (sizes.segments > 0) throw new Error("There is a search index all the same.");
  return { what, ...measured, ...sizes, grams: 0 };
}

function rowOf({ what, seconds, database, grams, trigrams, segments, source, rssMb }: Loaded, base: Loaded) {
  return {
    what,
    seconds: seconds.toFixed(1),
    "× no index": (seconds / base.seconds).toFixed(2),
    "MB/s": (source / 1e6 / seconds).toFixed(1),
    "database ÷ source": (database / source).toFixed(3),
    "index ÷ source": ((grams + trigrams) / source).toFixed(3),
    segments,
    "RSS (MB)": rssMb.toFixed(0),
  };
}

/** On one server, one way after the other; without a search index first. */
async function loadAllWays(
  corpus: Corpus,
  { server, databaseFor }: { server: string; databaseFor: () => Promise<string> },
): Promise<{ plain: Loaded; ours: Loaded; trigrams: Loaded | null }> {
  const plain = await loadWithoutGrams(corpus, {
    url: await databaseFor(),
    what: `${server}, no search index`,
  });
  console.log(`${plain.what}: ${plain.seconds.toFixed(1)} s`);
  const ours = await loadAsItIs(corpus, { url: await databaseFor(), what: `${server}, as it is` });
  console.log(`${ours.what}: ${ours.seconds.toFixed(1)} s`);
  if (!WAYS.includes("c")) return { plain, ours, trigrams: null };
  const url = await databaseFor();
  await prepareTrigrams(url);
  const trigrams = await loadWithoutGrams(corpus, { url, what: `${server}, pg_trgm GIN` });
  console.log(`${trigrams.what}: ${trigrams.seconds.toFixed(1)} s`);
  return { plain, ours, trigrams };
}

/** Says whether a bar holds, and that the run failed where it does not. */
function check(what: string, value: number, holds: boolean): void {
  console.log(`${holds ? "held  " : "MISSED"} ${what}: ${value.toFixed(2)}`);
  if (!holds) process.exitCode = 1;
}

const corpus = await loadCorpus();
console.log(`${corpus.files.toLocaleString("en-US")} files, ${(corpus.bytes / 1e6).toFixed(0)} MB`);
const server = process.env.BENCH_DATABASE_URL;
const databaseFor = async (url: string) => {
  const fresh = await recreate(url);
  await administer(url, "checkpoint"); // none that belongs to the scan before
  return fresh;
};
const { plain, ours, trigrams } = server
  ? await loadAllWays(corpus, { server: "PostgreSQL", databaseFor: () => databaseFor(server) })
  : await withEmbedded((url) =>
      loadAllWays(corpus, { server: "embedded", databaseFor: () => databaseFor(url) }),
    );
const embedded = server
  ? await withEmbedded((url) => loadAsItIs(corpus, { url, what: "embedded, as it is" }))
  : null;
const all = [ours, plain, trigrams, embedded].filter((loaded) => loaded !== null);
console.table(all.map((loaded) => rowOf(loaded, plain)));
for (const { what, stages } of all)
  console.log(what, stages.map(({ stage, seconds }) => `${stage} ${seconds.toFixed(1)} s`).join(", "));
const ratio = ours.seconds / plain.seconds;
check("as it is ÷ no search index, at most 2.2", ratio, ratio <= 2.2);
if (trigrams) {
  const slower = trigrams.seconds / ours.seconds;
  check("pg_trgm ÷ as it is, at least 5", slower, slower >= 5);
}
for (const { what, database, grams, source } of [ours, embedded].filter((loaded) => loaded !== null)) {
  const [whole, index] = [database / source, grams / source];
  check(`${what}: database ÷ source, at most 1.1`, whole, whole <= 1.1);
  check(`${what}: search index ÷ source, at most 0.35`, index, index <= 0.35);
}
