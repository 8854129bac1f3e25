import { type Kysely, sql } from "kysely";
import { readClock } from "../database/clock.ts";
import { type Connection, transaction } from "../database/connect.ts";
import { endSchedule, ensureScheduled } from "../database/schedule.ts";
import type { Tables } from "../database/schema.ts";
import { requestBackgroundRuns } from "../runs/bulk.ts";
import { pauseFor } from "../runs/queue.ts";
import { reopenReplies } from "../runs/replies.ts";
import { reopenReports } from "../runs/reporter.ts";
import { RateLimited, SourceError } from "../scan/source.ts";
import type { Directory, HeadQuestion, ListedHead } from "./directory.ts";
import {
  addRepositories,
  confirmInstallation,
  holdInstallation,
  lockInstallation,
  type RepositoryFacts,
  refreshRepository,
  removeInstallation,
  removeRepositories,
  scheduleOf,
  setSuspended,
} from "./installations.ts";
import { isToldSince } from "./told.ts";

/** GraphQL answers as many repositories at a time; each list of heads is written in a transaction of its own. */
const HEADS_AT_ONCE = 100;
/** A commit whose run failed is not tried again by itself sooner. */
const RETRY_FAILED = "6 hours";

export interface ReconcileOptions {
  connection: Connection;
  directory: Directory;
  signal: AbortSignal;
}

/**
 * Compares what we know of all installations with what GitHub lists, and sees to it that each one's repositories are
 * compared from time to time. One that is not listed is asked for by itself before it counts as uninstalled.
 */
export async function reconcileInstallations(options: ReconcileOptions): Promise<string> {
  const { connection, directory, signal } = options;
  const since = await readClock(connection.db);
  const listed = await directory.listInstallations(signal);
  const isListed = new Set(listed.map(({ id }) => id));
  const known = await connection.db
    .selectFrom("installations")
    .select(["id", "suspended_at"])
    .where("removed_at", "is", null)
    .execute();
  let gone = 0;
  for (const { id } of known) {
    if (isListed.has(id) || (await directory.readInstallation(id)) !== null) continue;
    await transaction(connection, ({ trx }) => forgetInstallation(trx, id));
    gone += 1;
  }
  const suspended = new Map(known.map(({ id, suspended_at }) => [id, suspended_at !== null]));
  for (const { suspended_at, ...facts } of listed) {
    await transaction(connection, async ({ trx }) => {
      if (await isToldSince(trx, { installation_id: facts.id, since, what: "anything" })) return;
      await confirmInstallation(trx, facts);
      const isSuspended = suspended_at !== null;
      if (isSuspended !== (suspended.get(facts.id) ?? false)) await setSuspended(trx, facts.id, isSuspended);
      await ensureScheduled(trx, scheduleOf(facts.id));
    });
  }
  return `${listed.length} installations, ${gone} gone.`;
}

async function forgetInstallation(trx: Kysely<Tables>, id: string): Promise<void> {
  await removeInstallation(trx, id);
  await endSchedule(trx, scheduleOf(id));
}

/**
 * Compares an installation's repositories with what GitHub lists: adds, renames, hides what is gone, and asks a
 * background run for each whose head is not what is indexed. A day of lost webhooks heals by it.
 */
export async function reconcileInstallation(id: string, options: ReconcileOptions): Promise<string> {
  const { connection } = options;
  try {
    const known = await connection.db
      .selectFrom("installations")
      .select(["suspended_at", "removed_at"])
      .where("id", "=", id)
      .executeTakeFirst();
    if (!known || known.removed_at || known.suspended_at) {
      await endSchedule(connection.db, scheduleOf(id)); // it begins again when it is installed or unsuspended
      return "Not readable now.";
    }
    return await compare(id, options);
  } catch (error) {
    await noteRefusal(connection, id, error);
    throw error;
  }
}

/** What GitHub says to a list it says to scans too. */
async function noteRefusal(connection: Connection, id: string, error: unknown): Promise<void> {
  if (error instanceof SourceError && error.code === "suspended")
    await transaction(connection, ({ trx }) => setSuspended(trx, id, true));
  if (error instanceof RateLimited) await transaction(connection, ({ trx }) => pauseFor(trx, id, error));
}

