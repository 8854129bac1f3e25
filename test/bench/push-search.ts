import { connect } from "../../src/database/connect.ts";
import { OPERATOR } from "../../src/database/viewer.ts";
import { createLogger } from "../../src/log.ts";
import { parseQuery } from "../../src/search/query.ts";
import { createSearchEngine, search } from "../../src/search/search.ts";
import { startSimulator } from "../simulator/simulator.ts";
import { createRandom } from "../support/random.ts";
import { until } from "../support/wait.ts";
import { startBenchApp } from "./app.ts";
import { withDatabase } from "./database.ts";
import { commitChanges, createLarge, markOf } from "./large-repository.ts";
import { quantile } from "./quantile.ts";

/**
 * `npm run bench:push-search`: how soon a push of ten files to a repository of 50,000 (FILES) can be searched, and what
 * 500 of them (PUSHES) leave of the speed of searches, which go on meanwhile. BENCH_DATABASE_URL as in bench:search.
 */
const FILES = Number(process.env.FILES ?? 50_000);
const PUSHES = Number(process.env.PUSHES ?? 500);
const ROUNDS = 4;
const TIMEOUT_MS = 60_000;

const random = createRandom(7);
const QUERIES = Array.from({ length: 40 }, (_, i) => {
  const word = random.pick(["const", "return", "await", "query", "string", "number"]);
  if (i % 4 === 0) return `"${word} value${random.below(1_000)} ="`;
  if (i % 4 === 1) return `"// file ${random.below(FILES)}"`;
  return i % 4 === 2 ? `"array${random.below(1_000)} = ${word}"` : `${word}${random.below(1_000)}`;
});

await withDatabase(async (url) => {
  const git = await createLarge(FILES);
  const simulator = await startSimulator();
  simulator.setContentLimits(null);
  const app = await startBenchApp(simulator, { DATABASE_URL: url, WRITES_PER_HOUR: "100000" });
  const connection = connect({
    connection: { connectionString: url },
    log: createLogger("silent"),
    maxConnections: 4,
  });
  const engine = createSearchEngine(connection);
  const ask = async (query: string) => {
    const startedAt = performance.now();
    const options = { limit: 50, context: 0, lines: 10, cursor: null };
    const { data } = await search(engine, OPERATOR, parseQuery(query), options);
    return { ms: performance.now() - startedAt, found: data.length };
  };
  const timeQueries = async () => {
    const times: number[] = [];
    for (const query of QUERIES) await ask(query);
    for (let round = 0; round < ROUNDS; round += 1)
      for (const query of QUERIES) times.push((await ask(query)).ms);
    return times;
  };
  const countSegments = async () =>
    (await connection.db.selectFrom("gram_segments").select("id").execute()).length;
  const isFound = async (mark: string) => (await ask(`"${mark}"`)).found > 0;
  try {
    const installation_id = simulator.addInstallation();
    simulator.setBudgetWindow({ limit: 10_000_000, seconds: 3_600 });
    const { id } = simulator.addRepository({ installation_id, git_dir: git.dir, name: "large" });
    await simulator.deliverInstallationCreated(installation_id);
    await until(() => isFound("// file 1"), { what: "the first scan", timeoutMs: 600_000 });
    await timeQueries(); // warm
    const before = { times: await timeQueries(), segments: await countSegments() };

    const meanwhile: number[] = [];
    let isOver = false;
    const asking = (async () => {
      for (let i = 0; !isOver; i += 1) {
        meanwhile.push((await ask(QUERIES[i % QUERIES.length] as string)).ms);
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    })();
    const searchable: number[] = [];
    for (let step = 1; step <= PUSHES; step += 1) {
      const pushed = await commitChanges(git, { files: FILES, step });
      const startedAt = performance.now();
      await simulator.deliverPush(id, pushed);
      await until(() => isFound(markOf(step)), {
        what: `push ${step}`,
        timeoutMs: TIMEOUT_MS,
      });
      searchable.push((performance.now() - startedAt) / 1000);
    }
    isOver = true;
    await asking;
    const after = { times: await timeQueries(), segments: await countSegments() };
    console.table([
      {
        pushes: PUSHES,
        "searchable after, p50 (s)": quantile(searchable, 0.5).toFixed(2),
        "p95 (s)": quantile(searchable, 0.95).toFixed(2),
        "max (s)": quantile(searchable, 1).toFixed(2),
      },
    ]);
    const row = (when: string, times: number[], segments: string) => ({
      when,
      "p50 (ms)": quantile(times, 0.5).toFixed(1),
      "p95 (ms)": quantile(times, 0.95).toFixed(1),
      segments,
    });
    console.table([
      row("before the pushes", before.times, String(before.segments)),
      row("during them", meanwhile, ""),
      row("after them", after.times, String(after.segments)),
    ]);
    console.log(
      `p95 after ÷ before: ${(quantile(after.times, 0.95) / quantile(before.times, 0.95)).toFixed(2)}`,
    );
  } finally {
    await engine.close();
    await connection.close();
    await app.stop();
    await simulator.close();
    await git.remove();
  }
});
