import { Kysely, PostgresDialect } from "kysely";
import pg from "pg";
import type { Logger } from "pino";
import type { Tables } from "./schema.ts";

const STATEMENT_TIMEOUT_MS = 60_000;
const CONNECT_TIMEOUT_MS = 5_000;
const RECONNECT_MS = 300;

export interface ConnectOptions {
  connection: pg.PoolConfig;
  log: Logger;
  maxConnections?: number;
  applicationName?: string;
  /** Keepalives and idle transactions end near it, so that a dead host's locks do not outlive its runs. */
  leaseSeconds?: number;
}

export interface Listener {
  close(): Promise<void>;
}

export interface Connection {
  readonly db: Kysely<Tables>;
  readonly pool: pg.Pool;
  /** LISTENs on a client of its own that reconnects for ever; `onReconnect` follows every (re)connect. */
  listen(
    channels: string[],
    onNotify: (channel: string, payload: string) => void,
    onReconnect: () => void,
  ): Listener;
  close(): Promise<void>;
}

export interface Transaction {
  trx: Kysely<Tables>;
  client: pg.PoolClient;
}

/** Opens a pool. No connection is made yet. */
export function connect(options: ConnectOptions): Connection {
  const config = clientConfig(options);
  const pool = new pg.Pool({ ...config, max: options.maxConnections ?? 20 });
  pool.on("error", (err) => options.log.warn({ err }, "idle database connection lost"));
  // A checked-out client without an error listener kills the process when its backend is terminated.
  pool.on("connect", (client) =>
    client.on("error", (err) => options.log.debug({ err }, "database connection lost")),
  );
  const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) });
  const listeners = new Set<Listener>();
  return {
    db,
    pool,
    listen(channels, onNotify, onReconnect) {
      const listener = startListener({ channels, onNotify, onReconnect, config, log: options.log });
      listeners.add(listener);
      return {
        async close() {
          listeners.delete(listener);
          await listener.close();
        },
      };
    },
    async close() {
      await Promise.all([...listeners].map((listener) => listener.close()));
      await db.destroy();
    },
  };
}

/** Compiling a statement (jit) takes longer than any of ours runs, and estimates of fresh tables invite it. */
function clientConfig({
  connection,
  applicationName = "repodex",
  leaseSeconds = 15,
}: ConnectOptions): pg.PoolConfig {
  const overSocket = connection.host?.startsWith("/") ?? false;
  const leaseMs = leaseSeconds * 1000;
  const keepalives = overSocket
    ? ""
    : ` -c tcp_keepalives_idle=${leaseSeconds} -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3` +
      ` -c tcp_user_timeout=${leaseMs}`;
  return {
    ...connection,
    application_name: applicationName,
    statement_timeout: STATEMENT_TIMEOUT_MS,
    idle_in_transaction_session_timeout: leaseMs * 2,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: !overSocket,
    options: `${connection.options ?? ""} -c timezone=UTC -c jit=off${keepalives}`.trim(),
  };
}

interface ListenOptions {
  channels: string[];
  onNotify: (channel: string, payload: string) => void;
  onReconnect: () => void;
  config: pg.ClientConfig;
  log: Logger;
}

function startListener({ channels, onNotify, onReconnect, config, log }: ListenOptions): Listener {
  const closed = Promise.withResolvers<void>();
  let closing = false;

  async function session(): Promise<void> {
    const current = new pg.Client(config);
    const gone = new Promise<void>((resolve) => {
      current.on("error", () => resolve());
      current.on("end", () => resolve());
    });
    current.on("notification", ({ channel, payload }) => onNotify(channel, payload ?? ""));
    try {
      await current.connect();
      for (const channel of channels) await current.query(`listen ${current.escapeIdentifier(channel)}`);
      onReconnect();
      await Promise.race([gone, closed.promise]);
    } finally {
      await current.end().catch(() => {});
    }
  }

  async function run(): Promise<void> {
    while (!closing) {
      await session().catch((err) => log.debug({ err }, "listen connection failed"));
      if (closing) return;
      const pause = new Promise<void>((resolve) =>
        setTimeout(resolve, RECONNECT_MS * (1 + Math.random())).unref(),
      );
      await Promise.race([pause, closed.promise]);
    }
  }

  const running = run();
  return {
    async close() {
      closing = true;
      closed.resolve(); // the session ends its client itself: one that is still connecting cannot be ended
      await running;
    },
  };
}

/** Runs `work` in a transaction; `client` is the connection beneath `trx`, for COPY. */
export async function transaction<T>(
  connection: Connection,
  work: (transaction: Transaction) => Promise<T>,
): Promise<T> {
  const client = await begin(connection.pool);
  const trx = new Kysely<Tables>({ dialect: new PostgresDialect({ pool: poolOf(client) }) });
  let broken: Error | undefined;
  try {
    const result = await work({ trx, client });
    // PostgreSQL answers the commit of a failed transaction with ROLLBACK, not with an error.
    const { command } = await client.query("commit");
    if (command !== "COMMIT") {
      throw new Error("The transaction was rolled back, since one of its statements had failed unnoticed.");
    }
    return result;
  } catch (error) {
    await client.query("rollback").catch((cause: Error) => {
      broken = cause;
    });
    throw error;
  } finally {
    client.release(broken);
  }
}

/** A client on which a transaction has begun. One that died while idle is replaced: nothing was done on it. */
async function begin(pool: pg.Pool): Promise<pg.PoolClient> {
  for (let known = pool.totalCount; ; known -= 1) {
    const client = await pool.connect();
    try {
      await client.query("begin");
      return client;
    } catch (error) {
      client.release(error as Error);
      if (known <= 0) throw error;
    }
  }
}

/** Kysely asks a pool for a client each time; this one always gives the transaction's. */
function poolOf(client: pg.PoolClient) {
  const shared = new Proxy(client, {
    get(target, property) {
      if (property === "release") return () => {};
      const value: unknown = Reflect.get(target, property, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  return { options: {}, connect: async () => shared, end: async () => {} };
}
