import { type Kysely, sql } from "kysely";
import { notify } from "../database/notify.ts";
import type { Tables } from "../database/schema.ts";
import { type AccountRow, accountColumns } from "./account.ts";
import type { Person, ReadableRepository } from "./identity.ts";

/** Whoever asks GitHub about a person ends within this: its requests have their own limits. */
const LEASE_SECONDS = 45;

/** Notes a person with GitHub's tokens, sealed. What they may see is not known by that. */
export async function saveUser(db: Kysely<Tables>, { id, login }: Person, sealed: Buffer): Promise<void> {
  await db
    .insertInto("users")
    .values({ id, login, tokens: sealed })
    .onConflict((conflict) => conflict.column("id").doUpdateSet({ login, tokens: sealed }))
    .execute();
}

/** Whoever gets it asks GitHub what the person may see; null while somebody else does, or where nobody can. */
export async function leaseCheck(
  db: Kysely<Tables>,
  userId: string,
): Promise<{ tokens: Buffer; began: Date } | null> {
  const { rows } = await sql<{ tokens: Buffer; began: Date }>`
    update users set lease_until = clock_timestamp() + make_interval(secs => ${LEASE_SECONDS})
    where id = ${userId} and tokens is not null and (lease_until is null or lease_until < clock_timestamp())
    returning tokens, clock_timestamp() as began`.execute(db);
  return rows[0] ?? null;
}

/** Ends a check that came to nothing: the next request may ask again. */
export async function endCheck(db: Kysely<Tables>, userId: string): Promise<void> {
  await db.updateTable("users").set({ lease_until: null }).where("id", "=", userId).execute();
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

/** Writes what GitHub said: who the person is, and what they may see as of `began`. Call it in a transaction. */
export async function saveReadable(
  trx: Kysely<Tables>,
  { id, login }: Person,
  { repositories, began }: { repositories: ReadableRepository[]; began: Date },
): Promise<void> {
  const ids = repositories.map((repository) => repository.id);
  const writes = repositories.map(({ mayWrite }) => mayWrite);
  await trx
    .updateTable("users")
    .set({ login, checked_at: began, lease_until: null })
    .where("id", "=", id)
    .execute();
  await sql`
    delete from user_repositories where user_id = ${id} and repository_id <> all(${ids}::bigint[])`.execute(
    trx,
  );
  await sql`
    insert into user_repositories (user_id, repository_id, may_write)
    select ${id}, said.id, said.may_write
    from unnest(${ids}::bigint[], ${writes}::boolean[]) said (id, may_write)
    join repositories on repositories.id = said.id
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
 * once they sign in. `tokens` are those that GitHub refused, where it did: a sign-in meanwhile brought others.
 */
export async function forgetAuthorization(
  trx: Kysely<Tables>,
  userId: string,
  tokens: Buffer | null = null,
): Promise<void> {
  const { rows } = await sql`
    update users set tokens = null, lease_until = null
    where id = ${userId} and (${tokens}::bytea is null or tokens = ${tokens}) returning id`.execute(trx);
  if (rows.length === 0) return;
  await trx.deleteFrom("sessions").where("user_id", "=", userId).execute();
  await notify(trx, ACCESS_CHANNEL);
  await trx.deleteFrom("user_repositories").where("user_id", "=", userId).execute();
}

/** Told whenever what people may see may have changed. */
export const ACCESS_CHANNEL = "access_changed";

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
