import { sql } from "kysely";
import { expect, onTestFinished, test } from "vitest";
import { transaction } from "../../src/database/connect.ts";
import { deleteOldDeliveries, markHandled, storeDelivery } from "../../src/deliveries/store.ts";
import { createGitHub } from "../../src/github/client.ts";
import { createSource } from "../../src/github/source.ts";
import { createLogger } from "../../src/log.ts";
import { executeRun, type Perform } from "../../src/runs/execute.ts";
import { claimRun, finishRun, requestRun, setHead } from "../../src/runs/queue.ts";
import { deleteOldRefusals, deleteOldRuns } from "../../src/runs/retention.ts";
import { Parser } from "../../src/scan/parser.ts";
import { scanRepository } from "../../src/scan/scan.ts";
import type { Simulator } from "../simulator/simulator.ts";
import { startTestSimulator } from "../simulator/test-client.ts";
import { type Database, useDatabase } from "../support/database.ts";
import { createRepository, type Files, type TestRepository } from "../support/git.ts";
import { createRandom } from "../support/random.ts";
import { readRow, seedRepository, TIMINGS } from "../support/seed.ts";
import { expectTruth } from "../support/truth.ts";

/** `npm run soak` pushes a thousand times. */
const PUSHES = Number(process.env.PUSHES ?? 60);
const SEED = Number(process.env.SEED ?? Date.now() % 100_000);
const FILES = 80;
/** Enough for an archive: Octokit sends a batch of blobs, being a POST, once a second only. */
const CHANGED_BY_A_PUSH = 40;
/** So many pushes, and 31 days are over: what housekeeping does in an hour of each of them is done then. */
const PUSHES_A_MONTH = 25;
const RETENTION_DAYS = 30;
/** The tables of the index may take so many times the room that a fresh index takes, once vacuumed. */
const INDEX_FACTOR = 2;
const INDEX_TABLES = ["blobs", "chunks", "files"] as const;
const HISTORY_TABLES = ["deliveries", "runs", "run_events", "run_requests", "check_reports"] as const;

const database = useDatabase();
const log = createLogger("silent");

test(`${PUSHES} pushes leave an index as large as a fresh one, and a history of a month (seed ${SEED})`, async () => {
  const random = createRandom(SEED);
  const text = (words: number) =>
    Array.from({ length: words }, () => random.below(1e9).toString(36)).join(" ");
  const git = await createRepository({ bare: true, files: firstFiles(() => text(300)) });
  const { scan } = await openScanner(git);
  const fresh = await database.createDatabase();
  await scan(database, "first");

  for (let push = 1; push <= PUSHES; push += 1) {
    await git.commit(change(random.below, () => text(random.below(600))));
    await scan(database, `push-${push}`);
    await sql`vacuum blobs, chunks, files`.execute(database.db); // as autovacuum does: more than a fifth is dead
    if (push % PUSHES_A_MONTH === 0) await passMonth(database);
  }
  await scan(fresh, "fresh");

  const [worn, anew] = [await measure(database), await measure(fresh)];
  console.table(
    Object.fromEntries(
      [...INDEX_TABLES, ...HISTORY_TABLES].map((table) => [
        table,
        {
          rows: worn[table].rows,
          "rows afresh": anew[table].rows,
          KiB: worn[table].bytes / 1024,
          "KiB afresh": anew[table].bytes / 1024,
          "HOT updates": worn[table].hot,
        },
      ]),
    ),
  );
  await expectTruth(database.db, { repositoryId: "100", gitDir: git.dir, commit: await git.head() });
  for (const table of INDEX_TABLES) expect(worn[table].rows, table).toBe(anew[table].rows);
  for (const table of INDEX_TABLES)
    expect(worn[table].bytes / anew[table].bytes, table).toBeLessThan(INDEX_FACTOR);
  const kept = (PUSHES % PUSHES_A_MONTH) + 1;
  expect([worn.runs.rows, worn.run_requests.rows, worn.check_reports.rows]).toEqual([kept, kept, kept]);
  expect(worn.deliveries.rows).toBe(PUSHES % PUSHES_A_MONTH);
  expect(worn.run_events.rows).toBeLessThanOrEqual(kept * 20);
}, 1_800_000);

function firstFiles(text: () => string): Record<string, string> {
  return Object.fromEntries(Array.from({ length: FILES }, (_, i) => [pathOf(i), text()]));
}

function pathOf(i: number): string {
  return `src/${i % 20}/file-${i}.txt`;
}

/** Some files get another text, one goes, one (perhaps gone before) comes. */
function change(below: (n: number) => number, text: () => string): Files {
  const changed = Array.from({ length: CHANGED_BY_A_PUSH }, () => [pathOf(below(FILES)), text()]);
  return {
    ...Object.fromEntries(changed),
    [pathOf(FILES + below(50))]: text(),
    [pathOf(FILES + below(50))]: null,
  };
}

