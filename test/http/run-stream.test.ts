import { describe, expect, test } from "vitest";
import { transaction } from "../../src/database/connect.ts";
import { appendEvent } from "../../src/runs/events.ts";
import { cancelRun, finishRun, releaseRun } from "../../src/runs/queue.ts";
import { useDatabase } from "../support/database.ts";
import { startJourney } from "../support/journey.ts";
import { api } from "../support/repodex.ts";
import { claim, request, seedRepository, TIMINGS } from "../support/seed.ts";
import { until } from "../support/wait.ts";
import { updateRepository } from "./seed.ts";
import { expectProblem, serve, TIME } from "./server.ts";
import { openStream, type StreamEvent } from "./stream.ts";

const database = useDatabase();

/** A running run of repository 100; its log has run.queued and run.started. */
async function setUp() {
  await seedRepository(database.db);
  const server = await serve(database);
  await request(database.connection);
  const run = await claim(database.connection);
  const tell = (message: string) =>
    transaction(database.connection, ({ trx }) =>
      appendEvent(trx, run.id, { kind: "run.progress", message }),
    );
  const finish = () =>
    transaction(database.connection, ({ trx }) => finishRun(trx, run, { verified: true, message: "Done." }));
  return { server, run, tell, finish };
}

const idsOf = (events: StreamEvent[]) => events.map(({ id }) => id);
const upTo = (last: number, first = 1) => Array.from({ length: last - first + 1 }, (_, i) => first + i);

