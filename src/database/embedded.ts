import { type ChildProcess, spawn } from "node:child_process";
import {
  chownSync,
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import os from "node:os";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import type { Logger } from "pino";
import { type Binaries, findBinaries } from "./embedded-binaries.ts";
import { clusterVersion, createCluster, moveAside, ROLE, readPassword } from "./embedded-cluster.ts";
import { EmbeddedStartFailed } from "./embedded-errors.ts";
import { CHILD_ENV, giveTo, type Home, openHome } from "./embedded-home.ts";
import { isPidTaken, isProvablyNotServer, processIdentity, readPostmaster } from "./embedded-process.ts";
import { ServerUser } from "./embedded-users.ts";

const DATABASE = "repodex";
const PORT = 5432;
/** A Unix socket's path, in bytes, on Linux; macOS has 103. */
const MAX_SOCKET_BYTES = process.platform === "linux" ? 107 : 103;
const SOCKET_FOLDER_PREFIX = "repodex-socket-";
/** Long, since it may have to replay max_wal_size after a crash. */
const START_TIMEOUT_MS = 300_000;
/** How long a live server without a working socket is waited for. */
const SILENCE_MS = 10_000;
/** How long a visitor waits for a server that is just starting. */
const VISIT_TIMEOUT_MS = 5_000;
const STOP_TIMEOUT_MS = 30_000;
const PROBE_MS = 20;
const RETRY_MS = 200;
const MAX_LOG_BYTES = 10 * 1024 ** 2;
const LOG_TAIL_LINES = 20;
/** Someone else is just starting, or processes of a killed server still end. */
const PASSING_FAULT = /pre-existing shared memory block|lock file "[^"]*" already exists/;

const SETTINGS = {
  listen_addresses: "",
  port: String(PORT),
  dynamic_shared_memory_type: "mmap", // a container's /dev/shm is often 64 MB
  max_connections: "60",
  maintenance_work_mem: "256MB",
  max_wal_size: "4GB",
  wal_compression: "pglz", // the build has no lz4
};
const VOLATILE_SETTINGS = { fsync: "off", synchronous_commit: "off", full_page_writes: "off" };

export interface EmbeddedOptions {
  dataDir: string;
  log: Logger;
  /** For tests: nothing is synced to disk, so that a power cut may destroy the database. */
  volatile?: boolean;
  /** Server settings that win over the usual ones; a server that is already running keeps its own. */
  settings?: Record<string, string>;
  /** The folder with bin, lib and share; else the one of this platform's npm package. */
  native?: string;
}

export interface EmbeddedServer {
  connection: pg.PoolConfig;
  /** It was already running: left by a killed process, or in use by another one. */
  adopted: boolean;
  pid: number;
  /** Stops the server, unless another live process uses it. */
  stop(): Promise<void>;
}

interface Launch {
  home: Home;
  binaries: Binaries;
  user: ServerUser;
  log: Logger;
  settings: Record<string, string>;
  deadline: number;
}

interface Running {
  pid: number;
  socketFolder: string;
  password: string;
  child: ChildProcess | null;
}

/**
 * Starts the PostgreSQL that comes with Repodex on a data folder, or adopts the one that already runs there.
 * It outlives this process unless stopped: Ctrl-C must not end it before the work under way has.
 */
export async function startEmbedded(options: EmbeddedOptions): Promise<EmbeddedServer> {
  const { log, volatile = false } = options;
  const home = await openHome(options.dataDir, log);
  const binaries = await findBinaries(home, options.native);
  const user = new ServerUser(path.join(home.folder, "users"));
  const settings = { ...SETTINGS, ...(volatile ? VOLATILE_SETTINGS : {}), ...options.settings };
  const launch = { home, binaries, user, log, settings, deadline: Date.now() + START_TIMEOUT_MS };
  let running: Running | undefined;
  try {
    await user.waitForStopping();
    await clearOtherVersion(launch);
    if (clusterVersion(home) === null) await createCluster(home, { binaries, volatile });
    running = await adoptOrSpawn(launch);
    await createDatabase(running);
    log.info(
      { pid: running.pid, adopted: running.child === null, folder: home.folder },
      "embedded database ready",
    );
    return serverOf(running, launch);
  } catch (error) {
    const { pid } = running ?? {};
    await user.leave(async () => {
      if (pid !== undefined) await shutDown(pid);
    });
    throw error;
  }
}

/**
 * How to connect to the server that runs on a data folder, for a visitor who neither starts nor keeps it; null where
 * none runs, or none that this user may know of.
 */
export async function findEmbedded(dataDir: string): Promise<pg.PoolConfig | null> {
  const name = path.join(dataDir, "postgres");
  if (!existsSync(name)) return null;
  const folder = realpathSync(name);
  const home = { folder, pgdata: path.join(folder, "pgdata"), logFile: "", account: null };
  if (readPostmaster(home.pgdata) === null) return null;
  const password = readPassword(home);
  const running = await findRunning({ home, deadline: Date.now() + VISIT_TIMEOUT_MS }, password);
  return running && connectionOf(running);
}

