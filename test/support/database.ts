import { randomBytes } from "node:crypto";
import type { Kysely } from "kysely";
import { sql } from "kysely";
import type pg from "pg";
import { afterAll, beforeAll, beforeEach, inject, onTestFinished } from "vitest";
import { type Connection, type ConnectOptions, connect } from "../../src/database/connect.ts";
import type { Tables } from "../../src/database/schema.ts";
import { createLogger } from "../../src/log.ts";
import { administer, configOf, urlOf } from "./databases.ts";

export interface Database {
  readonly connection: Connection;
  readonly db: Kysely<Tables>;
  /** A DATABASE_URL for a child process. */
  readonly url: string;
  readonly config: pg.PoolConfig;
  /** Opens another connection. It is closed with the test that opened it. */
  connect(options?: Partial<ConnectOptions>): Connection;
}

export interface TestDatabase extends Database {
  /** Another database, migrated and empty, for one test. */
  createDatabase(): Promise<Database>;
}

interface Clone extends Database {
  /** Closes the connections opened since, or all of them. */
  closeFrom(index: number): Promise<void>;
  opened(): number;
  drop(): Promise<void>;
}

/** Gives a test file its own migrated database, emptied after each test. Call it at the top of the file. */
export function useDatabase(options: Partial<ConnectOptions> = {}): TestDatabase {
  let clone: Clone | undefined;
  let extra: Clone[] = [];

  function current(): Clone {
    if (!clone) throw new Error("The database is there only while tests and their hooks run.");
    return clone;
  }

  beforeAll(async () => {
    clone = await createClone(options);
  });
  beforeEach(() => {
    const openedBefore = current().opened();
    // The last of all to run: what the test itself has yet to end may still be writing.
    onTestFinished(async () => {
      await current().closeFrom(openedBefore);
      await Promise.all(extra.map((database) => database.drop()));
      extra = [];
      await truncateAll(current().db);
    });
  });
  afterAll(async () => {
    await clone?.drop();
    clone = undefined;
  });

  return {
    get connection() {
      return current().connection;
    },
    get db() {
      return current().db;
    },
    get url() {
      return current().url;
    },
    get config() {
      return current().config;
    },
    connect: (more) => current().connect(more),
    async createDatabase() {
      const database = await createClone(options);
      extra.push(database);
      return database;
    },
  };
}

async function createClone(options: Partial<ConnectOptions>): Promise<Clone> {
  const server = inject("server");
  const name = server.prefix + randomBytes(6).toString("hex");
  await administer(server.url, `create database "${name}" template "${server.template}" strategy file_copy`);
  const url = urlOf(server.url, name);
  const config = configOf(url);
  const connections: Connection[] = [];

  function open(more: Partial<ConnectOptions> = {}): Connection {
    const defaults = { connection: config, log: createLogger("silent"), maxConnections: 10 };
    const connection = connect({ ...defaults, ...options, ...more });
    connections.push(connection);
    return connection;
  }

  async function closeFrom(index: number): Promise<void> {
    await Promise.all(connections.splice(index).map(closeOnce));
  }

  const connection = open();
  return {
    connection,
    db: connection.db,
    url,
    config,
    connect: open,
    closeFrom,
    opened: () => connections.length,
    async drop() {
      await closeFrom(0);
      await administer(server.url, `drop database if exists "${name}" with (force)`);
    },
  };
}

/** The test may have closed it already, which a pool refuses to do twice. */
async function closeOnce(connection: Connection): Promise<void> {
  if (!connection.pool.ended) await connection.close();
}

/** All but what migrations wrote. Waits only shortly for what a test left locked. */
async function truncateAll(db: Kysely<Tables>): Promise<void> {
  const { rows } = await sql<{ name: string }>`
    select quote_ident(tablename) as name from pg_tables
    where schemaname = 'public' and tablename not like 'kysely%' and tablename <> 'schema_compatibility'
  `.execute(db);
  const names = rows.map(({ name }) => name).join(", ");
  await db.transaction().execute(async (trx) => {
    await sql`set local lock_timeout = '5s'`.execute(trx);
    await sql.raw(`truncate ${names} restart identity cascade`).execute(trx);
  });
}
