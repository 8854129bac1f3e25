import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { startEmbedded } from "../../src/database/embedded.ts";
import { createLogger } from "../../src/log.ts";
import { administer, urlOf } from "../support/databases.ts";

const DATABASE = process.env.BENCH_DATABASE ?? "repodex_bench";

/** A folder that is there while `work` is under way, and that the database's own account can reach. */
async function withDataDir<T>(work: (dataDir: string) => Promise<T>): Promise<T> {
  const dataDir = await mkdtemp(path.join(tmpdir(), "repodex-bench-"));
  await chmod(dataDir, 0o755);
  try {
    return await work(dataDir);
  } finally {
    await rm(dataDir, { recursive: true, force: true });
  }
}

/** Makes the bench's own database anew on this server; answers its address. */
export async function recreate(url: string): Promise<string> {
  await administer(
    url,
    `drop database if exists ${DATABASE} with (force)`,
    `create database ${DATABASE} template template0 encoding 'UTF8' lc_collate 'C' lc_ctype 'C.UTF-8'`,
  );
  return urlOf(url, DATABASE);
}

/** A new database that others can connect to, too: on BENCH_DATABASE_URL, else on an embedded server. */
export async function withDatabase<T>(work: (url: string) => Promise<T>): Promise<T> {
  const server = process.env.BENCH_DATABASE_URL;
  return server ? await work(await recreate(server)) : await withEmbedded(work);
}

/** The database of a new embedded server that others can connect to, too. */
export async function withEmbedded<T>(work: (url: string) => Promise<T>): Promise<T> {
  return await withDataDir(async (dataDir) => {
    const log = createLogger("silent");
    const embedded = await startEmbedded({ dataDir, log, settings: { max_connections: "100" } });
    const { user, password, database, host } = embedded.connection;
    try {
      return await work(
        `postgres://${user}:${password}@localhost/${database}?host=${encodeURIComponent(host ?? "")}`,
      );
    } finally {
      await embedded.stop();
    }
  });
}
