import { createHash } from "node:crypto";
import type { Kysely, RawBuilder } from "kysely";
import type pg from "pg";
import type { Tables } from "../database/schema.ts";
import type { RowCache } from "./row-cache.ts";

/** A snapshot that is searched: a transaction, the connection beneath it, and what needs not be read again. */
export interface Snapshot {
  trx: Kysely<Tables>;
  client: pg.ClientBase;
  rows: RowCache;
}

/**
 * Runs a statement that every search runs alike. It is planned once a connection: to plan a join takes longer than to
 * look up a page of files.
 */
export async function runPrepared<Row extends pg.QueryResultRow>(
  { trx, client }: Pick<Snapshot, "trx" | "client">,
  statement: RawBuilder<Row>,
): Promise<Row[]> {
  const { sql: text, parameters } = statement.compile(trx);
  const name = createHash("sha1").update(text).digest("base64url");
  const { rows } = await client.query<Row>({ name, text, values: [...parameters] });
  return rows;
}
