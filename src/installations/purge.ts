import { type Kysely, sql } from "kysely";
import { type Connection, type Transaction, transaction } from "../database/connect.ts";
import { endSchedule } from "../database/schedule.ts";
import type { Tables } from "../database/schema.ts";
import { removeManifest } from "../scan/store.ts";
import { scheduleOf } from "./installations.ts";

/** Rows deleted by one statement: bounded, so that nobody waits for it. */
const BATCH = 5_000;
/** All that hangs on a repository beside its manifest, in the order in which it may go. */
const TABLES = ["chunks", "blobs", "run_requests", "runs"] as const;

/**
 * Deletes for good a batch of what belongs to a repository that was taken from us more than `days` ago: first its
 * manifest, whole, so that one that is added again in between never shows a part of it. Waits until no run of it is
 * running. Answers how many rows went; with none left to go, the repository itself is the last.
 */
export async function purgeRemoved(connection: Connection, days: number): Promise<number> {
  return await transaction(connection, async (t) => {
    const { rows } = await sql<{ id: string; indexed: boolean }>`
      select r.id, indexed_commit is not null as indexed from repositories r
      where removed_at < clock_timestamp() - make_interval(days => ${days})
        and not exists (select from runs where repository_id = r.id and state in ('queued', 'running'))
      order by removed_at limit 1 for update skip locked`.execute(t.trx);
    const repository = rows[0];
    return repository ? await purgeSome(t, repository) : await purgeInstallation(t.trx, days);
  });
}

async function purgeSome(t: Transaction, { id, indexed }: { id: string; indexed: boolean }): Promise<number> {
  if (indexed) {
    await removeManifest(t, id);
    return 1;
  }
  for (const table of TABLES) {
    const deleted = await deleteSome(t.trx, table, id);
    if (deleted > 0) return deleted;
  }
  await t.trx.deleteFrom("files").where("repository_id", "=", id).execute();
  await t.trx
    .deleteFrom("deliveries")
    .where("repository_id", "=", id)
    .where("state", "<>", "pending")
    .execute();
  await t.trx.deleteFrom("repositories").where("id", "=", id).execute();
  return 1;
}

async function deleteSome(
  trx: Kysely<Tables>,
  table: (typeof TABLES)[number],
  repositoryId: string,
): Promise<number> {
  // Runs that replaced one another point at each other: all of a repository's go at once.
  const batch = table === "runs" ? sql`all` : sql`${BATCH}`;
  const { rows } = await sql`
    delete from ${sql.table(table)} where ctid = any(array(
      select ctid from ${sql.table(table)} where repository_id = ${repositoryId} limit ${batch})) returning 1`.execute(
    trx,
  );
  return rows.length;
}

/** An installation that was uninstalled as long ago, and has no repository left. */
async function purgeInstallation(trx: Kysely<Tables>, days: number): Promise<number> {
  const { rows } = await sql<{ id: string }>`
    delete from installations i
    where removed_at < clock_timestamp() - make_interval(days => ${days})
      and not exists (select from repositories where installation_id = i.id)
      and not exists (select from runs where installation_id = i.id)
    returning id`.execute(trx);
  for (const { id } of rows) await endSchedule(trx, scheduleOf(id));
  return rows.length;
}
