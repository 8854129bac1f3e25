import { type Kysely, sql } from "kysely";
import type { Tables } from "../database/schema.ts";
import { type AccountRow, accountColumns } from "./account.ts";
import { hashOf, randomSecret } from "./seal.ts";
import { notifyAccess } from "./users.ts";

/** What a token is told by, for people and for programs that look for leaked ones. */
const TOKEN_PREFIX = "rdx_";
export const TOKEN_SCOPES = ["read", "write"] as const;
export type TokenScope = (typeof TOKEN_SCOPES)[number];
/** As many a person may have. */
export const MAX_TOKENS = 50;
/** An expired one is shown for so long, so that its owner sees why a program stopped. */
const SHOWN_DAYS = 30;

/** A personal API token, without its secret. */
export interface ApiToken {
  id: string;
  user_id: string;
  /** Its owner's. */
  login: string;
  name: string;
  scope: TokenScope;
  created_at: Date;
  expires_at: Date;
  last_used_at: Date | null;
}

/** Makes a token and answers its text, which nobody sees twice; null where the person has too many. */
export async function createToken(
  db: Kysely<Tables>,
  { userId, name, scope, days }: { userId: string; name: string; scope: TokenScope; days: number },
): Promise<string | null> {
  const token = `${TOKEN_PREFIX}${randomSecret()}`;
  const { rows } = await sql`
    insert into api_tokens (user_id, name, scope, secret_hash, expires_at)
    select ${userId}::bigint, ${name}, ${scope}, ${hashOf(token)}, clock_timestamp() + make_interval(days => ${days})
    where (select count(*) from api_tokens where user_id = ${userId}) < ${MAX_TOKENS}
    returning id`.execute(db);
  return rows.length > 0 ? token : null;
}

/** Whose a token is, what it may, and for how long; null where it is none, or none any more. */
export async function findToken(
  db: Kysely<Tables>,
  token: string,
): Promise<{ scope: TokenScope; seconds: number; account: AccountRow } | null> {
  if (!token.startsWith(TOKEN_PREFIX)) return null;
  type Found = AccountRow & { token_id: string; scope: TokenScope; seconds: number; unnoted: boolean };
  const { rows } = await sql<Found>`
    select api_tokens.id as token_id, scope, ${accountColumns()},
      extract(epoch from expires_at - clock_timestamp())::float8 as seconds,
      used_at is null or used_at < clock_timestamp() - interval '1 minute' as unnoted
    from api_tokens join users on users.id = api_tokens.user_id
    where secret_hash = ${hashOf(token)} and expires_at > clock_timestamp()`.execute(db);
  const [row] = rows;
  if (!row) return null;
  const { token_id, scope, seconds, unnoted, ...account } = row;
  if (unnoted) {
    await sql`update api_tokens set used_at = clock_timestamp() where id = ${token_id}`.execute(db);
  }
  return { scope, seconds, account };
}

/** A person's tokens, or with null everybody's: the newest first, those before token `before` only. */
export async function listTokens(
  db: Kysely<Tables>,
  userId: string | null,
  { before = null, limit = MAX_TOKENS }: { before?: string | null; limit?: number } = {},
): Promise<ApiToken[]> {
  const { rows } = await sql<ApiToken>`
    select api_tokens.id, user_id, login, name, scope, api_tokens.created_at, expires_at, used_at as last_used_at
    from api_tokens join users on users.id = api_tokens.user_id
    where (${userId}::bigint is null or user_id = ${userId}::bigint)
      and (${before}::bigint is null or api_tokens.id < ${before}::bigint)
    order by api_tokens.id desc limit ${limit}`.execute(db);
  return rows;
}

/** Ends a token of a person, or with null anybody's; answers whether there was one. */
export async function deleteToken(db: Kysely<Tables>, id: string, userId: string | null): Promise<boolean> {
  const { rows } = await sql<{ user_id: string }>`
    delete from api_tokens
    where id = ${id} and (${userId}::bigint is null or user_id = ${userId}::bigint)
    returning user_id`.execute(db);
  for (const { user_id } of rows) await notifyAccess(db, user_id);
  return rows.length > 0;
}

/** Deletes tokens that expired long ago. */
export async function deleteOldTokens(db: Kysely<Tables>): Promise<number> {
  const { numAffectedRows = 0n } = await sql`
    delete from api_tokens where expires_at < clock_timestamp() - make_interval(days => ${SHOWN_DAYS})`.execute(
    db,
  );
  return Number(numAffectedRows);
}