async function clearOtherVersion({ home, binaries, user, log }: Launch): Promise<void> {
  const version = clusterVersion(home);
  if (version === null || version === binaries.major) return;
  const left = readPostmaster(home.pgdata);
  if (left && !isProvablyNotServer(left.pid, home.pgdata)) {
    if (user.hasCompany()) {
      throw new EmbeddedStartFailed(
        `Another Repodex uses ${home.folder} with PostgreSQL ${version}, this one needs ${binaries.major}. Stop it first.`,
      );
    }
    await shutDown(left.pid);
  }
  moveAside(home, { binaries, log });
}

async function adoptOrSpawn(launch: Launch): Promise<Running> {
  const { home, deadline, log } = launch;
  const password = readPassword(home);
  for (;;) {
    const found = await findRunning(launch, password);
    if (found) return found;
    removeStaleLocks(home, log);
    const attempt = await spawnServer(launch, password);
    if ("pid" in attempt) return attempt;
    if (!PASSING_FAULT.test(attempt.said) || Date.now() > deadline) {
      throw new EmbeddedStartFailed(
        `The embedded database did not start. ${home.logFile} ends with:\n${attempt.said}`,
      );
    }
    await delay(RETRY_MS);
  }
}

/** The server that postmaster.pid names, once it answers; null where there is none to wait for. */
async function findRunning(
  { home, deadline }: Pick<Launch, "home" | "deadline">,
  password: string,
): Promise<Running | null> {
  let patience = Date.now() + SILENCE_MS;
  while (Date.now() < Math.min(patience, deadline)) {
    const left = readPostmaster(home.pgdata);
    const socketFolder = left?.socketFolder ?? home.pgdata;
    const answer = await probe(home, { socketFolder, password });
    if (answer === "ready" && left) return { pid: left.pid, socketFolder, password, child: null };
    if (!left || isProvablyNotServer(left.pid, home.pgdata)) return null;
    if (answer === "busy") patience = Date.now() + SILENCE_MS;
    await delay(PROBE_MS);
  }
  return null;
}

/** Asks whether this cluster's server answers: "busy" while it starts, recovers or stops, "silent" if none does. */
async function probe(
  { pgdata }: Home,
  { socketFolder, password }: { socketFolder: string; password: string },
): Promise<"ready" | "busy" | "silent"> {
  const client = new pg.Client({
    ...connectionOf({ socketFolder, password }),
    database: "postgres",
    connectionTimeoutMillis: 2000,
    query_timeout: 2000,
  });
  client.on("error", () => {});
  try {
    await client.connect();
    const { rows } = await client.query<{ data_directory: string }>("show data_directory");
    const directory = rows[0]?.data_directory ?? "";
    if (directory === pgdata) return "ready";
    if (socketFolder !== pgdata) return "silent"; // a copied cluster still names the socket of the original
    // As two containers see one volume. Starting a second server would destroy the cluster.
    throw new EmbeddedStartFailed(
      `A server that knows ${pgdata} as ${directory} is using it. Stop that one first.`,
    );
  } catch (error) {
    if (error instanceof EmbeddedStartFailed) throw error;
    return error instanceof pg.DatabaseError ? "busy" : "silent";
  } finally {
    await client.end().catch(() => {});
  }
}

/**
 * PostgreSQL itself clears locks whose process is gone, but not where another process has that id by now, as
 * after each restart of a container. Both of its lock files hold the id.
 */
function removeStaleLocks({ pgdata }: Home, log: Logger): void {
  const left = readPostmaster(pgdata);
  if (!left || !isPidTaken(left.pid) || !isProvablyNotServer(left.pid, pgdata)) return;
  log.info({ pid: left.pid }, "removing the locks of a database that was not shut down");
  const socketFolder = left.socketFolder ?? pgdata;
  if (isTemporary(socketFolder)) rmSync(socketFolder, { recursive: true, force: true });
  rmSync(`${socketPath(pgdata)}.lock`, { force: true });
  rmSync(path.join(pgdata, "postmaster.pid"), { force: true });
}

