import type { Insertable, Kysely, Updateable } from "kysely";
import type { Tables } from "../../src/database/schema.ts";
import { SHA } from "../support/seed.ts";

type RunSeed = Partial<Insertable<Tables["runs"]>>;

/** A run of repository 100 as a row; by default one that succeeded. */
export async function seedRun(db: Kysely<Tables>, run: RunSeed = {}): Promise<string> {
  const state = run.state ?? "succeeded";
  const open = state === "queued" || state === "running";
  const { id } = await db
    .insertInto("runs")
    .values({
      repository_id: "100",
      installation_id: "1",
      trigger: "push",
      state,
      ...(!open && { finished_at: new Date() }),
      ...(state === "running" && { worker: "test", lease_until: new Date(Date.now() + 600_000) }),
      ...run,
    })
    .returning("id")
    .executeTakeFirstOrThrow();
  return id;
}

type FileSeed = Partial<Insertable<Tables["files"]>>;

/** Files of repository 100, by default indexed ones. */
export async function seedFiles(db: Kysely<Tables>, files: (FileSeed & { path: string })[]): Promise<void> {
  if (files.length === 0) return;
  const defaults = {
    repository_id: "100",
    path_bytes: null,
    mode: "100644",
    sha: Buffer.alloc(20, 0xab),
    size: 1,
    language: null,
    state: "indexed" as const,
    reason: null,
  };
  await db
    .insertInto("files")
    .values(files.map((file) => ({ ...defaults, ...file })))
    .execute();
}

/** What a name that is not UTF-8 is stored as. */
export function rawName(name: Buffer): { path: string; path_bytes: Buffer } {
  return { path: name.toString(), path_bytes: name };
}

export async function updateRepository(
  db: Kysely<Tables>,
  changes: Updateable<Tables["repositories"]>,
): Promise<void> {
  await db.updateTable("repositories").set(changes).where("id", "=", "100").execute();
}

export const INDEXED = {
  indexed_commit: SHA("c"),
  indexed_tree_sha: SHA("d"),
  indexed_verified: true,
  indexed_at: new Date("2026-01-02T03:04:05.678Z"),
  indexed_files: 3,
  indexed_chunks: 4,
  indexed_bytes: "5000000000",
};

/** A delivery as a row; by default a push that was handled. */
export async function seedDelivery(
  db: Kysely<Tables>,
  guid: string,
  delivery: Partial<Insertable<Tables["deliveries"]>> = {},
): Promise<void> {
  const defaults = { event: "push", state: "handled" as const, attempts: 1 };
  await db
    .insertInto("deliveries")
    .values({ guid, ...defaults, ...delivery })
    .execute();
}
