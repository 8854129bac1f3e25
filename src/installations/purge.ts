import { type Kysely, sql } from "kysely";
import { type Connection, type Transaction, transaction } from "../database/connect.ts";
import { endSchedule } from "../database/schedule.ts";
import type { Tables } from "../database/schema.ts";
import { forgetRepository } from "../grams/compaction.ts";
import { cancelRunsOf } from "../runs/bulk.ts";
import { collectBlobs, removeManifest } from "../scan/store.ts";
import { scheduleOf } from "./installations.ts";

/**
 * Deletes for good a batch of what belongs to a repository that was taken from us more than `days` ago: first its
 * manifest, whole, then blobs together with their chunks, so that one that is added again in between never shows a part of
 * it. Waits until no run of it is running. Answers how many rows went; with none left to go, the repository itself is the last.
 */
export async function purgeRemoved(connection: Connection, days: number): Promise<number> {
  return await transaction(connection, async (t) => {
    const { rows } = await sql<{ id: string; indexed: boolean }>`
      select r.id, indexed_commit is not null as indexed from repositories r
      where removed_at < clock_timestamp() - make_interval(days => ${days})
        and not exists (select from runs where repository_id = r.id and state = 'running')
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
  await cancelRunsOf(t.trx, [id]); // what waits is never claimed any more
  const { rows } = await sql`select from blobs where repository_id = ${id} limit 1`.execute(t.trx);
  if (rows.length > 0) {
    await collectBlobs(t.trx, id); // without a manifest, none is needed
    return 1;
  }
  await t.trx.deleteFrom("files").where("repository_id", "=", id).execute();
  await t.trx.deleteFrom("chunks").where("repository_id", "=", id).execute();
  if (await forgetRepository(t, id)) return 1;
  await t.trx.deleteFrom("run_requests").where("repository_id", "=", id).execute();
  await t.trx.deleteFrom("runs").where("repository_id", "=", id).execute();
  await t.trx
    .deleteFrom("deliveries")
    .where("repository_id", "=", id)
    .where("state", "<>", "pending")
    .execute();
  await t.trx.deleteFrom("repositories").where("id", "=", id).execute();
  return 1;
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
