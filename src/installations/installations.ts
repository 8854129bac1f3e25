import { type Kysely, sql } from "kysely";
import type { Tables } from "../database/schema.ts";
import { cancelRunsOf, requestRun } from "../runs/queue.ts";
import { reopenReplies } from "../runs/replies.ts";
import { reopenReports } from "../runs/reporter.ts";

/** An installation as GitHub lists it. Ids are strings. */
export interface InstallationFacts {
  id: string;
  account_id: string | null;
  account_login: string | null;
}

/** A repository as GitHub describes it. */
export interface RepositoryFacts {
  id: string;
  owner: string;
  name: string;
  private: boolean;
  archived: boolean;
  default_branch: string | null;
}

/** Records an installation that GitHub has just told us of first hand: it is there, whatever we thought. */
export async function confirmInstallation(trx: Kysely<Tables>, facts: InstallationFacts): Promise<void> {
  await trx
    .insertInto("installations")
    .values({ ...facts, confirmed: true })
    .onConflict((conflict) =>
      conflict.column("id").doUpdateSet({
        account_id: facts.account_id,
        account_login: facts.account_login,
        confirmed: true,
        removed_at: null,
      }),
    )
    .execute();
}

/**
 * Makes sure that an event's installation is known. An event may be late, so it is only noted as unconfirmed,
 * and one that was removed stays removed. Until the transaction ends nothing is added to it or removed from it;
 * other events of it go on beside this one.
 */
export async function noteInstallation(
  trx: Kysely<Tables>,
  facts: InstallationFacts,
): Promise<{ removed: boolean }> {
  const read = () =>
    trx
      .selectFrom("installations")
      .select("removed_at")
      .where("id", "=", facts.id)
      .forShare()
      .executeTakeFirst();
  const known = await read();
  if (known) return { removed: known.removed_at !== null };
  await trx
    .insertInto("installations")
    .values({ ...facts, confirmed: false })
    .onConflict((conflict) => conflict.column("id").doNothing())
    .execute();
  const noted = await read();
  return { removed: noted?.removed_at != null };
}

/** Holds an installation until the transaction ends: what is added to it and removed from it happens in turn. */
async function lockInstallation(
  trx: Kysely<Tables>,
  id: string,
): Promise<{ removed_at: Date | null } | undefined> {
  return await trx
    .selectFrom("installations")
    .select("removed_at")
    .where("id", "=", id)
    .forUpdate()
    .executeTakeFirst();
}

/** Adds repositories that an installation's own list names, and asks a background run for each. */
export async function addRepositories(
  trx: Kysely<Tables>,
  installationId: string,
  options: { repositories: RepositoryFacts[]; delivery_guid: string | null },
): Promise<void> {
  // Sorted: two transactions that add the same repositories then never deadlock.
  const sorted = options.repositories.toSorted((a, b) => (BigInt(a.id) < BigInt(b.id) ? -1 : 1));
  for (const facts of sorted) {
    await upsertRepository(trx, installationId, facts, { confirmed: true });
    await moveQueuedRun(trx, facts.id, installationId);
    await reopenReports(trx, facts.id);
    await reopenReplies(trx, facts.id, { age: "any" });
    if (facts.archived) continue;
    await requestRun(trx, {
      repository_id: facts.id,
      trigger: "install",
      delivery_guid: options.delivery_guid,
    });
  }
}

/** A run that waits is claimed for the installation that has its repository now. */
async function moveQueuedRun(
  trx: Kysely<Tables>,
  repositoryId: string,
  installationId: string,
): Promise<void> {
  await trx
    .updateTable("runs")
    .set({ installation_id: installationId })
    .where("repository_id", "=", repositoryId)
    .where("state", "=", "queued")
    .execute();
}

/**
 * Makes sure that an event's repository is known, by its numeric id, and up to date in name and visibility.
 * Never brings back one that was removed. Answers whether it may be read. Where nothing is new its row is not
 * touched: a scan that publishes holds it.
 */
export async function noteRepository(
  trx: Kysely<Tables>,
  installationId: string,
  facts: RepositoryFacts,
): Promise<{ removed: boolean }> {
  const known = await trx
    .selectFrom("repositories")
    .select(["owner", "name", "private", "archived", "default_branch", "removed_at"])
    .where("id", "=", facts.id)
    .executeTakeFirst();
  if (known && isUpToDate(known, facts)) return { removed: known.removed_at !== null };
  return await upsertRepository(trx, installationId, facts, { confirmed: false });
}

function isUpToDate(known: Omit<RepositoryFacts, "id">, facts: RepositoryFacts): boolean {
  return (
    known.owner === facts.owner &&
    known.name === facts.name &&
    known.private === facts.private &&
    known.archived === facts.archived &&
    known.default_branch === (facts.default_branch ?? known.default_branch)
  );
}

async function upsertRepository(
  trx: Kysely<Tables>,
  installationId: string,
  facts: RepositoryFacts,
  { confirmed }: { confirmed: boolean },
): Promise<{ removed: boolean }> {
  const row = await trx
    .insertInto("repositories")
    .values({ ...facts, installation_id: installationId, confirmed })
    .onConflict((conflict) =>
      conflict.column("id").doUpdateSet({
        owner: facts.owner,
        name: facts.name,
        private: facts.private,
        archived: facts.archived,
        default_branch: sql`coalesce(excluded.default_branch, repositories.default_branch)`,
        ...(confirmed && { installation_id: installationId, confirmed: true, removed_at: null }),
      }),
    )
    .returning("removed_at")
    .executeTakeFirstOrThrow();
  return { removed: row.removed_at !== null };
}

/** What a scan learnt of a repository while it read it: names and visibility heal by themselves. */
export async function refreshRepository(db: Kysely<Tables>, facts: RepositoryFacts): Promise<void> {
  const { id, ...rest } = facts;
  await db.updateTable("repositories").set(rest).where("id", "=", id).execute();
}

/** Takes repositories away: hidden from every reader at once, their runs cancelled. */
export async function removeRepositories(
  trx: Kysely<Tables>,
  installationId: string,
  repositoryIds: string[],
): Promise<void> {
  if (repositoryIds.length === 0) return;
  await lockInstallation(trx, installationId);
  const removed = await trx
    .updateTable("repositories")
    .set({ removed_at: sql<Date>`clock_timestamp()` })
    .where(sql<boolean>`id = any(${repositoryIds}::bigint[])`)
    .where("installation_id", "=", installationId) // one that moved to another installation stays
    .where("removed_at", "is", null)
    .returning("id")
    .execute();
  for (const { id } of removed.toSorted((a, b) => Number(BigInt(a.id) - BigInt(b.id))))
    await cancelRunsOf(trx, id);
}

/** An uninstalled App: everything of the installation is hidden at once. */
export async function removeInstallation(trx: Kysely<Tables>, installationId: string): Promise<void> {
  await trx
    .updateTable("installations")
    .set({ removed_at: sql<Date>`clock_timestamp()` })
    .where("id", "=", installationId)
    .execute();
  const repositories = await trx
    .selectFrom("repositories")
    .select("id")
    .where("installation_id", "=", installationId)
    .where("removed_at", "is", null)
    .execute();
  await removeRepositories(
    trx,
    installationId,
    repositories.map(({ id }) => id),
  );
}
