import { describe, expect, test } from "vitest";
import { appendEvent } from "../../src/runs/events.ts";
import { useDatabase } from "../support/database.ts";
import { claim, request, SHA, seedRepository, statesOf } from "../support/seed.ts";
import { seedRun } from "./seed.ts";
import { cursorOf, expectProblem, type Page, serve, TIME } from "./server.ts";

const database = useDatabase();
const RUNS = "/api/v1/repositories/100/runs";

interface RunJson {
  id: string;
  state: string;
}

async function setUp() {
  await seedRepository(database.db);
  return await serve(database);
}

describe("a run", () => {
  test("has every field before its scan has told anything", async () => {
    const server = await setUp();
    const { run_id } = await request(database.connection, { trigger: "rescan", requested_by: "octocat" });

    expect(await server.get(`/api/v1/runs/${run_id}`)).toEqual({
      id: run_id,
      repository_id: "100",
      trigger: "rescan",
      state: "queued",
      stage: null,
      head_sha: null,
      tree_sha: null,
      verified: null,
      epoch: 0,
      failures: 0,
      reason: null,
      reason_code: null,
      wait_reason: null,
      requested_by: "octocat",
      superseded_by: null,
      queued_at: expect.stringMatching(TIME),
      not_before: expect.stringMatching(TIME),
      position: 1,
      started_at: null,
      finished_at: null,
      mode: "incremental",
      progress: {
        files_total: 0,
        files_done: 0,
        files_changed: 0,
        files_removed: 0,
        files_skipped: 0,
        files_failed: 0,
        chunks: 0,
        bytes: 0,
      },
    });
  });

  test("has its times, its counts and its reason once it has failed", async () => {
    const server = await setUp();
    const at = (minute: number) => new Date(Date.UTC(2026, 0, 1, 0, minute));
    const progress = { files_total: 9, files_done: 8, bytes: 5_000_000_000 };
    const id = await seedRun(database.db, {
      state: "failed",
      mode: "full",
      head_sha: SHA("a"),
      tree_sha: SHA("b"),
      epoch: 3,
      failures: 2,
      reason: "GitHub refused to list the files.",
      reason_code: "forbidden",
      queued_at: at(1),
      not_before: at(2),
      started_at: at(3),
      finished_at: at(4),
      progress: JSON.stringify(progress),
    });

    expect(await server.get(`/api/v1/runs/${id}`)).toMatchObject({
      state: "failed",
      mode: "full",
      head_sha: SHA("a"),
      tree_sha: SHA("b"),
      epoch: 3,
      failures: 2,
      reason: "GitHub refused to list the files.",
      reason_code: "forbidden",
      position: null,
      queued_at: "2026-01-01T00:01:00.000Z",
      not_before: "2026-01-01T00:02:00.000Z",
      started_at: "2026-01-01T00:03:00.000Z",
      finished_at: "2026-01-01T00:04:00.000Z",
      progress: {
        ...progress,
        files_changed: 0,
        files_removed: 0,
        files_skipped: 0,
        files_failed: 0,
        chunks: 0,
      },
    });
  });

  test("that never was is a 404, by each of its addresses", async () => {
    const server = await setUp();

    for (const rest of ["", "/log", "/events"]) {
      await expectProblem(await server.ask(`/api/v1/runs/1${rest}`), 404);
    }
    await expectProblem(await server.ask("/api/v1/runs/1/cancel", { method: "POST" }), 404);
  });
});

describe("the runs of a repository", () => {
  test("come newest first, in pages that lose and double none, and none of another's", async () => {
    const server = await setUp();
    await seedRepository(database.db, { id: "101" });
    const ids: string[] = [];
    for (let i = 0; i < 12; i += 1) {
      await seedRun(database.db, { repository_id: "101" });
      ids.unshift(await seedRun(database.db));
    }

    for (const limit of [1, 5, 6, 12, 1000]) {
      const runs = await server.readPages<RunJson>(RUNS, limit);
      expect(
        runs.map(({ id }) => id),
        `by ${limit}`,
      ).toEqual(ids);
    }
    expect((await server.get<Page<RunJson>>(RUNS)).data[0]).toEqual(
      await server.get(`/api/v1/runs/${ids[0]}`),
    );
  });

  test("go on where they were although new ones came", async () => {
    const server = await setUp();
    const ids = [await seedRun(database.db), await seedRun(database.db), await seedRun(database.db)];
    const first = await server.get<Page<RunJson>>(`${RUNS}?limit=1`);
    await seedRun(database.db);

    const second = await server.get<Page<RunJson>>(`${RUNS}?limit=2&cursor=${first.next_cursor}`);

    expect([first, second].flatMap(({ data }) => data.map(({ id }) => id))).toEqual(ids.toReversed());
    expect(second.next_cursor).toBeNull();
  });

  test("fifty at a time when no limit is given", async () => {
    const server = await setUp();
    for (let i = 0; i < 51; i += 1) await seedRun(database.db);

    const { data, next_cursor } = await server.get<Page<RunJson>>(RUNS);

    expect(data).toHaveLength(50);
    expect(next_cursor).not.toBeNull();
  });
});

