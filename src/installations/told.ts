import { type Kysely, sql } from "kysely";
import type { Tables } from "../database/schema.ts";

const TOLD_BY = {
  added: sql`(event, action) in (('installation', 'created'), ('installation_repositories', 'added'),
    ('repository', 'transferred'))`,
  removed: sql`(event, action) in (('installation', 'deleted'), ('installation_repositories', 'removed'),
    ('repository', 'deleted'))`,
  suspension: sql`(event, action) in (('installation', 'suspend'), ('installation', 'unsuspend'))`,
  anything: sql`event in ('installation', 'installation_repositories', 'installation_target', 'repository', 'public')`,
};

/**
 * Whether GitHub has told something, since `since`, of an installation or of one of the repositories: what was read of
 * them before is then not to be believed.
 */
export async function isToldSince(
  trx: Kysely<Tables>,
  told: {
    installation_id: string;
    repository_ids?: string[];
    since: Date;
    what: keyof typeof TOLD_BY;
    /** The delivery that asks. */
    except?: string;
  },
): Promise<boolean> {
  const { installation_id, repository_ids = [], since, what, except = null } = told;
  const { rows } = await sql`
    select from deliveries
    where received_at >= ${since} and guid is distinct from ${except} and ${TOLD_BY[what]}
      and (installation_id = ${installation_id} or repository_id = any(${repository_ids}::bigint[]))
    limit 1`.execute(trx);
  return rows.length > 0;
}
