import { sql } from "kysely";
import { describe, expect, test } from "vitest";
import { CHECK_SECONDS } from "../../src/access/account.ts";
import { deleteToken, listTokens } from "../../src/access/tokens.ts";
import { noteAccessChanged } from "../../src/access/users.ts";
import { transaction } from "../../src/database/connect.ts";
import { appendEvent } from "../../src/runs/events.ts";
import { finishRun } from "../../src/runs/queue.ts";
import { useDatabase } from "../support/database.ts";
import { claim, request, seedRepository, seedUser } from "../support/seed.ts";
import { signInAccess } from "../support/sign-in.ts";
import { until } from "../support/wait.ts";
import { updateRepository } from "./seed.ts";
import { expectProblem, type HttpServer, serve } from "./server.ts";
import { type EventStream, openEvents, type StreamEvent } from "./stream.ts";

const database = useDatabase();

/** Whether a statement waits for a lock. */
async function isSomebodyWaiting(): Promise<boolean> {
  const { rows } = await sql`
    select from pg_stat_activity
    where wait_event_type = 'Lock' and datname = current_database()`.execute(database.db);
  return rows.length > 0;
}

interface RunJson {
  id: string;
  repository_id: string;
  state: string;
}
interface Data {
  run?: RunJson;
  runs?: RunJson[];
  running?: RunJson | null;
  queued?: RunJson | null;
}

async function setUp(options: Parameters<typeof serve>[1] = {}) {
  await seedRepository(database.db, { id: "100" });
  await seedRepository(database.db, { id: "200" });
  const server = await serve(database, options);
  await server.listening;
  return server;
}

async function nextOf(stream: EventStream<Data>): Promise<StreamEvent<Data> | undefined> {
  return (await stream.take(1))[0];
}

const tell = (runId: string, message: string) =>
  transaction(database.connection, ({ trx }) => appendEvent(trx, runId, { kind: "run.progress", message }));