describe("the log of a run", () => {
  test("tells its events in order, in pages that lose and double none", async () => {
    const server = await setUp();
    const id = await seedRun(database.db);
    const error = { code: "rate_limited", message: "GitHub asks for a pause.", cause: "403" };
    for (let i = 1; i <= 11; i += 1) {
      await appendEvent(database.db, id, { kind: "run.progress", message: `Event ${i}`, data: { i } });
    }
    await appendEvent(database.db, id, { kind: "run.retrying", level: "warn", message: "Again.", error });

    for (const limit of [1, 4, 6, 12, 1000]) {
      const events = await server.readPages<{ seq: number }>(`/api/v1/runs/${id}/log`, limit);
      expect(
        events.map(({ seq }) => seq),
        `by ${limit}`,
      ).toEqual(Array.from({ length: 12 }, (_, i) => i + 1));
    }
    const { data } = await server.get<Page<unknown>>(`/api/v1/runs/${id}/log?cursor=${cursorOf(10)}`);
    expect(data).toEqual([
      {
        seq: 11,
        at: expect.stringMatching(TIME),
        level: "info",
        kind: "run.progress",
        message: "Event 11",
        data: { i: 11 },
        error: null,
      },
      {
        seq: 12,
        at: expect.stringMatching(TIME),
        level: "warn",
        kind: "run.retrying",
        message: "Again.",
        data: {},
        error,
      },
    ]);
  });
});

describe("a cancel", () => {
  test("ends a queued run at once, names who asked, and frees the way for the next", async () => {
    const server = await setUp();
    const { run_id } = await request(database.connection);

    const response = await server.ask(`/api/v1/runs/${run_id}/cancel`, { method: "POST" });
    const next = await server.ask("/api/v1/repositories/100/rescan", { method: "POST" });

    expect(response.status).toBe(202);
    expect(response.headers.get("location")).toBe(`/api/v1/runs/${run_id}`);
    const run = (await response.json()) as RunJson;
    expect(run).toMatchObject({ id: run_id, state: "cancelled", finished_at: expect.stringMatching(TIME) });
    expect(run).toEqual(await server.get(`/api/v1/runs/${run_id}`));
    const { data } = await server.get<Page<{ message: string }>>(`/api/v1/runs/${run_id}/log`);
    expect(data.at(-1)?.message).toBe("Cancelled by operator.");
    expect(next.status).toBe(202);
    expect(await statesOf(database.db)).toEqual(["cancelled", "queued"]);
  });

  test("of a running run asks its worker, and may be asked twice", async () => {
    const server = await setUp();
    await request(database.connection);
    const { id } = await claim(database.connection);

    const first = await server.ask(`/api/v1/runs/${id}/cancel`, { method: "POST" });
    const second = await server.ask(`/api/v1/runs/${id}/cancel`, { method: "POST" });

    expect([first.status, second.status]).toEqual([202, 202]);
    expect(await first.json()).toMatchObject({ id, state: "running" });
    const { data } = await server.get<Page<{ kind: string }>>(`/api/v1/runs/${id}/log`);
    expect(data.map(({ kind }) => kind)).toContain("run.cancelling");
  });

  test("of a run that has ended is a 422 that says how it ended", async () => {
    const server = await setUp();
    const id = await seedRun(database.db);

    const response = await server.ask(`/api/v1/runs/${id}/cancel`, { method: "POST" });

    expect(await expectProblem(response, 422)).toBe("The run has ended already: it is succeeded.");
    expect(await statesOf(database.db)).toEqual(["succeeded"]);
  });

  test("needs a POST", async () => {
    const server = await setUp();
    const { run_id } = await request(database.connection);

    await expectProblem(await server.ask(`/api/v1/runs/${run_id}/cancel`), 405);

    expect(await statesOf(database.db)).toEqual(["queued"]);
  });
});
