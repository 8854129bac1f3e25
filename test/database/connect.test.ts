import { sql } from "kysely";
import type pg from "pg";
import { describe, expect, test } from "vitest";
import { type Connection, transaction } from "../../src/database/connect.ts";
import { notify } from "../../src/database/notify.ts";
import { useDatabase } from "../support/database.ts";
import { until } from "../support/wait.ts";

const database = useDatabase();

describe("a transaction", () => {
  test("commits what its work wrote, and answers what its work answers", async () => {
    const answer = await transaction(database.connection, async ({ trx }) => {
      await addInstallation(trx, "1");
      return "done";
    });

    expect(answer).toBe("done");
    expect(await installations()).toEqual(["1"]);
  });

  test("rolls back when its work throws, and throws the same", async () => {
    const failure = new Error("no");

    const running = transaction(database.connection, async ({ trx }) => {
      await addInstallation(trx, "1");
      throw failure;
    });

    await expect(running).rejects.toBe(failure);
    expect(await installations()).toEqual([]);
  });

  test("shows its writes to nobody before it ends", async () => {
    const seen = await transaction(database.connection, async ({ trx }) => {
      await addInstallation(trx, "1");
      return { inside: await installations(trx), outside: await installations() };
    });

    expect(seen).toEqual({ inside: ["1"], outside: [] });
  });

  test("gives Kysely and COPY the same session", async () => {
    const [first, second] = await transaction(database.connection, async ({ trx, client }) => [
      (await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(trx)).rows[0]?.pid,
      (await client.query<{ pid: number }>("select pg_backend_pid() as pid")).rows[0]?.pid,
    ]);

    expect(first).toBe(second);
  });

  test("does not pretend to have committed after a statement failed unnoticed", async () => {
    const running = transaction(database.connection, async ({ trx }) => {
      await addInstallation(trx, "1");
      await sql`select 1 / 0`.execute(trx).catch(() => {});
    });

    await expect(running).rejects.toThrow("rolled back");
    expect(await installations()).toEqual([]);
  });

  test("whose session is ended fails, and the pool goes on", async () => {
    const connection = database.connect({ maxConnections: 1 });

    const running = transaction(connection, async ({ trx }) => {
      await addInstallation(trx, "1");
      await terminate(await backendOf(trx));
      await addInstallation(trx, "2");
    });

    await expect(running).rejects.toThrow();
    expect(await installations(connection.db)).toEqual([]);
  });
});

describe("a pool", () => {
  test("survives the end of its idle sessions", async () => {
    const connection = database.connect({ maxConnections: 3 });
    const clients = await Promise.all([1, 2, 3].map(() => connection.pool.connect()));
    const backends = await Promise.all(clients.map(backendOfClient));
    for (const client of clients) client.release();
    await Promise.all(backends.map(terminate));
    await until(() => connection.pool.totalCount === 0, { what: "the pool to drop its dead clients" });

    const backend = await backendOf(connection.db);

    expect(backends).not.toContain(backend);
  });

  test("names its sessions, keeps them in UTC and bounds what they may take", async () => {
    const connection = database.connect({ applicationName: "repodex of a test", leaseSeconds: 7 });

    const { rows } = await sql`
      select current_setting('application_name') as name, current_setting('timezone') as timezone,
        current_setting('statement_timeout') as statement, 
        current_setting('idle_in_transaction_session_timeout') as idle`.execute(connection.db);

    expect(rows).toEqual([{ name: "repodex of a test", timezone: "UTC", statement: "1min", idle: "14s" }]);
  });

  test("ends a transaction that a stuck process holds open", async () => {
    const connection = database.connect({ leaseSeconds: 0.05 });
    const client = await connection.pool.connect();
    const ended = new Promise<Error>((resolve) => client.once("error", resolve));

    await client.query("begin");

    expect((await ended).message).toContain("idle-in-transaction timeout");
    client.release(true);
  });
});

describe("a listener", () => {
  test("hears what a transaction sent once it has committed, equal messages once", async () => {
    const { heard } = await listen(database.connect());

    await transaction(database.connection, async ({ trx }) => {
      await notify(trx, "runs", "7");
      await notify(trx, "runs", "7");
      await notify(trx, "deliveries");
    });
    await until(() => heard.length >= 2, { what: "both messages" });

    expect(heard).toEqual(["runs 7", "deliveries "]);
  });

  test("hears again after its session was ended, and says that it may have missed some", async () => {
    const { heard, state } = await listen(database.connect({ applicationName: "listener" }));
    const { rows } = await sql<{ pid: number }>`
      select pid from pg_stat_activity where application_name = 'listener'`.execute(database.db);
    await Promise.all(rows.map(({ pid }) => terminate(pid)));

    await until(() => state.connects === 2, { what: "the second connect" });
    await notify(database.db, "runs", "8");
    await until(() => heard.length > 0, { what: "the message" });

    expect(heard).toEqual(["runs 8"]);
  });

  test("keeps trying while the server cannot be reached", async () => {
    const other = await database.createDatabase();
    const name = other.config.database ?? "";
    const { state } = await listen(other.connect());
    await sql`alter database ${sql.id(name)} with allow_connections false`.execute(database.db);
    await sql`select pg_terminate_backend(pid) from pg_stat_activity where datname = ${name}`.execute(
      database.db,
    );
    await sql`alter database ${sql.id(name)} with allow_connections true`.execute(database.db);

    await until(() => state.connects === 2, { what: "the second connect" });

    expect(state.connects).toBe(2);
  });

  test("leaves no session behind when closed, even at once", async () => {
    const connection = database.connect({ applicationName: "brief" });
    const early = connection.listen(["runs"], ignore, ignore);
    const { listener: late } = await listen(connection);

    await Promise.all([early.close(), late.close()]);

    await until(
      async () => {
        const { rows } = await sql`select from pg_stat_activity where application_name = 'brief'`.execute(
          database.db,
        );
        return rows.length === 0;
      },
      { what: "both sessions to end" },
    );
  });
});

function ignore() {}

/** Listens on two channels, and answers once that is so. */
async function listen(connection: Connection) {
  const heard: string[] = [];
  const state = { connects: 0 };
  const listener = connection.listen(
    ["runs", "deliveries"],
    (channel, payload) => heard.push(`${channel} ${payload}`),
    () => {
      state.connects += 1;
    },
  );
  await until(() => state.connects === 1, { what: "the first connect" });
  return { heard, state, listener };
}

type Db = Connection["db"];

async function addInstallation(db: Db, id: string): Promise<void> {
  await db.insertInto("installations").values({ id }).execute();
}

async function installations(db: Db = database.db): Promise<string[]> {
  const rows = await db.selectFrom("installations").select("id").orderBy("id").execute();
  return rows.map(({ id }) => id);
}

async function backendOf(db: Db): Promise<number> {
  const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(db);
  return rows[0]?.pid ?? 0;
}

async function backendOfClient(client: pg.PoolClient): Promise<number> {
  const { rows } = await client.query<{ pid: number }>("select pg_backend_pid() as pid");
  return rows[0]?.pid ?? 0;
}

async function terminate(pid: number): Promise<void> {
  await sql`select pg_terminate_backend(${pid}, 5000)`.execute(database.db);
}
