import path from "node:path";
import pg from "pg";
import { startSimulator } from "../simulator/simulator.ts";
import { startBenchApp } from "./app.ts";
import { type Corpus, loadCorpus } from "./corpus.ts";
import { withDatabase } from "./database.ts";

/**
 * `npm run bench:load`: the same first scan without a search index, with ours, and with a pg_trgm index on the chunks in
 * its place. All in one run, since machines are noisy: compare the ratios. BENCH_DATABASE_URL names a PostgreSQL to use
 * instead of the embedded server; its database "repodex_bench" is dropped and made anew.
 */
const TIMEOUT_MS = 30 * 60_000;

type Variant = "no search index" | "ours" | "pg_trgm";

interface Measured {
  seconds: number;
  database: number;
  index: number;
  rssMb: number;
}

async function measure(corpus: Corpus, variant: Variant): Promise<Measured> {
  return await withDatabase(async (url) => {
    const client = new pg.Client(url);
    await client.connect();
    const simulator = await startSimulator();
    const imports = variant === "ours" ? [] : [path.join(import.meta.dirname, "without-grams.ts")];
    const start = () => startBenchApp(simulator, { DATABASE_URL: url }, { imports });
    let app = await start();
    try {
      if (variant === "pg_trgm") {
        await app.stop(); // it has made the tables
        await client.query("create extension pg_trgm");
        await client.query("create index trigrams on chunks using gin (text gin_trgm_ops)");
        app = await start();
      }
      const installation_id = simulator.addInstallation();
      const repository = simulator.addRepository({ installation_id, git_dir: corpus.gitDir, name: "bench" });
      repository.archive_file = corpus.archive;
      await simulator.deliverInstallationCreated(installation_id);
      await simulator.until(() => simulator.checkRuns.find((check) => check.status === "completed"), {
        timeoutMs: TIMEOUT_MS,
        what: "the scan",
      });
      const { rows } = await client.query(`
        select extract(epoch from finished_at - started_at)::float8 as seconds, state, reason,
          pg_database_size(current_database())::float8 as database,
          (select sum(pg_total_relation_size(t)) from unnest('{gram_segments,gram_parts,gram_postings}'::regclass[]) t)::float8
            + coalesce(pg_relation_size(to_regclass('trigrams')), 0)::float8 as index
        from runs`);
      if (rows[0].state !== "succeeded")
        throw new Error(`The scan ended ${rows[0].state}: ${rows[0].reason}`);
      return { ...rows[0], rssMb: await app.peakRssMb() };
    } finally {
      await client.end();
      await app.stop();
      await simulator.close();
    }
  });
}

const corpus = await loadCorpus();
console.log(`${corpus.files.toLocaleString("en-US")} files, ${(corpus.bytes / 1e6).toFixed(0)} MB`);
const rows: Record<string, string>[] = [];
let floor: number | undefined;
for (const variant of ["no search index", "ours", "pg_trgm"] as const) {
  const { seconds, database, index, rssMb } = await measure(corpus, variant);
  floor ??= seconds;
  rows.push({
    variant,
    seconds: seconds.toFixed(1),
    "× none": (seconds / floor).toFixed(2),
    "MB/s": (corpus.bytes / 1e6 / seconds).toFixed(1),
    "database ÷ source": (database / corpus.bytes).toFixed(2),
    "index ÷ source": (index / corpus.bytes).toFixed(3),
    "RSS (MB)": rssMb.toFixed(0),
  });
}
console.table(rows);