async function spawnServer(launch: Launch, password: string): Promise<Running | { said: string }> {
  const { home, binaries, deadline, log } = launch;
  const socketFolder = chooseSocketFolder(home);
  rotateLog(home.logFile);
  const fd = openSync(home.logFile, "a", 0o600);
  const logStart = statSync(home.logFile).size;
  const settings = { ...launch.settings, unix_socket_directories: `"${socketFolder.replaceAll('"', '""')}"` };
  const child = spawn(
    binaries.postgres,
    ["-D", home.pgdata, ...Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`])],
    { cwd: "/", env: CHILD_ENV, detached: true, stdio: ["ignore", fd, fd], ...home.account },
  );
  closeSync(fd);
  child.unref();
  let failure: Error | undefined;
  let ended = false;
  child.once("error", (error) => {
    failure = error;
    ended = true;
  });
  child.once("exit", () => {
    ended = true;
  });
  while (!ended && Date.now() < deadline) {
    const answer = await probe(home, { socketFolder, password });
    const { pid } = child;
    // The one that answers could be another instance's, while ours is about to find the folder taken.
    if (answer === "ready" && pid !== undefined && readPostmaster(home.pgdata)?.pid === pid) {
      return { pid, socketFolder, password, child };
    }
    await delay(PROBE_MS);
  }
  if (!ended && child.pid !== undefined) await shutDown(child.pid);
  if (isTemporary(socketFolder)) rmSync(socketFolder, { recursive: true, force: true });
  if (failure) log.warn({ err: failure }, "the embedded database could not be executed");
  return { said: failure?.message ?? tail(home.logFile, logStart) };
}

/** Inside the cluster where the path is short enough, else in a private folder that postmaster.pid then names. */
function chooseSocketFolder({ pgdata, account }: Home): string {
  if (fitsSocket(pgdata)) return pgdata;
  const parent = [os.tmpdir(), "/tmp"].find((folder) =>
    fitsSocket(path.join(folder, `${SOCKET_FOLDER_PREFIX}XXXXXX`)),
  );
  const folder = mkdtempSync(path.join(parent ?? "/tmp", SOCKET_FOLDER_PREFIX));
  giveTo(account, (uid, gid) => chownSync(folder, uid, gid));
  return folder;
}

function fitsSocket(folder: string): boolean {
  return Buffer.byteLength(socketPath(folder)) <= MAX_SOCKET_BYTES;
}

function socketPath(folder: string): string {
  return path.join(folder, `.s.PGSQL.${PORT}`);
}

function isTemporary(socketFolder: string): boolean {
  return path.basename(socketFolder).startsWith(SOCKET_FOLDER_PREFIX);
}

function rotateLog(file: string): void {
  if (existsSync(file) && statSync(file).size > MAX_LOG_BYTES) renameSync(file, `${file}.1`);
}

/** The last lines of what was written since `start`, in bytes. */
function tail(file: string, start: number): string {
  const lines = readFileSync(file).subarray(start).toString().trim().split("\n");
  return lines.slice(-LOG_TAIL_LINES).join("\n");
}

async function createDatabase(running: Running): Promise<void> {
  const client = new pg.Client({ ...connectionOf(running), database: "postgres" });
  client.on("error", () => {});
  await client.connect();
  try {
    const { rowCount } = await client.query("select from pg_database where datname = $1", [DATABASE]);
    if (rowCount === 0) await client.query(`create database ${DATABASE}`);
  } catch (error) {
    const code = error instanceof pg.DatabaseError ? error.code : undefined;
    if (code !== "42P04" && code !== "23505") throw error; // another instance has just created it
  } finally {
    await client.end();
  }
}

function connectionOf({ socketFolder, password }: { socketFolder: string; password: string }) {
  return { host: socketFolder, port: PORT, user: ROLE, password, database: DATABASE };
}

function serverOf(running: Running, { user, log }: Launch): EmbeddedServer {
  const { pid, child, socketFolder } = running;
  const identity = processIdentity(pid);
  let stopped: Promise<void> | undefined;
  child?.once("exit", (code, signal) => {
    if (!stopped) log.error({ pid, code, signal }, "the embedded database ended by itself");
  });

  async function stop(): Promise<void> {
    const last = await user.leave(async () => {
      await shutDown(pid, identity);
      if (isTemporary(socketFolder)) rmSync(socketFolder, { recursive: true, force: true });
    });
    log.info(
      { pid },
      last ? "embedded database stopped" : "embedded database left to the others that use it",
    );
  }

  return {
    connection: connectionOf(running),
    adopted: child === null,
    pid,
    stop() {
      stopped ??= stop();
      return stopped;
    },
  };
}

/** Ends sessions, writes a checkpoint, exits; without the checkpoint where that takes too long. */
async function shutDown(pid: number, identity = processIdentity(pid)): Promise<void> {
  for (const signal of ["SIGINT", "SIGQUIT"] as const) {
    if (identity === null || processIdentity(pid) !== identity) return;
    signalProcess(pid, signal);
    const deadline = Date.now() + STOP_TIMEOUT_MS;
    while (processIdentity(pid) === identity && Date.now() < deadline) await delay(PROBE_MS);
  }
  if (processIdentity(pid) === identity)
    throw new Error(`The embedded database (process ${pid}) does not stop.`);
}

function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