describe("a run's event stream", () => {
  test("tells what was, then what comes as it comes, and ends with the run", async () => {
    const { server, run, tell, finish } = await setUp();
    const stream = await openStream(server, run.id);

    const past = await stream.take(2);
    await tell("Half of it.");
    const live = await stream.take(1);
    await finish();
    const end = await stream.rest();

    const events = [...past, ...live, ...end];
    expect(events.map(({ id, event }) => [id, event])).toEqual([
      [1, "run.queued"],
      [2, "run.started"],
      [3, "run.progress"],
      [4, "run.completed"],
    ]);
    expect(live[0]?.data).toEqual({
      seq: 3,
      at: expect.stringMatching(TIME),
      level: "info",
      kind: "run.progress",
      message: "Half of it.",
      data: {},
      error: null,
      run: expect.objectContaining({ id: run.id, repository_id: "100", state: "running" }),
    });
    expect(end[0]?.data.run).toEqual(await server.get(`/api/v1/runs/${run.id}`));
    expect(end[0]?.data.run.state).toBe("succeeded");
  });

  test("names each event of a run's life by one of the four that readers subscribe to", async () => {
    const { server, run } = await setUp();
    const stream = await openStream(server, run.id);
    const error = { code: "flaky", message: "GitHub hung up.", cause: null };

    await request(database.connection); // a follow-up, for the end
    await transaction(database.connection, ({ trx }) => cancelRun(trx, run.id, "octocat"));
    await releaseRun(database.connection, run, {
      release: { kind: "failure", error, retryable: true },
      timings: TIMINGS,
    });
    const events = await stream.rest();

    expect(events.map(({ event, data }) => [event, data.kind])).toEqual([
      ["run.queued", "run.queued"],
      ["run.started", "run.started"],
      ["run.progress", "run.cancelling"],
      ["run.completed", "run.completed"],
    ]);
  });

  test("goes on through a retry: it ends with the run, not with an attempt", async () => {
    const { server, run } = await setUp();
    const stream = await openStream(server, run.id);
    await stream.take(2);
    const error = { code: "flaky", message: "GitHub hung up.", cause: null };
    const timings = { ...TIMINGS, retryBaseMs: 1 };

    await releaseRun(database.connection, run, {
      release: { kind: "failure", error, retryable: true },
      timings,
    });
    const retry = await stream.take(1);
    await until(async () => await claim(database.connection).catch(() => null), {
      what: "the second attempt",
    });
    const second = await stream.take(1);
    await releaseRun(
      database.connection,
      { ...run, epoch: 2 },
      { release: { kind: "failure", error, retryable: false }, timings },
    );
    const end = await stream.rest();

    expect([...retry, ...second, ...end].map(({ id, event }) => [id, event])).toEqual([
      [3, "run.queued"],
      [4, "run.started"],
      [5, "run.completed"],
    ]);
    expect(end[0]?.data.run).toMatchObject({ state: "failed", reason: "GitHub hung up." });
  });

  test("is resumed after the reader's Last-Event-ID without a gap or a double", async () => {
    const { server, run, tell, finish } = await setUp();
    const first = await openStream(server, run.id);
    await tell("3");
    const before = await first.take(3);
    await first.leave();
    await tell("4");
    await tell("5");

    const second = await openStream(server, run.id, { lastEventId: before.at(-1)?.id ?? "" });
    const missed = await second.take(2);
    await finish();
    const end = await second.rest();

    expect(idsOf(before)).toEqual([1, 2, 3]);
    expect(idsOf([...missed, ...end])).toEqual([4, 5, 6]);
  });

  test("loses and doubles nothing for readers that come and go while 150 events are written", async () => {
    const { server, run, tell, finish } = await setUp();
    const writing = (async () => {
      for (let i = 3; i <= 150; i += 1) await tell(`Event ${i}`);
      await finish();
    })();
    const read = async (many: number) => {
      const ids: number[] = [];
      while (ids.at(-1) !== 151) {
        const stream = await openStream(server, run.id, { lastEventId: ids.at(-1) ?? 0 });
        ids.push(...idsOf(await stream.take(many)));
        await stream.leave();
      }
      return ids;
    };

    const readers = await Promise.all([7, 40, 1000].map(read));
    await writing;

    for (const ids of readers) expect(ids).toEqual(upTo(151));
  });

  test("tells a long log whole to one who comes after its end", async () => {
    const { server, run, finish } = await setUp();
    await transaction(database.connection, async ({ trx }) => {
      for (let i = 3; i <= 401; i += 1)
        await appendEvent(trx, run.id, { kind: "run.progress", message: "." });
    });
    await finish();

    expect(idsOf(await (await openStream(server, run.id)).rest())).toEqual(upTo(402));
    expect(idsOf(await (await openStream(server, run.id, { lastEventId: 400 })).rest())).toEqual([401, 402]);
  });

  test("answers 204 once all is told, so that browsers stop asking", async () => {
    const { server, run, finish } = await setUp();
    await finish();

    const told = await server.ask(`/api/v1/runs/${run.id}/events`, { headers: { "last-event-id": "3" } });
    const untold = await openStream(server, run.id, { lastEventId: 2 });

    expect(told.status).toBe(204);
    expect(await told.text()).toBe("");
    expect(idsOf(await untold.rest())).toEqual([3]);
  });

  test.each([
    "",
    "0",
    "-1",
    "1.5",
    "x",
    "NaN",
    "1e300",
    "1e0",
    "0x1",
    "+1",
    "1,2",
    "Infinity",
    "4",
    "99999999999999999999",
  ])("begins anew after the Last-Event-ID %j, which it never gave", async (lastEventId) => {
    const { server, run, finish } = await setUp();

    const stream = await openStream(server, run.id, { lastEventId });
    const past = await stream.take(2);
    await finish();

    expect(idsOf([...past, ...(await stream.rest())])).toEqual([1, 2, 3]);
  });

  test("tells a snapshot in place of what is no longer kept, and goes on from there", async () => {
    const { server, run, tell, finish } = await setUp();
    for (let i = 3; i <= 6; i += 1) await tell(`${i}`);
    const drop = (...seqs: number[]) =>
      database.db.deleteFrom("run_events").where("run_id", "=", run.id).where("seq", "in", seqs).execute();
    await drop(3, 4);

    const stream = await openStream(server, run.id, { lastEventId: 2 });
    const past = await stream.take(3);
    await drop(5, 6);
    const late = await openStream(server, run.id, { lastEventId: 4 });
    const [nothingLeft] = await late.take(1);
    await finish();
    const [end, lateEnd] = await Promise.all([stream.rest(), late.rest()]);

    expect(past.map(({ id, event }) => [id, event])).toEqual([
      [4, "snapshot"],
      [5, "run.progress"],
      [6, "run.progress"],
    ]);
    expect(past[0]?.data).toEqual({ run: expect.objectContaining({ id: run.id, state: "running" }) });
    expect(nothingLeft).toMatchObject({ id: 6, event: "snapshot", data: { run: { state: "running" } } });
    expect([idsOf(end), idsOf(lateEnd)]).toEqual([[7], [7]]);
  });

  test("ends with a snapshot where the end itself is no longer kept", async () => {
    const { server, run, finish } = await setUp();
    await finish();
    await database.db.deleteFrom("run_events").execute();

    const events = await (await openStream(server, run.id, { lastEventId: 1 })).rest();

    expect(events).toMatchObject([{ id: 3, event: "snapshot", data: { run: { state: "succeeded" } } }]);
  });

  test("ends when its repository leaves the reader's sight", async () => {
    const { server, run, tell } = await setUp();
    const stream = await openStream(server, run.id);
    await stream.take(2);

    await updateRepository(database.db, { removed_at: new Date() });
    await tell("A secret.");

    expect(await stream.rest()).toEqual([]);
    await expectProblem(await server.ask(`/api/v1/runs/${run.id}/events`), 404);
  });

  test("tells nothing of other runs", async () => {
    const { server, run, tell, finish } = await setUp();
    await seedRepository(database.db, { id: "101" });
    const stream = await openStream(server, run.id);
    await stream.take(2);

    const other = await request(database.connection, { repository_id: "101" });
    await transaction(database.connection, ({ trx }) => cancelRun(trx, other.run_id, null));
    await tell("Mine.");
    await finish();

    expect((await stream.rest()).map(({ data }) => data.run.id)).toEqual([run.id, run.id]);
  });

  test("does not keep the server from stopping", async () => {
    const { server, run } = await setUp();
    const stream = await openStream(server, run.id);
    await stream.take(2);

    await server.close();

    expect(await stream.rest()).toEqual([]);
  });

  test("survives the loss of the connection that listens", async () => {
    const { server, run, tell, finish } = await setUp();
    const stream = await openStream(server, run.id);
    await stream.take(2);

    await database.connection.pool.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
       where datname = current_database() and query like 'listen %'`,
    );
    await tell("Into the dark.");
    const third = await stream.take(1);
    await finish();

    expect(idsOf([...third, ...(await stream.rest())])).toEqual([3, 4]);
  });
});

test("a real scan tells its way from the queue to the end", async () => {
  const journey = await startJourney(database);
  await journey.install();
  await journey.git.commit({ "src/more.ts": "export {};\n" });
  const lift = journey.simulator.fault({ route: "/repos/{owner}/{repo}/git/trees/{tree_sha}", hang: true });
  const answer = await journey.post(`/api/v1/repositories/${journey.repositoryId}/rescan`);
  const { run_id } = (await answer.json()) as { run_id: string };
  const server = { ask: (path: string, init?: Parameters<typeof api>[2]) => api(journey, path, init) };

  const stream = await openStream(server, run_id);
  const begun = await stream.take(2);
  lift();
  await journey.post(`/api/v1/runs/${run_id}/cancel`);
  const end = await stream.rest();

  expect(begun.map(({ event }) => event)).toEqual(["run.queued", "run.started"]);
  expect(end.at(-1)).toMatchObject({ event: "run.completed", data: { run: { state: "cancelled" } } });
  const events = [...begun, ...end];
  expect(idsOf(events)).toEqual(upTo(events.length));
  const again = await server.ask(`/api/v1/runs/${run_id}/events`, {
    headers: { "last-event-id": String(events.length) },
  });
  expect(again.status).toBe(204);
});
