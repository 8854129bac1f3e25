import pg from "pg";

/** What the global setup tells the tests. */
export interface TestServer {
  /** Of a database from which others can be created and dropped. */
  url: string;
  template: string;
  /** Begins the names of this run's databases. */
  prefix: string;
}

declare module "vitest" {
  export interface ProvidedContext {
    server: TestServer;
  }
}

/** The same server, another database. */
export function urlOf(url: string, database: string): string {
  const other = new URL(url);
  other.pathname = `/${database}`;
  return other.href;
}

/** The parts of a connection string: connectors look at `host`. */
export function configOf(url: string): pg.PoolConfig {
  const { host, port, user, password, database, ssl } = new pg.Client({ connectionString: url });
  return { host, port, user, password, database, ssl } as pg.PoolConfig;
}

/** Runs statements outside any transaction, which CREATE DATABASE needs. */
export async function administer<T extends pg.QueryResultRow>(
  url: string,
  ...statements: string[]
): Promise<T[]> {
  const client = new pg.Client({ connectionString: url });
  client.on("error", () => {});
  await client.connect();
  try {
    const answers: T[] = [];
    for (const statement of statements) answers.push(...(await client.query<T>(statement)).rows);
    return answers;
  } finally {
    await client.end();
  }
}