async function compare(id: string, options: ReconcileOptions): Promise<string> {
  const { connection, directory, signal } = options;
  const since = await readClock(connection.db);
  const listed = await directory.listRepositories(id, { background: true, signal });
  if (listed === null) {
    if ((await directory.readInstallation(id)) !== null)
      return "GitHub gave no list, although it is installed.";
    await transaction(connection, ({ trx }) => forgetInstallation(trx, id));
    return "It was uninstalled: hidden.";
  }
  const added = await addMissing(id, { ...options, listed, since });
  const removed = await removeAbsent(id, { ...options, listed, since });
  const behind = await requestBehind(id, options);
  return `${listed.length} repositories: ${added} added, ${removed} removed, ${behind} behind.`;
}

/** A whole list of an installation's repositories, and when it was begun. */
type Listed = ReconcileOptions & { listed: RepositoryFacts[]; since: Date };

/** Adds what is listed and not known as readable, and brings names and visibility of the rest up to date. */
async function addMissing(installationId: string, { connection, listed, since }: Listed): Promise<number> {
  const known = await readKnown(connection.db, installationId);
  const missing = listed.filter(({ id }) => !known.has(id));
  let added = 0;
  for (let from = 0; from < missing.length; from += HEADS_AT_ONCE) {
    const some = missing.slice(from, from + HEADS_AT_ONCE);
    added += await transaction(connection, ({ trx }) => addSome(trx, installationId, { some, since }));
  }
  for (const facts of listed) {
    const before = known.get(facts.id);
    if (!before || !differs(before, facts)) continue;
    await transaction(connection, ({ trx }) => refreshListed(trx, installationId, { before, facts, since }));
  }
  return added;
}

/** What a list says of a known repository, unless an event has said something of it since. */
async function refreshListed(
  trx: Kysely<Tables>,
  installationId: string,
  { before, facts, since }: { before: Known; facts: RepositoryFacts; since: Date },
): Promise<void> {
  const told = { installation_id: installationId, repository_ids: [facts.id], since };
  if (await isToldSince(trx, { ...told, what: "anything" })) return;
  await refreshRepository(trx, facts);
  if (!before.archived || facts.archived) return;
  await reopenReports(trx, [facts.id]);
  await reopenReplies(trx, [facts.id], { age: "any" });
}

/** Adds those that are still not known; none if an event has said something of them or their installation since. */
async function addSome(
  trx: Kysely<Tables>,
  installationId: string,
  { some, since }: { some: RepositoryFacts[]; since: Date },
): Promise<number> {
  const installation = await lockInstallation(trx, installationId);
  if (!installation || installation.removed_at !== null) return 0;
  const told = { installation_id: installationId, repository_ids: some.map(({ id }) => id), since };
  if (await isToldSince(trx, { ...told, what: "anything" })) return 0;
  const known = await readKnown(trx, installationId);
  const repositories = some.filter(({ id }) => !known.has(id));
  await addRepositories(trx, installationId, { repositories, delivery_guid: null });
  return repositories.length;
}

type Known = Omit<RepositoryFacts, "id">;

function differs(known: Known, facts: RepositoryFacts): boolean {
  return (Object.keys(known) as (keyof Known)[]).some((field) => known[field] !== facts[field]);
}

/** The confirmed repositories of an installation that are not removed, by id. */
async function readKnown(db: Kysely<Tables>, installationId: string): Promise<Map<string, Known>> {
  const rows = await db
    .selectFrom("repositories")
    .select(["id", "owner", "name", "private", "archived", "default_branch"])
    .where("installation_id", "=", installationId)
    .where("removed_at", "is", null)
    .where("confirmed", "=", true)
    .execute();
  return new Map(rows.map(({ id, ...facts }) => [id, facts]));
}

