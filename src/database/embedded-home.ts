import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, lstatSync, mkdirSync, readFileSync, realpathSync, statSync, symlinkSync } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import type { Logger } from "pino";
import { EmbeddedStartFailed, EmbeddedUnsupported } from "./embedded-errors.ts";

const OUTSIDE = "/var/lib/repodex";
const ACCOUNTS = ["postgres", "_postgres", "nobody"];

/** Whom the server runs as. Negative ids are macOS's way to write nobody. */
export interface Account {
  uid: number;
  gid: number;
}

/** Where the embedded server keeps everything, and whom it runs as: null for the user we are. */
export interface Home {
  folder: string;
  pgdata: string;
  logFile: string;
  account: Account | null;
}

/** All that a child is told of its environment. */
export const CHILD_ENV = { LC_ALL: "C", TZ: "UTC", PATH: "/usr/bin:/bin" };

/** Runs a program to its end, as the account. Fails with what it printed. */
export async function runAs(account: Account | null, file: string, args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(file, args, { cwd: "/", env: CHILD_ENV, ...account });
  return stdout;
}

export function giveTo(account: Account | null, change: (uid: number, gid: number) => void): void {
  if (account) change(account.uid >>> 0, account.gid >>> 0);
}

/**
 * Finds or makes the server's folder: `postgres` in the data folder. PostgreSQL refuses to run as root, and the
 * account that stands in cannot enter, say, /root: the folder is then under /var/lib, behind a symlink.
 */
export async function openHome(dataDir: string, log: Logger): Promise<Home> {
  const name = path.join(dataDir, "postgres");
  mkdirSync(dataDir, { recursive: true });
  const fallback = process.getuid?.() === 0 ? findAccount() : null;
  if (!exists(name)) {
    if (fallback && !(await canEnter(fallback, dataDir))) placeOutside(name, { dataDir, log });
    else makeFolder(name);
  }
  if (!exists(name, statSync)) {
    throw new EmbeddedStartFailed(
      `${name} points to a folder that does not exist. Bring it back, or remove the link.`,
    );
  }
  const folder = realpathSync(name);
  const pgdata = path.join(folder, "pgdata");
  const account = fallback && (ownerOf(pgdata) ?? fallback);
  if (account && !(await canEnter(account, folder))) {
    throw new EmbeddedStartFailed(
      `The database in ${folder} runs as the user with id ${account.uid}, who cannot enter that folder. ` +
        "Allow it on each folder above (chmod a+x), or set DATA_DIR.",
    );
  }
  return { folder, pgdata, logFile: path.join(folder, "postgres.log"), account };
}

function placeOutside(name: string, { dataDir, log }: { dataDir: string; log: Logger }): void {
  const hash = createHash("sha256").update(realpathSync(dataDir)).digest("hex").slice(0, 16);
  const folder = path.join(OUTSIDE, hash);
  makeFolder(OUTSIDE);
  makeFolder(folder);
  try {
    symlinkSync(folder, name);
  } catch (error) {
    if (!exists(name)) throw error; // else another instance was first
  }
  log.info(
    { folder, link: name },
    "the database's own user cannot enter the data folder: its files are elsewhere",
  );
}

/** Whatever the umask says, the account must be able to pass through. */
function makeFolder(folder: string): void {
  mkdirSync(folder, { recursive: true });
  chmodSync(folder, 0o755);
}

function findAccount(): Account {
  const lines = readFileSync("/etc/passwd", "utf8").split("\n");
  const accounts = new Map(lines.map((line) => line.split(":")).map((fields) => [fields[0], fields]));
  const fields = ACCOUNTS.map((name) => accounts.get(name)).find((found) => found !== undefined);
  if (!fields) {
    throw new EmbeddedUnsupported(
      "PostgreSQL refuses to run as root, and /etc/passwd has neither postgres nor nobody",
    );
  }
  return { uid: Number(fields[2]), gid: Number(fields[3]) };
}

/** A cluster stays with the account that made it, also when a `postgres` account is added later. */
function ownerOf(pgdata: string): Account | null {
  const stat = statSync(pgdata, { throwIfNoEntry: false });
  return stat && stat.uid !== 0 ? { uid: stat.uid, gid: stat.gid } : null;
}

async function canEnter(account: Account, folder: string): Promise<boolean> {
  return runAs(account, "/bin/sh", ["-c", 'cd -- "$1"', "sh", folder]).then(
    () => true,
    () => false,
  );
}

function exists(name: string, stat: typeof lstatSync | typeof statSync = lstatSync): boolean {
  return stat(name, { throwIfNoEntry: false }) !== undefined;
}
