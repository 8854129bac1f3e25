import { sql } from "kysely";
import { beforeEach, describe, expect, test } from "vitest";
import { transaction } from "../../src/database/connect.ts";
import { listEvents } from "../../src/runs/events.ts";
import { cancelRun, fenceRun, finishRun, type Release, releaseRun, sweepRuns } from "../../src/runs/queue.ts";
import { LeaseLost } from "../../src/runs/run.ts";
import { useDatabase } from "../support/database.ts";
import { claim, readRow, request, seedRepository, statesOf, TIMINGS } from "../support/seed.ts";

const database = useDatabase();
beforeEach(() => seedRepository(database.db));

const failure: Release = {
  kind: "failure",
  retryable: true,
  error: { code: "github_error", message: "GitHub answered 502.", cause: "Bad gateway" },
};
const release = (run: { id: string; epoch: number }, what: Release = failure) =>
  releaseRun(database.connection, run, { release: what, timings: TIMINGS });
const finish = (run: { id: string; epoch: number }) =>
  transaction(database.connection, ({ trx }) => finishRun(trx, run, { verified: true, message: "Indexed." }));
const expire = () =>
  sql`update runs set lease_until = clock_timestamp() - interval '1 second' where state = 'running'`.execute(
    database.db,
  );

describe("the fence", () => {
  test("renews the lease, and never shortens it", async () => {
    await request(database.connection);
    const run = await claim(database.connection, 60);
    const before = (await readRow(database.db, run.id)).lease_until;

    await fenceRun(database.db, run, { leaseSeconds: 15 });
    const kept = (await readRow(database.db, run.id)).lease_until;
    await fenceRun(database.db, run, { leaseSeconds: 120 });
    const renewed = (await readRow(database.db, run.id)).lease_until;

    expect(kept).toEqual(before);
    expect(renewed?.getTime()).toBeGreaterThan(before?.getTime() ?? 0);
  });

  test("lets nobody write who does not hold the run any more", async () => {
    await request(database.connection);
    const first = await claim(database.connection);
    await expire();
    await sweepRuns(database.connection, TIMINGS);
    await sql`update runs set not_before = clock_timestamp()`.execute(database.db);
    const second = await claim(database.connection);

    await expect(fenceRun(database.db, first, { leaseSeconds: 15 })).rejects.toThrow(LeaseLost);
    await expect(finish(first)).rejects.toThrow(LeaseLost);
    expect(await release(first)).toBeNull();
    expect(await readRow(database.db, second.id)).toMatchObject({ state: "running", epoch: 2 });
  });

  test("merges progress, and a beat alone is no progress", async () => {
    await request(database.connection);
    const run = await claim(database.connection);
    await fenceRun(database.db, run, { leaseSeconds: 15, progress: { files_total: 10, files_done: 1 } });
    const moved = await readRow(database.db, run.id);

    await fenceRun(database.db, run, { leaseSeconds: 15 });
    await fenceRun(database.db, run, { leaseSeconds: 15, progress: { files_done: 5 } });

    const row = await readRow(database.db, run.id);
    expect(row.progress).toEqual({ files_total: 10, files_done: 5 });
    expect(row.progress_at?.getTime()).toBeGreaterThanOrEqual(moved.progress_at?.getTime() ?? 0);
  });
});