/** Everything a push leads to but the check run, one after the other and without its pace of one a second. */
async function openScanner(git: TestRepository) {
  const simulator = await startTestSimulator();
  const installation_id = simulator.addInstallation({ id: 1 });
  simulator.addRepository({ installation_id, git_dir: git.dir, name: "repository-100", id: 100 });
  const plenty = Number.MAX_SAFE_INTEGER; // a thousand pushes ask more than an hour's budget allows
  const budget = { limit: plenty, remaining: plenty, reset: plenty };
  for (const resource of ["core", "graphql"] as const) simulator.setBudget(installation_id, budget, resource);
  const octokit = openGitHub(simulator).as({
    installationId: "1",
    repositoryId: "100",
    permissions: { contents: "read", metadata: "read" },
    background: false,
  });
  const limits = { maxFiles: 100_000, maxFileBytes: 1024 ** 2, maxRepositoryBytes: 1024 ** 3 };
  const parser = new Parser({ threads: 1 });
  onTestFinished(() => parser.close());
  const perform: Perform = (run, tools) =>
    scanRepository(run, {
      ...tools,
      limits,
      parser,
      source: createSource({
        octokit,
        limits,
        repository: { id: "100", owner: "octo-org", name: "repository-100" },
        onSeen: async () => {},
      }),
      setHead: ({ trx }, head) => setHead(trx, run, head),
      warn: async () => {},
      finish: ({ trx }, result) => finishRun(trx, run, result),
    });
  const known = new Set<Database>();
  return {
    async scan(on: Database, guid: string): Promise<void> {
      if (!known.has(on)) await seedRepository(on.db);
      if (known.has(on)) await receivePush(on, guid, await git.head());
      else
        await transaction(on.connection, ({ trx }) =>
          requestRun(trx, { repository_id: "100", trigger: "install" }),
        );
      known.add(on);
      const run = await claimRun(on.db, { worker: "test", leaseSeconds: 15 });
      if (!run) throw new Error("nothing to claim");
      const { connection } = on;
      await executeRun(run, {
        connection,
        timings: TIMINGS,
        perform,
        log,
        shutdown: new AbortController().signal,
      });
      expect((await readRow(on.db, run.id)).state, guid).toBe("succeeded");
      // As the report loop would, once GitHub has been told.
      await sql`update check_reports set state = 'completed' where state = 'open'`.execute(on.db);
    },
  };
}

function openGitHub({ environment, url, webhookSecret }: Simulator) {
  const { APP_ID: appId = "", PRIVATE_KEY: privateKey = "" } = environment;
  return createGitHub({ appId, privateKey, webhookSecret, baseUrl: `${url}/api/v3` }, log);
}

async function receivePush({ db, connection }: Database, guid: string, wanted_head: string): Promise<void> {
  const ids = { installation_id: "1", repository_id: "100" };
  await storeDelivery(db, { guid, event: "push", action: null, ...ids, payload: "x".repeat(8_000) });
  await transaction(connection, async ({ trx }) => {
    await requestRun(trx, { repository_id: "100", trigger: "push", wanted_head, delivery_guid: guid });
    await markHandled(trx, guid, "A run.");
  });
}

/** All there is becomes 31 days older, housekeeping deletes what is too old, and autovacuum follows. */
async function passMonth({ db }: Database): Promise<void> {
  await sql`update runs set finished_at = finished_at - interval '31 days'`.execute(db);
  await sql`update deliveries set handled_at = handled_at - interval '31 days'`.execute(db);
  for (const clean of [deleteOldDeliveries, deleteOldRuns, deleteOldRefusals]) {
    while ((await clean(db, RETENTION_DAYS)) > 0);
  }
  await sql`vacuum`.execute(db);
}

type Measured = Record<
  (typeof INDEX_TABLES)[number] | (typeof HISTORY_TABLES)[number],
  {
    rows: number;
    bytes: number;
    hot: string;
  }
>;

async function measure({ db }: Database): Promise<Measured> {
  await sql`vacuum analyze`.execute(db);
  const measured = [];
  for (const table of [...INDEX_TABLES, ...HISTORY_TABLES]) {
    // Paths of files that are gone stay in chunks of paths for a while.
    const counted = table === "chunks" ? sql`chunks where sha is not null` : sql.table(table);
    const { rows } = await sql<{ rows: number; bytes: number; hot: string }>`
      select (select count(*)::int from ${counted}) as rows,
        pg_total_relation_size(${table}::regclass)::float8 as bytes,
        n_tup_hot_upd || ' of ' || n_tup_upd as hot
      from pg_stat_user_tables where relname = ${table}`.execute(db);
    measured.push([table, rows[0]]);
  }
  return Object.fromEntries(measured);
}
