import { type Kysely, sql } from "kysely";
import { notify } from "../database/notify.ts";
import type { Tables } from "../database/schema.ts";
import { type AccountRow, accountColumns } from "./account.ts";
import type { Person, ReadableRepository } from "./identity.ts";

/** Longer than a request to GitHub takes at most: whoever renews a person's tokens has the lease till they are kept. */
const LEASE_SECONDS = 45;

/**
 * Notes a person with GitHub's tokens, sealed. What they may see is not known by that, and whoever asks with the tokens
 * before asks for nobody any more.
 */
export async function saveUser(db: Kysely<Tables>, { id, login }: Person, sealed: Buffer): Promise<void> {
  // Anew for who comes back: or they were idle until their session is there.
  const created_at = sql<Date>`clock_timestamp()`;
  const user = { login, tokens: sealed, created_at, lease_until: null };
  await db
    .insertInto("users")
    .values({ id, ...user })
    .onConflict((conflict) => conflict.column("id").doUpdateSet(user))
    .execute();
}

/** The right to ask GitHub about a person. */
export interface Lease {
  tokens: Buffer;
  /** When it was had, to the microsecond. */
  began: string;
  /** Tells it from those of others, to the microsecond. */
  until: string;
}

/** Whoever gets it asks GitHub what the person may see; null while somebody else does, or where nobody can. */
export async function leaseCheck(db: Kysely<Tables>, userId: string): Promise<Lease | null> {
  const { rows } = await sql<Lease>`
    update users set lease_until = clock_timestamp() + make_interval(secs => ${LEASE_SECONDS})
    where id = ${userId} and tokens is not null and (lease_until is null or lease_until < clock_timestamp())
    returning tokens, clock_timestamp()::text as began, lease_until::text as until`.execute(db);
  return rows[0] ?? null;
}

/** Gives a lease its full length again; false where others have it by now, or the tokens are others. */
export async function extendLease(db: Kysely<Tables>, userId: string, lease: Lease): Promise<boolean> {
  const { rows } = await sql<Pick<Lease, "until">>`
    update users set lease_until = clock_timestamp() + make_interval(secs => ${LEASE_SECONDS})
    where id = ${userId} and tokens = ${lease.tokens}
      and (lease_until = ${lease.until}::timestamptz or lease_until is null or lease_until < clock_timestamp())
    returning lease_until::text as until`.execute(db);
  const [row] = rows;
  if (row) lease.until = row.until;
  return row !== undefined;
}

/** Ends a check: the next request may ask again. One that has gone on to others stays theirs. */
export async function endCheck(db: Kysely<Tables>, userId: string, { until }: Lease): Promise<void> {
  await sql`
    update users set lease_until = null where id = ${userId} and lease_until = ${until}::timestamptz`.execute(
    db,
  );
}

/** Keeps new tokens in place of those that are none any more; a sign-in meanwhile brought newer ones. */
export async function replaceTokens(
  db: Kysely<Tables>,
  userId: string,
  { old, renewed }: { old: Buffer; renewed: Buffer },
): Promise<void> {
  await db
    .updateTable("users")
    .set({ tokens: renewed })
    .where("id", "=", userId)
    .where("tokens", "=", old)
    .execute();
}

/**
 * Writes what GitHub said: who the person is, and what they may see as of `began`, unless something newer is known. A list
 * that moved while it was read may name a repository twice. Call it in a transaction.
 */
export async function saveReadable(
  trx: Kysely<Tables>,
  { id, login }: Person,
  { repositories, began }: { repositories: ReadableRepository[]; began: string },
): Promise<void> {
  const ids = repositories.map((repository) => repository.id);
  const writes = repositories.map(({ mayWrite }) => mayWrite);
  const { rows: updated } = await sql`
    update users set login = ${login}, checked_at = ${began}::timestamptz
    where id = ${id} and (checked_at < ${began}::timestamptz or checked_at > clock_timestamp()) returning id`.execute(
    trx,
  );
  if (updated.length === 0) return;
  await sql`
    delete from user_repositories where user_id = ${id} and repository_id <> all(${ids}::bigint[])`.execute(
    trx,
  );
  await sql`
    insert into user_repositories (user_id, repository_id, may_write)
    select ${id}, said.id, bool_and(said.may_write)
    from unnest(${ids}::bigint[], ${writes}::boolean[]) said (id, may_write)
    join repositories on repositories.id = said.id
    group by said.id
    on conflict (user_id, repository_id) do update set may_write = excluded.may_write
      where user_repositories.may_write <> excluded.may_write`.execute(trx);
}

/** A person as a request needs it, or null where there is none of this id. */
export async function readAccount(db: Kysely<Tables>, userId: string): Promise<AccountRow | null> {
  const { rows } = await sql<AccountRow>`
    select ${accountColumns()} from users where users.id = ${userId}`.execute(db);
  return rows[0] ?? null;
}

/**
 * GitHub does not let the App act for them any more: their browsers are signed out, and their API tokens are good again
 * once they sign in. `tokens` are those that GitHub refused, where it did: a sign-in meanwhile brought others, and then
 * nothing is forgotten. Answers whether it was.
 */
export async function forgetAuthorization(
  trx: Kysely<Tables>,
  userId: string,
  tokens: Buffer | null = null,
): Promise<boolean> {
  const { rows } = await sql`
    update users set tokens = null, lease_until = null
    where id = ${userId} and (${tokens}::bytea is null or tokens = ${tokens}) returning id`.execute(trx);
  if (rows.length === 0) return false;
  await trx.deleteFrom("sessions").where("user_id", "=", userId).execute();
  await notifyAccess(trx, userId);
  await trx.deleteFrom("user_repositories").where("user_id", "=", userId).execute();
  return true;
}

/** Told whenever what people may see may have changed: a person's id, or nothing where it may be anybody. */
export const ACCESS_CHANNEL = "access_changed";

/** Tells that a browser or a program of a person may see nothing any more. */
export async function notifyAccess(db: Kysely<Tables>, userId: string): Promise<void> {
  await notify(db, ACCESS_CHANNEL, userId);
}

/** Something changed that decides what people may see: GitHub is asked again before any of them sees anything. */
export async function noteAccessChanged(db: Kysely<Tables>): Promise<void> {
  await sql`
    insert into access_changes (changed_at) values (clock_timestamp())
    on conflict (only_row) do update set changed_at = excluded.changed_at`.execute(db);
  await notify(db, ACCESS_CHANNEL);
}

/** Forgets those who have neither a browser signed in nor a token, and so the tokens that GitHub gave for them. */
export async function deleteIdleUsers(db: Kysely<Tables>): Promise<number> {
  const { numAffectedRows = 0n } = await sql`
    delete from users
    where created_at < clock_timestamp() - interval '1 hour'
      and not exists (select from sessions where user_id = users.id)
      and not exists (select from api_tokens where user_id = users.id)`.execute(db);
  return Number(numAffectedRows);
}