describe("a run given back", () => {
  test("after a failure waits with its reason, one failure poorer", async () => {
    await request(database.connection);
    const run = await claim(database.connection);

    expect(await release(run)).toBe("queued");

    const row = await readRow(database.db, run.id);
    expect(row).toMatchObject({
      state: "queued",
      failures: 1,
      wait_reason: "GitHub answered 502.",
      lease_until: null,
    });
    expect(row.not_before.getTime()).toBeGreaterThan(Date.now());
    const events = await listEvents(database.db, run.id, { afterSeq: 0, limit: 10 });
    expect(events.at(-1)).toMatchObject({
      kind: "run.retrying",
      level: "warn",
      error: { code: "github_error", message: "GitHub answered 502.", cause: "Bad gateway" },
    });
  });

  test("fails with its reason once its budget is spent, and the next request is accepted", async () => {
    await request(database.connection);
    for (let attempt = 1; attempt <= 5; attempt += 1) {
      await sql`update runs set not_before = clock_timestamp() where state = 'queued'`.execute(database.db);
      await release(await claim(database.connection));
    }
    const failed = await database.db.selectFrom("runs").selectAll().executeTakeFirstOrThrow();

    const next = await request(database.connection);

    expect(failed).toMatchObject({
      state: "failed",
      failures: 5,
      reason: "GitHub answered 502.",
      reason_code: "github_error",
    });
    expect(failed.finished_at).not.toBeNull();
    expect(next.outcome).toBe("queued");
    expect(await claim(database.connection)).toMatchObject({ id: next.run_id, failures: 0 });
  });

  test("fails at once where another attempt cannot help", async () => {
    await request(database.connection);
    const run = await claim(database.connection);

    expect(await release(run, { ...failure, retryable: false })).toBe("failed");
    expect(await readRow(database.db, run.id)).toMatchObject({ state: "failed", failures: 1 });
  });

  test("for a reason that is nobody's fault keeps its budget", async () => {
    await request(database.connection);
    const run = await claim(database.connection);
    const until = new Date(Date.now() + 600_000);

    await release(run, { kind: "requeue", reason: "Rate limit.", not_before: until });

    expect(await readRow(database.db, run.id)).toMatchObject({
      state: "queued",
      failures: 0,
      not_before: expect.toSatisfy((at: Date) => Math.abs(at.getTime() - until.getTime()) < 1_000),
    });
  });

  test("gives way to the follow-up, which inherits its waiting, its mode, its failures and its askers", async () => {
    const first = await request(database.connection, {
      mode: "full",
      requested_by: "octocat",
      trigger: "rescan",
    });
    const run = await claim(database.connection);
    const followUp = await request(database.connection);

    expect(await release(run)).toBe("superseded");

    expect(await readRow(database.db, first.run_id)).toMatchObject({
      state: "superseded",
      superseded_by: followUp.run_id,
    });
    const heir = await readRow(database.db, followUp.run_id);
    expect(heir).toMatchObject({
      state: "queued",
      failures: 1,
      mode: "full",
      requested_by: "octocat",
      priority: 20,
    });
    expect(heir.not_before.getTime()).toBeGreaterThan(Date.now());
    const requests = await database.db.selectFrom("run_requests").select("run_id").distinct().execute();
    expect(requests).toEqual([{ run_id: followUp.run_id }]);
  });

  test("cannot be saved by constant pushes: the streak of failures ends it", async () => {
    await request(database.connection);
    let states: string[] = [];
    for (let attempt = 1; attempt <= 5; attempt += 1) {
      await sql`update runs set not_before = clock_timestamp() where state = 'queued'`.execute(database.db);
      const run = await claim(database.connection);
      if (attempt < 5) await request(database.connection);
      await release(run);
      states = await statesOf(database.db);
    }

    expect(states).toEqual(["superseded", "superseded", "superseded", "superseded", "failed"]);
  });

  test("by two at once is given back once", async () => {
    await request(database.connection);
    const run = await claim(database.connection);

    const answers = await Promise.all([release(run), release(run), release(run)]);

    expect(answers.filter((answer) => answer === "queued")).toHaveLength(1);
    expect(await readRow(database.db, run.id)).toMatchObject({ failures: 1 });
  });
});

describe("the sweep", () => {
  test("takes back a run whose worker is gone", async () => {
    await request(database.connection);
    const run = await claim(database.connection);
    await expire();

    expect(await sweepRuns(database.connection, TIMINGS)).toBe(1);
    expect(await readRow(database.db, run.id)).toMatchObject({
      state: "queued",
      failures: 1,
      wait_reason: "The worker stopped in the middle of the scan.",
    });
  });

  test("takes back a run that beats but does not move", async () => {
    await request(database.connection);
    const run = await claim(database.connection);
    await sql`update runs set progress_at = clock_timestamp() - interval '601 seconds'`.execute(database.db);
    await fenceRun(database.db, run, { leaseSeconds: 15 });

    expect(await sweepRuns(database.connection, TIMINGS)).toBe(1);
    expect(await readRow(database.db, run.id)).toMatchObject({
      state: "queued",
      wait_reason: "The scan did not move for 600 seconds.",
    });
  });

  test("leaves a live run alone", async () => {
    await request(database.connection);
    const run = await claim(database.connection);

    expect(await sweepRuns(database.connection, TIMINGS)).toBe(0);
    expect(await readRow(database.db, run.id)).toMatchObject({ state: "running", failures: 0 });
  });

  test("by many replicas at once counts one failure", async () => {
    await request(database.connection);
    const run = await claim(database.connection);
    await expire();

    const taken = await Promise.all(Array.from({ length: 8 }, () => sweepRuns(database.connection, TIMINGS)));

    expect(taken.reduce((a, b) => a + b)).toBe(1);
    expect(await readRow(database.db, run.id)).toMatchObject({ state: "queued", failures: 1 });
  });

  test("does not take a run whose beat came in between", async () => {
    for (let round = 0; round < 20; round += 1) {
      await sql`truncate runs cascade`.execute(database.db);
      await request(database.connection);
      const run = await claim(database.connection);
      await expire();

      const [beat, taken] = await Promise.allSettled([
        fenceRun(database.db, run, { leaseSeconds: 15 }),
        sweepRuns(database.connection, TIMINGS),
      ]);

      const swept = taken.status === "fulfilled" && taken.value === 1;
      const { state } = await readRow(database.db, run.id);
      expect([beat.status, swept, state]).toEqual(
        swept ? [beat.status, true, "queued"] : ["fulfilled", false, "running"],
      );
    }
  });
});

