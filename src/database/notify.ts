import { type Kysely, sql } from "kysely";
import type { Tables } from "./schema.ts";

/** Sends a NOTIFY when the transaction commits. Equal ones of a transaction arrive once. */
export async function notify(db: Kysely<Tables>, channel: string, payload = ""): Promise<void> {
  await sql`select pg_notify(${channel}, ${payload})`.execute(db);
}
