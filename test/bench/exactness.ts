import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { sql } from "kysely";
import pg from "pg";
import { type Connection, connect } from "../../src/database/connect.ts";
import { OPERATOR } from "../../src/database/viewer.ts";
import { compactOnce } from "../../src/grams/compaction.ts";
import { createLogger } from "../../src/log.ts";
import { parseQuery } from "../../src/search/query.ts";
import { createSearchEngine, type SearchEngine, search } from "../../src/search/search.ts";
import { startSimulator } from "../simulator/simulator.ts";
import { type Asked, drawQuery, queryOf } from "../support/draw-query.ts";
import { createRepository } from "../support/git.ts";
import { HOSTILE_FILES } from "../support/hostile-texts.ts";
import { createRandom } from "../support/random.ts";
import { until } from "../support/wait.ts";
import { startBenchApp } from "./app.ts";
import { withDatabase } from "./database.ts";
import { ripgrep, writeTexts } from "./ripgrep.ts";
import { loadSearchCorpus } from "./search-corpus.ts";

/**
 * `npm run exactness`: holds the search against ripgrep on real source (REPOSITORIES=110, some 150 MB) and on texts that
 * are made to be hard. The app that indexes them is killed in the middle. QUERIES=400 are drawn from the texts (SEED=1),
 * asked to their last page, and must find the same lines: again while all segments are made anew.
 */
const REPOSITORIES = Number(process.env.REPOSITORIES ?? 110);
const QUERIES = Number(process.env.QUERIES ?? 400);
const SEED = Number(process.env.SEED ?? 1);
const LOAD_TIMEOUT_MS = 30 * 60_000;
const random = createRandom(SEED);

/** Indexes all of it, with a kill -9 once some of the runs have ended. */
async function load(url: string): Promise<void> {
  const simulator = await startSimulator();
  simulator.setContentLimits(null);
  const hostile = await createRepository({ bare: true, files: HOSTILE_FILES });
  const environment = { DATABASE_URL: url, WRITES_PER_HOUR: "100000", LEASE_SECONDS: "4" };
  let app = await startBenchApp(simulator, environment);
  const client = new pg.Client(url);
  await client.connect();
  const count = async (state: string) =>
    Number((await client.query("select count(*) as n from runs where state = $1", [state])).rows[0].n);
  try {
    const installation_id = simulator.addInstallation();
    simulator.setBudgetWindow({ limit: 1_000_000, seconds: 3_600 });
    simulator.addRepository({ installation_id, git_dir: hostile.dir, name: "hostile" });
    const corpus = await loadSearchCorpus(REPOSITORIES);
    for (const { gitDir, name, archive } of corpus) {
      simulator.addRepository({ installation_id, git_dir: gitDir, name }).archive_file = archive;
    }
    await simulator.deliverInstallationCreated(installation_id);
    await until(async () => (await count("succeeded")) > REPOSITORIES / 3, {
      what: "a third of the scans",
      timeoutMs: LOAD_TIMEOUT_MS,
    });
    await app.kill();
    app = await startBenchApp(simulator, environment);
    await until(async () => (await count("succeeded")) === corpus.length + 1, {
      what: "all scans",
      timeoutMs: LOAD_TIMEOUT_MS,
    });
  } finally {
    await client.end();
    await app.stop();
    await simulator.close();
    await hostile.remove();
  }
}

/** All lines of all pages. */
async function ask(engine: SearchEngine, asked: Asked): Promise<Set<string>> {
  const query = parseQuery(queryOf(asked));
  const found = new Set<string>();
  let cursor: string | null = null;
  do {
    const options = { limit: 100, context: 0, lines: 1_000_000, cursor, timeBoxMs: 60_000 };
    const page = await search(engine, OPERATOR, query, options);
    if (page.incomplete) throw new Error(page.incomplete.message);
    for (const { repository_id, path: name, path_base64, lines } of page.data) {
      if (path_base64 !== null) continue;
      for (const { number, match } of lines) if (match) found.add(`${repository_id}/${name}:${number}`);
    }
    cursor = page.next_cursor;
  } while (cursor !== null);
  return found;
}

interface Verdict {
  queries: number;
  lines: number;
  missing: number;
  extra: number;
}

/** What finds more lines than that takes a long time to compare, and is like others. */
const MOST_LINES = 20_000;

async function compare(engine: SearchEngine, asked: Asked[], folder: string): Promise<Verdict> {
  const verdict: Verdict = { queries: 0, lines: 0, missing: 0, extra: 0 };
  for (const one of asked) {
    const theirs = await ripgrep(folder, one);
    if (theirs.size > MOST_LINES) continue;
    const ours = await ask(engine, one);
    const [missing, extra] = [theirs.difference(ours), ours.difference(theirs)];
    verdict.queries += 1;
    if (verdict.queries % 50 === 0) console.log(`${verdict.queries} queries, ${verdict.lines} lines`);
    verdict.lines += theirs.size;
    verdict.missing += missing.size;
    verdict.extra += extra.size;
    if (missing.size + extra.size > 0)
      console.log(one, { missing: [...missing].slice(0, 3), extra: [...extra].slice(0, 3) });
  }
  return verdict;
}

/** Makes segment after segment anew until told to stop; answers how many were. */
function compactMeanwhile(connection: Connection): () => Promise<number> {
  let isOver = false;
  const work = (async () => {
    let replaced = 0;
    while (!isOver) {
      await sql`update gram_parts set dead = chunks where segment_id = (select min(id) from gram_segments)`.execute(
        connection.db,
      );
      replaced += (await compactOnce(connection)).segments;
    }
    return replaced;
  })();
  return async () => {
    isOver = true;
    return await work;
  };
}

async function drawQueries(folder: string): Promise<Asked[]> {
  const names = (await readdir(folder, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name))
    .sort();
  const hostile = names.filter((name) => name.includes("/hard/"));
  const asked: Asked[] = [];
  while (asked.length < QUERIES) {
    const text = await readFile(random.chance(0.3) ? random.pick(hostile) : random.pick(names), "utf8");
    const one = drawQuery(text, random);
    if (one) asked.push(one);
  }
  return asked;
}

await withDatabase(async (url) => {
  await load(url);
  const folder = await mkdtemp(path.join(tmpdir(), "repodex-exactness-"));
  const connection = connect({
    connection: { connectionString: url },
    log: createLogger("warn"),
    maxConnections: 4,
  });
  const engine = createSearchEngine(connection);
  try {
    const bytes = await writeTexts(connection.db, folder);
    const asked = await drawQueries(folder);
    console.log(`${(bytes / 1e6).toFixed(0)} MB of texts, seed ${SEED}`);
    const after = await compare(engine, asked, folder);
    const stop = compactMeanwhile(connection);
    const meanwhile = await compare(engine, asked.slice(0, Math.ceil(QUERIES / 3)), folder);
    const replaced = await stop();
    console.table({
      "after a kill -9 in the middle of the scans": after,
      [`while ${replaced} segments were made anew`]: meanwhile,
    });
    if (after.missing + after.extra + meanwhile.missing + meanwhile.extra > 0) process.exitCode = 1;
  } finally {
    await engine.close();
    await connection.close();
    await rm(folder, { recursive: true });
  }
});