describe("the stream of the overview", () => {
  test("begins with what is open, then tells each run as it changes", async () => {
    const server = await setUp();
    const { run_id: waiting } = await request(database.connection, { repository_id: "200" });
    const stream = await openEvents<Data>(server, "/api/v1/events");
    const [snapshot] = await stream.take(1);
    const before = await server.get(`/api/v1/runs/${waiting}`);

    const { run_id } = await request(database.connection, { repository_id: "100" });
    const queued = await nextOf(stream);
    const run = await claim(database.connection);
    const started = await nextOf(stream);
    await tell(run.id, "Half of it.");
    const progress = await nextOf(stream);
    await transaction(database.connection, ({ trx }) =>
      finishRun(trx, run, { verified: true, message: "Done." }),
    );
    const completed = await nextOf(stream);

    expect(snapshot?.event).toBe("snapshot");
    expect(snapshot?.data.runs).toEqual([before]);
    const told = [queued, started, progress, completed];
    expect(told.map((event) => event?.event)).toEqual([
      "run.queued",
      "run.started",
      "run.progress",
      "run.completed",
    ]);
    expect(queued?.data.run?.id).toBe(run_id);
    expect(completed?.data.run).toEqual(await server.get(`/api/v1/runs/${run.id}`));
  });

  test("tells nothing of what the viewer does not see", async () => {
    const server = await setUp({ access: signInAccess(database) });
    const { token } = await seedUser(database.db, { read: ["200"] });
    server.token = token;
    await request(database.connection, { repository_id: "100" });
    const stream = await openEvents<Data>(server, "/api/v1/events");

    const [snapshot] = await stream.take(1);
    await request(database.connection, { repository_id: "100" });
    const { run_id } = await request(database.connection, { repository_id: "200" });
    const event = await nextOf(stream);

    expect(snapshot?.data.runs).toEqual([]);
    expect(event?.data.run).toMatchObject({ id: run_id, position: 1 });
  });

  test("ends once it is no longer known what the viewer may see: who asks again is looked at again", async () => {
    const server = await setUp({ access: signInAccess(database) });
    const { token } = await seedUser(database.db, { read: ["200"] });
    server.token = token;
    await sql`update users set checked_at = checked_at - make_interval(secs => ${CHECK_SECONDS - 0.5})`.execute(
      database.db,
    );
    const stream = await openEvents<Data>(server, "/api/v1/events");

    const told = await stream.rest();

    expect(told.map(({ event }) => event)).toEqual(["snapshot"]);
    await expectProblem(await server.ask("/api/v1/events"), 401);
  });

  test("ends once the days of the token that it was opened with are over", async () => {
    const server = await setUp({ access: signInAccess(database) });
    server.token = (await seedUser(database.db, { read: ["200"] })).token;
    await sql`update api_tokens set expires_at = clock_timestamp() + interval '500 ms'`.execute(database.db);
    const stream = await openEvents<Data>(server, "/api/v1/events");

    const told = await stream.rest();

    expect(told.map(({ event }) => event)).toEqual(["snapshot"]);
    await expectProblem(await server.ask("/api/v1/events"), 401);
  });

  test("ends at once where an event may have changed what the viewer may see, and never an operator's", async () => {
    const server = await setUp({ access: signInAccess(database) });
    const ofOperator = await openEvents<Data>(server, "/api/v1/events");
    server.token = (await seedUser(database.db, { read: ["200"] })).token;
    const ofViewer = await openEvents<Data>(server, "/api/v1/events");
    const { run_id } = await request(database.connection, { repository_id: "200" });
    const ofRun = await openEvents<Data>(server, `/api/v1/runs/${run_id}/events`);
    for (const stream of [ofOperator, ofViewer, ofRun]) await stream.take(1);

    await noteAccessChanged(database.db);

    for (const stream of [ofViewer, ofRun]) {
      expect((await stream.rest()).map(({ event }) => event)).not.toContain("snapshot");
    }
    await request(database.connection, { repository_id: "100" });
    const told = await ofOperator.take(2);
    expect(told.map(({ data }) => data.run?.repository_id)).toContain("100");
  });

  test("ends where an event came between the look at its viewer and its beginning", async () => {
    const server = await setUp({ access: signInAccess(database) });
    server.token = (await seedUser(database.db, { read: ["200"] })).token;
    const before = await openEvents<Data>(server, "/api/v1/events");
    await before.take(1);
    const other = database.connect();

    const opening = await transaction(other, async ({ trx }) => {
      await sql`lock table repositories in access exclusive mode`.execute(trx);
      const stream = openEvents<Data>(server, "/api/v1/repositories/200/events");
      await until(() => isSomebodyWaiting(), { what: "the request to be under way" });
      await noteAccessChanged(database.db);
      await before.rest(); // it was heard of
      return { stream };
    });

    expect(await (await opening.stream).rest()).toEqual([]);
  });

  test("ends with the token or the session that it was opened with, and nobody else's with it", async () => {
    const server = await setUp({ access: signInAccess(database) });
    const { id, token, session } = await seedUser(database.db, { read: ["200"] });
    const other = await seedUser(database.db, { id: "2", login: "other", read: ["200"] });
    const open = async (headers: Record<string, string>) => {
      const ask: HttpServer["ask"] = (path, init) => fetch(`${server.url}${path}`, { ...init, headers });
      const stream = await openEvents<Data>({ ask }, "/api/v1/events");
      await stream.take(1);
      return stream;
    };
    const cookie = `repodex-session=${session}`;
    const ofOther = await open({ authorization: `Bearer ${other.token}` });

    const ofToken = await open({ authorization: `Bearer ${token}` });
    const { id: tokenId } = (await listTokens(database.db, id))[0] ?? { id: "" };
    await deleteToken(database.db, tokenId, id);
    const afterToken = await ofToken.rest();
    const ofSession = await open({ cookie });
    await fetch(`${server.url}/sign-out`, { method: "POST", headers: { cookie, origin: server.url } });
    const afterSession = await ofSession.rest();
    const { run_id } = await request(database.connection, { repository_id: "200" });

    expect([afterToken, afterSession]).toEqual([[], []]);
    expect((await nextOf(ofOther))?.data.run?.id).toBe(run_id);
  });

  test("begins again with all that is open where something may have been missed", async () => {
    const server = await setUp();
    const stream = await openEvents<Data>(server, "/api/v1/events");
    await stream.take(1);
    const listeners = "pg_stat_activity where query ilike 'listen%' and datname = current_database()";
    const drop = async () =>
      (await database.connection.pool.query(`select pg_terminate_backend(pid) from ${listeners}`)).rowCount;
    await until(async () => ((await drop()) ?? 0) > 0, { what: "the server to listen" });

    const { run_id } = await request(database.connection, { repository_id: "100" });
    const told: string[] = [];
    await until(
      async () => {
        const [event] = await stream.take(1);
        told.push(event?.event ?? "");
        // On a busy machine it may listen again before the run is there.
        const runs = event?.event === "snapshot" ? event.data.runs : [event?.data.run];
        return runs?.some((run) => run?.id === run_id);
      },
      { what: "the run to be told" },
    );

    expect(told).toContain("snapshot");
  });

  test("tells a slow reader the newest of each run, and nothing in between", async () => {
    const server = await setUp();
    const { run_id } = await request(database.connection, { repository_id: "100" });
    const stream = await openEvents<Data>(server, "/api/v1/events");
    await stream.take(1);

    await Promise.all(Array.from({ length: 40 }, (_, i) => tell(run_id, `${i}`)));
    const last = await database.db.selectFrom("runs").select("version").executeTakeFirstOrThrow();
    await transaction(database.connection, ({ trx }) =>
      appendEvent(trx, run_id, { kind: "x", message: "end" }),
    );
    await request(database.connection, { repository_id: "200" });
    let told = 0;
    await until(
      async () => {
        const [event] = await stream.take(1);
        told += 1;
        return event?.data.run?.repository_id === "200";
      },
      { what: "the other's run" },
    );

    expect(last.version).toBeGreaterThan(40);
    expect(told).toBeLessThan(10);
  });

  test("tells of an end once, however often it hears of it", async () => {
    const server = await setUp();
    const stream = await openEvents<Data>(server, "/api/v1/events");
    await stream.take(1);
    await request(database.connection, { repository_id: "100" });
    const run = await claim(database.connection);
    await transaction(database.connection, ({ trx }) =>
      finishRun(trx, run, { verified: true, message: "Done." }),
    );
    const told: (string | undefined)[] = [];
    while (told.at(-1) !== "run.completed") told.push((await nextOf(stream))?.event);

    await database.connection.pool.query("select pg_notify('runs_changed', $1)", [run.id]);
    await request(database.connection, { repository_id: "200" });
    const next = await nextOf(stream);

    expect(next).toMatchObject({ event: "run.queued", data: { run: { repository_id: "200" } } });
  });

  test("ends when the server shuts down", async () => {
    const server = await setUp();
    const stream = await openEvents<Data>(server, "/api/v1/events");
    await stream.take(1);

    const rest = stream.rest();
    await server.close();

    expect((await rest).every(({ event }) => event === "snapshot")).toBe(true);
  });
});

