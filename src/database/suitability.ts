import { sql } from "kysely";
import type { Logger } from "pino";
import type { Connection } from "./connect.ts";

const OLDEST_VERSION = 15;
const MB = 1024 * 1024;

/** The database cannot hold what Repodex stores; the message says what to do. */
export class DatabaseUnsuitable extends Error {
  override readonly name = "DatabaseUnsuitable";
}

interface Server {
  version: number;
  encoding: string;
  max_wal_size: number;
  shared_buffers: number;
}

/** Refuses a server that is too old or does not speak UTF-8; warns of settings that make large scans slow. */
export async function checkSuitability({ db }: Connection, log: Logger): Promise<void> {
  const { rows } = await sql<Server>`
    select current_setting('server_version_num')::int / 10000 as version,
      current_setting('server_encoding') as encoding,
      pg_size_bytes(current_setting('max_wal_size'))::float8 as max_wal_size,
      pg_size_bytes(current_setting('shared_buffers'))::float8 as shared_buffers`.execute(db);
  const server = rows[0];
  if (!server) return;
  if (server.version < OLDEST_VERSION) {
    throw new DatabaseUnsuitable(
      `Repodex needs PostgreSQL ${OLDEST_VERSION} or newer; this is ${server.version}.`,
    );
  }
  if (server.encoding !== "UTF8") {
    throw new DatabaseUnsuitable(
      `The database's encoding is ${server.encoding}. Create one with: create database repodex encoding 'UTF8' template template0`,
    );
  }
  const advice = adviceFor(server);
  if (advice.length > 0) log.warn({ advice }, "PostgreSQL settings could be better for large scans");
}

function adviceFor({ max_wal_size, shared_buffers }: Server): string[] {
  return [
    ...(max_wal_size < 2048 * MB ? ["max_wal_size below 2GB: checkpoints come too often"] : []),
    ...(shared_buffers < 128 * MB ? ["shared_buffers below 128MB: give it a quarter of the memory"] : []),
  ];
}
