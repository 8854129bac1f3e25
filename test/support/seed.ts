import { type Kysely, sql } from "kysely";
import { createSession } from "../../src/access/sessions.ts";
import { createToken } from "../../src/access/tokens.ts";
import type { Connection } from "../../src/database/connect.ts";
import { transaction } from "../../src/database/connect.ts";
import type { RunState, Tables } from "../../src/database/schema.ts";
import {
  type ClaimedRun,
  claimRun,
  type RequestedRun,
  type RunRequest,
  requestRun,
} from "../../src/runs/queue.ts";
import type { RunTimings } from "../../src/runs/run.ts";

export const TIMINGS: RunTimings = { leaseSeconds: 15, stallSeconds: 600, retryBaseMs: 60_000 };

export const SHA = (digit: string) => digit.repeat(40);

/** A repository of an installation, both confirmed, as if GitHub had told of them. */
export async function seedRepository(
  db: Kysely<Tables>,
  { id = "100", installation_id = "1" }: { id?: string; installation_id?: string } = {},
): Promise<string> {
  await db
    .insertInto("installations")
    .values({ id: installation_id, account_login: `account-${installation_id}`, confirmed: true })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
  await db
    .insertInto("repositories")
    .values({
      id,
      installation_id,
      owner: `account-${installation_id}`,
      name: `repository-${id}`,
      default_branch: "main",
      confirmed: true,
    })
    .execute();
  return id;
}

/** Asks for a run in a transaction of its own. */
export async function request(
  connection: Connection,
  options: Partial<RunRequest> = {},
): Promise<RequestedRun> {
  return await transaction(connection, ({ trx }) =>
    requestRun(trx, { repository_id: "100", trigger: "push", ...options }),
  );
}

export async function claim(connection: Connection, leaseSeconds = 15): Promise<ClaimedRun> {
  const run = await claimRun(connection.db, { worker: "test", leaseSeconds });
  if (!run) throw new Error("nothing to claim");
  return run;
}

export async function readRow(db: Kysely<Tables>, runId: string) {
  return await db.selectFrom("runs").selectAll().where("id", "=", runId).executeTakeFirstOrThrow();
}

export async function statesOf(db: Kysely<Tables>): Promise<RunState[]> {
  const rows = await db.selectFrom("runs").select("state").orderBy("id").execute();
  return rows.map(({ state }) => state);
}

/** A person, a browser of theirs that is signed in, and a token, as if GitHub had just said what they may see. */
export async function seedUser(
  db: Kysely<Tables>,
  {
    id = "583231",
    login = "octocat",
    read = [],
    write = [],
  }: { id?: string; login?: string; read?: string[]; write?: string[] } = {},
): Promise<{ id: string; token: string; session: string }> {
  const now = sql<Date>`clock_timestamp()`;
  await db
    .insertInto("users")
    .values({ id, login, tokens: Buffer.from("sealed"), checked_at: now })
    .onConflict((conflict) => conflict.column("id").doUpdateSet({ login, checked_at: now }))
    .execute();
  const seen = [
    ...read.map((repository_id) => ({ user_id: id, repository_id, may_write: false })),
    ...write.map((repository_id) => ({ user_id: id, repository_id, may_write: true })),
  ];
  await db.deleteFrom("user_repositories").where("user_id", "=", id).execute();
  if (seen.length > 0) await db.insertInto("user_repositories").values(seen).execute();
  const token = await createToken(db, { userId: id, name: "of the tests", scope: "write", days: 7 });
  if (token === null) throw new Error("too many tokens");
  return { id, token, session: await createSession(db, id) };
}
