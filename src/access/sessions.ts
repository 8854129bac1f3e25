import { type Kysely, sql } from "kysely";
import type { Tables } from "../database/schema.ts";
import { type AccountRow, accountColumns } from "./account.ts";
import { hashOf, randomSecret } from "./seal.ts";
import { notifyAccess } from "./users.ts";

/** A browser that was not used for so long is signed out, and any after so long. */
const IDLE_DAYS = 7;
export const SESSION_DAYS = 30;
/** A session's secret is changed once it is so old. */
const ISSUE_SECONDS = 86_400;
/** Requests that were under way when the secret changed may still bring the one before. */
const OVERLAP_SECONDS = 60;

/** A session as a request finds it. */
export interface FoundSession {
  id: string;
  account: AccountRow;
  /** It is time to give it a new secret. */
  old: boolean;
}

/** Signs a browser in. Answers the secret that is its cookie's. */
export async function createSession(db: Kysely<Tables>, userId: string): Promise<string> {
  const secret = randomSecret();
  await db
    .insertInto("sessions")
    .values({ user_id: userId, secret_hash: hashOf(secret) })
    .execute();
  return secret;
}

/**
 * The session of a secret; null where there is none, or none any more. A new secret's first use ends the one before, but
 * for requests that were under way.
 */
export async function findSession(db: Kysely<Tables>, secret: string): Promise<FoundSession | null> {
  const hash = hashOf(secret);
  const { rows } = await sql<AccountRow & { session_id: string; old: boolean; unnoted: boolean }>`
    select sessions.id as session_id, ${accountColumns()},
      secret_hash = ${hash} and issued_at < clock_timestamp() - make_interval(secs => ${ISSUE_SECONDS}) as old,
      secret_hash = ${hash} and confirmed_at is null
        or used_at < clock_timestamp() - interval '1 minute' as unnoted
    from sessions join users on users.id = sessions.user_id
    where (secret_hash = ${hash} or (previous_hash = ${hash}
        and (confirmed_at is null or confirmed_at > clock_timestamp() - make_interval(secs => ${OVERLAP_SECONDS}))))
      and used_at > clock_timestamp() - make_interval(days => ${IDLE_DAYS})
      and sessions.created_at > clock_timestamp() - make_interval(days => ${SESSION_DAYS})`.execute(db);
  const [row] = rows;
  if (!row) return null;
  const { session_id: id, old, unnoted, ...account } = row;
  if (unnoted) await noteUse(db, id, hash);
  return { id, account, old };
}

async function noteUse(db: Kysely<Tables>, id: string, hash: Buffer): Promise<void> {
  await sql`
    update sessions set used_at = clock_timestamp(),
      confirmed_at = case when secret_hash = ${hash} then coalesce(confirmed_at, clock_timestamp()) else confirmed_at end
    where id = ${id}`.execute(db);
}

/** Gives a session a new secret in place of this one; null where somebody else just did. */
export async function renewSession(db: Kysely<Tables>, id: string, secret: string): Promise<string | null> {
  const renewed = randomSecret();
  const { rows } = await sql`
    update sessions set previous_hash = secret_hash, secret_hash = ${hashOf(renewed)},
      issued_at = clock_timestamp(), confirmed_at = null
    where id = ${id} and secret_hash = ${hashOf(secret)} returning id`.execute(db);
  return rows.length > 0 ? renewed : null;
}

/** Signs a browser out, whichever of its two secrets it brings. */
export async function deleteSession(db: Kysely<Tables>, secret: string): Promise<void> {
  const hash = hashOf(secret);
  const ended = await db
    .deleteFrom("sessions")
    .where((is) => is.or([is("secret_hash", "=", hash), is("previous_hash", "=", hash)]))
    .returning("user_id")
    .execute();
  for (const { user_id } of ended) await notifyAccess(db, user_id);
}

/** A browser that is signed in. */
export interface Session {
  id: string;
  created_at: Date;
  last_used_at: Date;
}

/** A person's browsers, the one that was used last first. */
export async function listSessions(db: Kysely<Tables>, userId: string): Promise<Session[]> {
  return await db
    .selectFrom("sessions")
    .select(["id", "created_at", "used_at as last_used_at"])
    .where("user_id", "=", userId)
    .orderBy("used_at", "desc")
    .limit(100)
    .execute();
}

/** Signs one of a person's browsers out; answers whether there was one. */
export async function endSession(db: Kysely<Tables>, id: string, userId: string): Promise<boolean> {
  const { numDeletedRows } = await db
    .deleteFrom("sessions")
    .where("id", "=", id)
    .where("user_id", "=", userId)
    .executeTakeFirstOrThrow();
  if (numDeletedRows === 0n) return false;
  await notifyAccess(db, userId);
  return true;
}

/** Deletes sessions that can sign nobody in any more. */
export async function deleteOldSessions(db: Kysely<Tables>): Promise<number> {
  const { numAffectedRows = 0n } = await sql`
    delete from sessions where used_at < clock_timestamp() - make_interval(days => ${IDLE_DAYS})
      or created_at < clock_timestamp() - make_interval(days => ${SESSION_DAYS})`.execute(db);
  return Number(numAffectedRows);
}
