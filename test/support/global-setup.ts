import { mkdirSync, readdirSync, rmSync, statfsSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import pg from "pg";
import type { TestProject } from "vitest/node";
import { connect } from "../../src/database/connect.ts";
import { startEmbedded } from "../../src/database/embedded.ts";
import { isProvablyNotServer, processIdentity, readPostmaster } from "../../src/database/embedded-process.ts";
import { migrate } from "../../src/database/migrate.ts";
import { createLogger } from "../../src/log.ts";
import { closeCheckedRequests, openCheckedRequests } from "./checked-requests.ts";
import { administer, configOf, urlOf } from "./databases.ts";
import { until } from "./wait.ts";

const FOLDER_PREFIX = "repodex-test-";
const SESSION_PREFIX = "repodex-tests-";
const NEEDED_BYTES = 1024 ** 3;

interface Server {
  url: string;
  remove(): Promise<void>;
}

const log = createLogger("silent");
let teardownSteps: (() => Promise<void>)[] = [];

/** One server a run, and on it one migrated database that each test file clones. */
export async function setup(project: TestProject): Promise<void> {
  await removeLeftFolders();
  const server = await openServer();
  teardownSteps = [() => server.remove()];
  const checkedRequests = openCheckedRequests();
  teardownSteps.unshift(async () => {
    const found = closeCheckedRequests(checkedRequests);
    if (found) console.log(found);
  });
  project.provide("checkedRequests", checkedRequests);
  try {
    const session = await markRun(server.url);
    teardownSteps.unshift(() => session.end());
    const template = `repodex_template_${process.pid}`;
    const prefix = `repodex_test_${process.pid}_`;
    await removeLeftDatabases(server.url);
    teardownSteps.unshift(() =>
      dropDatabases(server.url, (name) => name === template || name.startsWith(prefix)),
    );
    await createTemplate(server.url, template);
    project.provide("server", { url: server.url, template, prefix });
  } catch (error) {
    await teardown();
    throw error;
  }
}

export async function teardown(): Promise<void> {
  const steps = teardownSteps;
  teardownSteps = [];
  for (const step of steps) await step();
}

async function openServer(): Promise<Server> {
  const given = process.env.DATABASE_URL;
  if (given) return { url: given, remove: async () => {} };
  const dataDir = path.join(roomiestFolder(), FOLDER_PREFIX + processIdentity(process.pid));
  mkdirSync(dataDir);
  const server = await startEmbedded({ dataDir, log, volatile: true, settings: { max_connections: "200" } });
  const { user, password, database, host } = server.connection;
  return {
    url: `postgres://${user}:${password}@localhost/${database}?host=${encodeURIComponent(host ?? "")}`,
    async remove() {
      await server.stop();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

function roomiestFolder(): string {
  try {
    const { bavail, bsize } = statfsSync("/dev/shm");
    return bavail * bsize >= NEEDED_BYTES ? "/dev/shm" : os.tmpdir();
  } catch {
    return os.tmpdir();
  }
}

/** Ends the servers of runs that were killed, and removes their folders. */
async function removeLeftFolders(): Promise<void> {
  for (const parent of new Set(["/dev/shm", os.tmpdir()])) {
    for (const entry of namesIn(parent).filter((name) => name.startsWith(FOLDER_PREFIX))) {
      const identity = entry.slice(FOLDER_PREFIX.length);
      if (processIdentity(Number.parseInt(identity, 10)) === identity) continue;
      const folder = path.join(parent, entry);
      const pgdata = path.join(folder, "postgres/pgdata");
      await endServer(pgdata).catch(() => {}); // another user's
      rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
    }
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

async function endServer(pgdata: string): Promise<void> {
  const left = readPostmaster(pgdata);
  if (!left || isProvablyNotServer(left.pid, pgdata)) return;
  process.kill(left.pid, "SIGQUIT");
  await until(() => processIdentity(left.pid) === null, { what: "an earlier run's server to end" });
}

/** A session that says, as long as it is there, that this run's databases are in use. */
async function markRun(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url, application_name: SESSION_PREFIX + process.pid });
  client.on("error", () => {});
  await client.connect();
  return client;
}

/** Drops the databases of runs that are gone, and of one that had this process's id. */
async function removeLeftDatabases(url: string): Promise<void> {
  const sessions = await administer<{ name: string }>(
    url,
    `select application_name as name from pg_stat_activity where application_name like '${SESSION_PREFIX}%'`,
  );
  const live = new Set(sessions.map(({ name }) => Number(name.slice(SESSION_PREFIX.length))));
  live.delete(process.pid);
  await dropDatabases(url, (name) => {
    const pid = /^repodex_(?:template|test)_(\d+)/.exec(name)?.[1];
    return pid !== undefined && !live.has(Number(pid));
  });
}

async function dropDatabases(url: string, which: (name: string) => boolean): Promise<void> {
  const databases = await administer<{ name: string }>(url, "select datname as name from pg_database");
  const names = databases.map(({ name }) => name).filter(which);
  await administer(url, ...names.map((name) => `drop database if exists "${name}" with (force)`));
}

async function createTemplate(url: string, template: string): Promise<void> {
  await administer(url, `create database "${template}" template template0 encoding 'UTF8'`);
  const connection = connect({ connection: configOf(urlOf(url, template)), log, maxConnections: 2 });
  try {
    await migrate(connection, { log });
  } finally {
    await connection.close();
  }
  // A session in it, were it autovacuum's, would keep others from cloning it.
  await administer(url, `alter database "${template}" with allow_connections false`);
}
