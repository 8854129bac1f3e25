import { type Kysely, sql } from "kysely";
import type { Tables } from "../database/schema.ts";

const TOLD_BY = {
  added: sql`('installation', 'created'), ('installation_repositories', 'added'), ('repository', 'transferred')`,
  removed: sql`('installation', 'deleted'), ('installation_repositories', 'removed'), ('repository', 'deleted')`,
};

/**
 * Whether GitHub has told, since `since`, that an installation or repositories of it were added, or taken away: a list
 * that was read before is then not to be trusted for that.
 */
export async function isToldSince(
  trx: Kysely<Tables>,
  told: { installation_id: string; since: Date; what: keyof typeof TOLD_BY },
): Promise<boolean> {
  const { rows } = await sql`
    select from deliveries
    where installation_id = ${told.installation_id} and received_at >= ${told.since}
      and (event, action) in (${TOLD_BY[told.what]})
    limit 1`.execute(trx);
  return rows.length > 0;
}
