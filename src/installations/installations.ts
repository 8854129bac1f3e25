import { type Kysely, sql } from "kysely";
import { notify } from "../database/notify.ts";
import { dueNow } from "../database/schedule.ts";
import type { Tables } from "../database/schema.ts";
import { cancelRunsOf, requestBackgroundRuns } from "../runs/bulk.ts";
import { DUE_CHANNEL } from "../runs/events.ts";
import { reopenRefusedReplies, reopenReplies } from "../runs/replies.ts";
import { reopenRefused, reopenReports } from "../runs/reporter.ts";

/** An installation as an event names it. Ids are strings. */
export interface InstallationFacts {
  id: string;
  account_id: string | null;
  account_login: string | null;
}

/** An installation as GitHub lists it. */
export interface ListedInstallation extends InstallationFacts {
  suspended_at: Date | null;
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
 * Takes note that an owner suspended an installation, or that this ended: its repositories are hidden and its runs wait,
 * or both end. What it missed meanwhile is looked for at once.
 */
export async function setSuspended(trx: Kysely<Tables>, id: string, suspended: boolean): Promise<void> {
  await trx
    .updateTable("installations")
    .set({ suspended_at: suspended ? sql<Date>`coalesce(suspended_at, clock_timestamp())` : null })
    .where("id", "=", id)
    .execute();
  if (suspended) return;
  const repositories = await trx
    .selectFrom("repositories")
    .select("id")
    .where("installation_id", "=", id)
    .execute();
  const ids = repositories.map((repository) => repository.id);
  await reopenReports(trx, ids);
  await reopenReplies(trx, ids, { age: "any" });
  await dueNow(trx, scheduleOf(id));
  await notify(trx, DUE_CHANNEL);
}

/** An account has another name: everything of it is found under that one. */
export async function renameAccount(
  trx: Kysely<Tables>,
  { account_id, account_login }: { account_id: string; account_login: string },
): Promise<number> {
  const renamed = await trx
    .updateTable("installations")
    .set({ account_login })
    .where("account_id", "=", account_id)
    .returning("id")
    .execute();
  const ids = renamed.map(({ id }) => id);
  if (ids.length === 0) return 0;
  const { numUpdatedRows } = await trx
    .updateTable("repositories")
    .set({ owner: account_login })
    .where("installation_id", "in", ids)
    .executeTakeFirst();
  return Number(numUpdatedRows);
}

/** The name under which an installation's repositories are reconciled. */
export function scheduleOf(installationId: string): string {
  return `installation/${installationId}`;
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
  await dueNow(trx, scheduleOf(facts.id)); // it is only hearsay until GitHub's list says so
  const noted = await read();
  return { removed: noted?.removed_at != null };
}

/** Keeps an installation as it is until the transaction ends; taken before anything of its repositories is locked. */
export async function holdInstallation(trx: Kysely<Tables>, id: string): Promise<void> {
  await trx.selectFrom("installations").select("id").where("id", "=", id).forShare().execute();
}

/** Holds an installation until the transaction ends: what is added to it and removed from it happens in turn. */
export async function lockInstallation(
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

/** Adds repositories that an installation's own list names, and asks a background run for each that may change. */
export async function addRepositories(
  trx: Kysely<Tables>,
  installationId: string,
  { repositories, delivery_guid }: { repositories: RepositoryFacts[]; delivery_guid: string | null },
): Promise<void> {
  if (repositories.length === 0) return;
  const ids = repositories.map(({ id }) => id);
  await upsertListed(trx, installationId, repositories);
  await moveQueuedRuns(trx, ids, installationId);
  await reopenReports(trx, ids);
  await reopenReplies(trx, ids, { age: "any" });
  const scanned = repositories.filter(({ archived }) => !archived).map(({ id }) => id);
  await requestBackgroundRuns(trx, scanned, { trigger: "install", delivery_guid });
}

/** One statement for all, in the order of ids: two transactions that add the same repositories then never deadlock. */
async function upsertListed(
  trx: Kysely<Tables>,
  installationId: string,
  repositories: RepositoryFacts[],
): Promise<void> {
  const column = <Field extends keyof RepositoryFacts>(field: Field) =>
    repositories.map((facts) => facts[field]);
  await sql`
    insert into repositories (id, installation_id, owner, name, private, archived, default_branch, confirmed)
    select id, ${installationId}::bigint, owner, name, private, archived, default_branch, true
    from unnest(${column("id")}::bigint[], ${column("owner")}::text[], ${column("name")}::text[],
      ${column("private")}::boolean[], ${column("archived")}::boolean[], ${column("default_branch")}::text[])
      as listed (id, owner, name, private, archived, default_branch)
    order by id
    on conflict (id) do update set
      installation_id = excluded.installation_id, owner = excluded.owner, name = excluded.name,
      private = excluded.private, archived = excluded.archived,
      default_branch = coalesce(excluded.default_branch, repositories.default_branch),
      confirmed = true, removed_at = null`.execute(trx);
}

/**
 * A repository has another owner, whose installation lists it: what is indexed stays, and is theirs. Looked at once more,
 * since what was pushed on the way may have been told to nobody.
 */
export async function moveRepository(
  trx: Kysely<Tables>,
  installation: InstallationFacts,
  repository: RepositoryFacts,
  delivery_guid: string,
): Promise<void> {
  await confirmInstallation(trx, installation);
  await lockInstallation(trx, installation.id);
  await addRepositories(trx, installation.id, { repositories: [repository], delivery_guid });
}

/** The owner granted permissions: scans, check runs and replies that failed for want of them are tried again. */
export async function retryRefused(trx: Kysely<Tables>, installationId: string): Promise<number> {
  await reopenRefused(trx, installationId);
  await reopenRefusedReplies(trx, installationId);
  await dueNow(trx, scheduleOf(installationId));
  const { rows } = await sql<{ id: string }>`
    select r.id from repositories r
    where installation_id = ${installationId} and removed_at is null and not archived
      and (select reason_code from runs where repository_id = r.id order by runs.id desc limit 1) = 'forbidden'
    order by r.id`.execute(trx);
  const ids = rows.map(({ id }) => id);
  await requestBackgroundRuns(trx, ids, { trigger: "schedule" });
  return ids.length;
}

/** Runs that wait are claimed for the installation that has their repositories now. */
async function moveQueuedRuns(
  trx: Kysely<Tables>,
  repositoryIds: string[],
  installationId: string,
): Promise<void> {
  await sql`
    update runs set installation_id = ${installationId}
    where repository_id = any(${repositoryIds}::bigint[]) and state = 'queued'
      and installation_id <> ${installationId}`.execute(trx);
}

/**
 * Makes sure that an event's repository is known, by its numeric id. Never brings back one that was removed, nor changes
 * a known one beyond making it private: an event may be late. What it says otherwise is looked for in GitHub's own list.
 * Answers whether the repository may be read. Where nothing is new its row is not touched: a scan that publishes holds it.
 */
export async function noteRepository(
  trx: Kysely<Tables>,
  installationId: string,
  facts: RepositoryFacts,
): Promise<{ removed: boolean }> {
  const read = () =>
    trx
      .selectFrom("repositories")
      .select(["owner", "name", "private", "archived", "default_branch", "confirmed", "removed_at"])
      .where("id", "=", facts.id);
  let known = await read().executeTakeFirst();
  if (!known) {
    await trx
      .insertInto("repositories")
      .values({ ...facts, installation_id: installationId, confirmed: false })
      .onConflict((conflict) => conflict.column("id").doNothing())
      .execute();
    known = await read().executeTakeFirstOrThrow();
  }
  if (facts.private && !known.private) await makePrivate(trx, facts.id);
  if (!known.confirmed || !isUpToDate(known, facts)) await dueNow(trx, scheduleOf(installationId));
  return { removed: known.removed_at !== null };
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

/** Hides a repository from those who may not see private ones, at once and whatever else follows. */
export async function makePrivate(db: Kysely<Tables>, id: string): Promise<void> {
  await db
    .updateTable("repositories")
    .set({ private: true })
    .where("id", "=", id)
    .where("private", "=", false)
    .execute();
}

/** What GitHub itself says of a repository now: names and visibility heal by themselves. */
export async function refreshRepository(db: Kysely<Tables>, facts: RepositoryFacts): Promise<void> {
  const { id, ...rest } = facts;
  await db.updateTable("repositories").set(rest).where("id", "=", id).execute();
}

/** Takes repositories away: hidden from every reader at once, their runs cancelled; `why` is for the runs' logs. */
export async function removeRepositories(
  trx: Kysely<Tables>,
  installationId: string,
  repositoryIds: string[],
  why: string | null = null,
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
  const ids = removed.map(({ id }) => id);
  await cancelRunsOf(trx, ids, why);
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
