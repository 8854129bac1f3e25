import { type RawBuilder, sql } from "kysely";
import type { Person } from "./identity.ts";

/** How long GitHub's word counts on what a person may see. */
export const CHECK_SECONDS = 300;
/** After so long it is asked again, while the last word still counts: nobody waits for it then. */
const SOON_SECONDS = 120;

/** A person as known here, and what GitHub last said that they may see. */
export interface Account extends Person {
  /** Ids of the repositories that are theirs to read. */
  repositories: string[];
  /** Those among them that they may change. */
  writable: ReadonlySet<string>;
  /** Until when that counts, by this process's clock. */
  goodUntil: Date;
}

/** A row of `users` with what is read beside it. */
export interface AccountRow {
  id: string;
  login: string;
  /** GitHub still lets the App act for them, as far as is known. */
  signed_in: boolean;
  fresh: boolean;
  /** When GitHub was asked, and when this was read, in the database's seconds. */
  checked_at: number;
  read_at: number;
  /** It is time to ask again. */
  soon: boolean;
  /** How much longer; means something where it is fresh. */
  good_seconds: number;
  repositories: string[];
  writable: string[];
}

/** What is read of `users` wherever a request finds its account. */
export function accountColumns(): RawBuilder<unknown> {
  return sql`
    users.id, users.login, users.tokens is not null as signed_in,
    users.checked_at > coalesce((select changed_at from access_changes), '-infinity')
      and users.checked_at > clock_timestamp() - make_interval(secs => ${CHECK_SECONDS})
      and users.checked_at <= clock_timestamp() as fresh,
    extract(epoch from users.checked_at)::float8 as checked_at,
    extract(epoch from clock_timestamp())::float8 as read_at,
    users.checked_at < clock_timestamp() - make_interval(secs => ${SOON_SECONDS}) as soon,
    case when isfinite(users.checked_at)
      then extract(epoch from users.checked_at - clock_timestamp())::float8 + ${CHECK_SECONDS} else 0 end as good_seconds,
    array(select repository_id::text from user_repositories where user_id = users.id order by repository_id) as repositories,
    array(select repository_id::text from user_repositories where user_id = users.id and may_write) as writable`;
}

export function toAccount({ id, login, repositories, writable, good_seconds }: AccountRow): Account {
  const goodUntil = new Date(Date.now() + good_seconds * 1000);
  return { id, login, repositories, writable: new Set(writable), goodUntil };
}