describe("a cancel", () => {
  const cancel = (runId: string) =>
    transaction(database.connection, ({ trx }) => cancelRun(trx, runId, "octocat"));

  test("ends a queued run at once", async () => {
    const { run_id } = await request(database.connection);

    expect(await cancel(run_id)).toBe("cancelled");
    expect(await readRow(database.db, run_id)).toMatchObject({
      state: "cancelled",
      cancel_requested_by: "octocat",
    });
  });

  test("of a running run is told to its worker at the next beat, and ends it when it is given back", async () => {
    const { run_id } = await request(database.connection);
    const run = await claim(database.connection);

    expect(await cancel(run_id)).toBe("running");
    expect(await fenceRun(database.db, run, { leaseSeconds: 15 })).toEqual({ cancelRequested: true });
    expect(await release(run)).toBe("cancelled");
    expect(await readRow(database.db, run_id)).toMatchObject({ state: "cancelled", reason: null });
  });

  test("of a run that has ended says so", async () => {
    const { run_id } = await request(database.connection);
    await finish(await claim(database.connection));

    expect(await cancel(run_id)).toBeNull();
    expect(await readRow(database.db, run_id)).toMatchObject({
      state: "succeeded",
      cancel_requested_at: null,
    });
  });

  test("that races with the end leaves one of the two, never both", async () => {
    for (let round = 0; round < 20; round += 1) {
      await sql`truncate runs cascade`.execute(database.db);
      const { run_id } = await request(database.connection);
      const run = await claim(database.connection);

      await Promise.allSettled([cancel(run_id), finish(run)]);

      const row = await readRow(database.db, run_id);
      expect(row.state).toBe("succeeded");
      expect(row.finished_at).not.toBeNull();
    }
  });
});

describe("races of a request", () => {
  test("with a release leave exactly one run to serve it", async () => {
    for (let round = 0; round < 30; round += 1) {
      await sql`truncate runs cascade`.execute(database.db);
      await request(database.connection);
      const run = await claim(database.connection);

      const [asked] = await Promise.all([request(database.connection), release(run)]);

      const { rows } = await sql<{ run_id: string; state: string }>`
        select q.run_id, r.state from run_requests q join runs r on r.id = q.run_id`.execute(database.db);
      expect(rows).toHaveLength(2);
      expect(new Set(rows.map(({ state }) => state))).toEqual(new Set(["queued"]));
      expect(rows.some(({ run_id }) => run_id === asked.run_id)).toBe(true);
    }
  });

  test("with a claim make it join before the run starts, or follow it", async () => {
    for (let round = 0; round < 30; round += 1) {
      await sql`truncate runs cascade`.execute(database.db);
      await request(database.connection);

      const [asked, run] = await Promise.all([
        request(database.connection),
        claim(database.connection).catch(() => null),
      ]);

      const row = await readRow(database.db, asked.run_id);
      if (run && asked.run_id === run.id) expect(asked.outcome).toBe("joined");
      else expect(row.state).toBe("queued");
    }
  });

  test("with a sweep lose nothing", async () => {
    for (let round = 0; round < 30; round += 1) {
      await sql`truncate runs cascade`.execute(database.db);
      await request(database.connection);
      await claim(database.connection);
      await expire();

      await Promise.all([request(database.connection), sweepRuns(database.connection, TIMINGS)]);
      await sweepRuns(database.connection, TIMINGS);

      const open = (await statesOf(database.db)).filter((state) => state === "queued");
      expect(open).toHaveLength(1);
    }
  });
});