describe("the stream of a repository", () => {
  test("begins with its status, and tells of its runs alone", async () => {
    const server = await setUp();
    const path = "/api/v1/repositories/100";
    const { run_id: own } = await request(database.connection, { repository_id: "100" });
    const stream = await openEvents<Data>(server, `${path}/events`);
    const [snapshot] = await stream.take(1);

    await request(database.connection, { repository_id: "200" });
    await tell(own, "Something.");
    const event = await nextOf(stream);

    expect(snapshot?.data).toMatchObject({ running: null, queued: { id: own }, last_finished: null });
    expect(event?.data.run?.id).toBe(own);
  });

  test("ends when its repository leaves the reader's sight, at the latest when all is told again", async () => {
    const server = await setUp();
    const stream = await openEvents<Data>(server, "/api/v1/repositories/100/events");
    const before = await stream.take(1);

    await updateRepository(database.db, { removed_at: new Date() });
    await request(database.connection, { repository_id: "100" });
    await database.connection.pool.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
       where query ilike 'listen%' and datname = current_database()`,
    );

    expect(before.map(({ event }) => event)).toEqual(["snapshot"]);
    expect(await stream.rest()).toEqual([]);
  });

  test("is not there for a repository that is not", async () => {
    const server = await setUp();
    await expectProblem(await server.ask("/api/v1/repositories/300/events"), 404);
  });
});
