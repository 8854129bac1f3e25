import { execFileSync } from "node:child_process";
import { chownSync, mkdtempSync, rmSync, statfsSync, statSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { inject, onTestFinished } from "vitest";
import { connect } from "../../src/database/connect.ts";
import { createLogger } from "../../src/log.ts";
import type { Database } from "./database.ts";
import { administer, configOf, urlOf } from "./databases.ts";

/** Whether this process may mount a disk of its own and the server's files are on this machine. */
export const canMount = process.platform === "linux" && process.getuid?.() === 0 && !process.env.DATABASE_URL;

/** A database on a disk of its own. */
export interface SmallDisk extends Pick<Database, "db" | "url"> {
  /** Takes all the room that is left. */
  fill(): void;
  /** Gives it back. */
  makeRoom(): void;
}

/** Mounts a disk of so many megabytes and puts a migrated database on it. Both are gone with the test. */
export async function createOnSmallDisk(megabytes: number): Promise<SmallDisk> {
  const server = inject("server");
  const folder = mkdtempSync(path.join(os.tmpdir(), "repodex-small-"));
  const name = `${server.prefix}small_${path.basename(folder).slice(-6).toLowerCase()}`;
  const filler = path.join(folder, "filler");
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${megabytes}m`, "tmpfs", folder]);
  onTestFinished(() => {
    execFileSync("umount", [folder]);
    rmSync(folder, { recursive: true });
  });
  const [row] = await administer<{ data_directory: string }>(server.url, "show data_directory");
  const owner = statSync(row?.data_directory ?? "/");
  chownSync(folder, owner.uid, owner.gid);
  await administer(
    server.url,
    `create tablespace "${name}" location '${folder}'`,
    `create database "${name}" template "${server.template}" tablespace "${name}" strategy file_copy`,
  );
  onTestFinished(async () => {
    rmSync(filler, { force: true });
    await administer(server.url, `drop database "${name}" with (force)`, `drop tablespace "${name}"`);
  });
  const url = urlOf(server.url, name);
  const log = createLogger("silent");
  const connection = connect({ connection: configOf(url), log, maxConnections: 5 });
  onTestFinished(() => connection.close());
  return {
    db: connection.db,
    url,
    fill() {
      const { bavail, bsize } = statfsSync(folder);
      writeFileSync(filler, Buffer.alloc(bavail * bsize));
    },
    makeRoom: () => rmSync(filler),
  };
}