/** Hides what two whole lists, one after the other, do not name; what came in between is left for the next time. */
async function removeAbsent(
  installationId: string,
  { connection, directory, signal, listed, since }: Listed,
): Promise<number> {
  const rows = await connection.db
    .selectFrom("repositories")
    .select("id")
    .where("installation_id", "=", installationId)
    .where("removed_at", "is", null)
    .where("created_at", "<", since)
    .execute();
  const isListed = new Set(listed.map(({ id }) => id));
  const absent = rows.map(({ id }) => id).filter((id) => !isListed.has(id));
  if (absent.length === 0) return 0;
  const again = await directory.listRepositories(installationId, { background: true, signal });
  if (again === null) return 0;
  const isThere = new Set(again.map(({ id }) => id));
  const gone = absent.filter((id) => !isThere.has(id));
  return await transaction(connection, async ({ trx }) => {
    if (await isToldSince(trx, { installation_id: installationId, since, what: "anything" })) return 0;
    await removeRepositories(trx, installationId, gone, "GitHub no longer lists the repository for Repodex.");
    return gone.length;
  });
}

interface Candidate extends HeadQuestion {
  indexed_commit: string | null;
  indexed_branch: string | null;
  /** The commit of the default branch at which the configuration was read; null where it is to be read anew. */
  settings_commit: string | null;
  scanned_lately: boolean;
}

/** Asks a run for each repository whose head is not what is indexed; answers how many. */
async function requestBehind(
  installationId: string,
  { connection, directory, signal }: ReconcileOptions,
): Promise<number> {
  const { rows } = await sql<Candidate>`
    select id, owner, name, settings->>'branch' as branch, indexed_commit, indexed_branch, settings_commit,
      exists (select from runs where repository_id = r.id
        and finished_at > clock_timestamp() - ${RETRY_FAILED}::interval) as scanned_lately
    from repositories r
    where installation_id = ${installationId} and removed_at is null and confirmed and not archived
      and not exists (select from runs where repository_id = r.id and state = 'queued')
    order by id`.execute(connection.db);
  let behind = 0;
  for (let from = 0; from < rows.length; from += HEADS_AT_ONCE) {
    const some = rows.slice(from, from + HEADS_AT_ONCE);
    const heads = new Map(
      (await directory.readHeads(installationId, some, signal)).map((head) => [head.id, head]),
    );
    const late = some.filter((repository) => isBehind(repository, heads.get(repository.id)));
    if (late.length === 0) continue;
    behind += await transaction(connection, async ({ trx }) => {
      await holdInstallation(trx, installationId);
      return await requestEach(trx, late, heads);
    });
  }
  return behind;
}

function isBehind(repository: Candidate, head: ListedHead | undefined): boolean {
  const { branch, indexed_commit, indexed_branch, settings_commit, scanned_lately } = repository;
  if (!head) return false; // not shown: the next list says whether it is gone
  const isRead = settings_commit === null ? scanned_lately : head.default_sha === settings_commit;
  if (branch !== null && !isRead) return true;
  if (head.sha === null) return indexed_commit !== null;
  return head.sha !== indexed_commit || indexed_branch !== (branch ?? head.default_branch);
}

async function requestEach(
  trx: Kysely<Tables>,
  late: Candidate[],
  heads: Map<string, ListedHead>,
): Promise<number> {
  const ids: string[] = [];
  for (const { id } of late) if (!(await isSeenTo(trx, id, heads.get(id)?.sha ?? null))) ids.push(id);
  await requestBackgroundRuns(trx, ids, { trigger: "schedule" });
  return ids.length;
}

/** Whether a run is at this commit already, or failed on it not long ago. */
async function isSeenTo(trx: Kysely<Tables>, repositoryId: string, sha: string | null): Promise<boolean> {
  const { rows } = await sql`
    select from (
      select state, head_sha, finished_at from runs where repository_id = ${repositoryId} order by id desc limit 1
    ) last
    where (last.state = 'running' and coalesce(last.head_sha, ${sha}) = ${sha}) -- or it has yet to read its head
      or (last.state in ('failed', 'cancelled') and coalesce(last.head_sha, ${sha}) = ${sha}
        and last.finished_at > clock_timestamp() - ${RETRY_FAILED}::interval)`.execute(trx);
  return rows.length > 0;
}
