import { randomBytes } from "node:crypto";
import {
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import type { Logger } from "pino";
import type { Binaries } from "./embedded-binaries.ts";
import { EmbeddedStartFailed } from "./embedded-errors.ts";
import { giveTo, type Home, runAs } from "./embedded-home.ts";
import { processIdentity } from "./embedded-process.ts";

export const ROLE = "app";

/** In the cluster itself, so that the two can never part. */
const PASSWORD_FILE = "repodex-password";
const STAGING = "pgdata.new.";

/** The major version of the cluster in the home, "unknown" for something else there, null for nothing. */
export function clusterVersion({ pgdata }: Home): string | null {
  if (!existsSync(pgdata)) return null;
  const file = path.join(pgdata, "PG_VERSION");
  return existsSync(file) ? readFileSync(file, "utf8").trim() : "unknown";
}

/** Keeps a cluster that these binaries cannot read, under a name that says what it is. */
export function moveAside(home: Home, { binaries, log }: { binaries: Binaries; log: Logger }): void {
  const version = clusterVersion(home);
  const stamp = new Date().toISOString().replaceAll(/[-:.]/g, "");
  const aside = path.join(home.folder, `pgdata-${version}-${stamp}`);
  renameSync(home.pgdata, aside);
  log.warn(
    { found: version, needed: binaries.major, aside },
    "the database was made by another version of PostgreSQL: it was moved aside and all is indexed again; " +
      "remove the old one when nothing in it is missed",
  );
}

/** Makes a cluster in a staging folder and moves it into place whole. Of several makers the first wins. */
export async function createCluster(
  home: Home,
  { binaries, volatile }: { binaries: Binaries; volatile: boolean },
): Promise<void> {
  removeDeadStagings(home);
  const staging = path.join(
    home.folder,
    `${STAGING}${processIdentity(process.pid)}.${randomBytes(4).toString("hex")}`,
  );
  const made = path.join(staging, "pgdata");
  const password = path.join(staging, "password");
  mkdirSync(staging, { mode: 0o700 });
  try {
    writeFileSync(password, randomBytes(24).toString("hex"), { mode: 0o600, flush: true });
    for (const file of [staging, password]) giveTo(home.account, (uid, gid) => chownSync(file, uid, gid));
    await initdb(home, { binaries, volatile, made, password });
    renameSync(password, path.join(made, PASSWORD_FILE));
    renameSync(made, home.pgdata);
  } catch (error) {
    if (!existsSync(home.pgdata)) throw error;
  } finally {
    rmSync(staging, { recursive: true, force: true });
  }
}

/** The builtin C.UTF-8 sorts by code point and knows Unicode's cases on every system alike. */
async function initdb(
  home: Home,
  options: { binaries: Binaries; volatile: boolean; made: string; password: string },
): Promise<void> {
  const locale = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--encoding=UTF8"];
  const access = [`--username=${ROLE}`, "--auth=scram-sha-256", `--pwfile=${options.password}`];
  const speed = options.volatile ? ["--no-sync"] : [];
  const args = ["-D", options.made, ...locale, ...access, ...speed, "--no-instructions"];
  try {
    await runAs(home.account, options.binaries.initdb, args);
  } catch (cause) {
    const said = (cause as { stderr?: string }).stderr?.trim() || String(cause);
    throw new EmbeddedStartFailed(`The embedded database could not be created:\n${said}`, { cause });
  }
}

/** What a killed maker left. */
function removeDeadStagings({ folder }: Home): void {
  for (const entry of readdirSync(folder)) {
    if (!entry.startsWith(STAGING)) continue;
    const identity = entry.slice(STAGING.length).split(".")[0] ?? "";
    if (processIdentity(Number.parseInt(identity, 10)) === identity) continue;
    rmSync(path.join(folder, entry), { recursive: true, force: true });
  }
}

export function readPassword({ pgdata }: Home): string {
  try {
    return readFileSync(path.join(pgdata, PASSWORD_FILE), "utf8").trim();
  } catch (cause) {
    throw new EmbeddedStartFailed(
      `The password of the database in ${pgdata} cannot be read. Run Repodex as the user who created it.`,
      { cause },
    );
  }
}
