import { sql } from "kysely";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { transaction } from "../../src/database/connect.ts";
import { createLogger } from "../../src/log.ts";
import type { Perform } from "../../src/runs/execute.ts";
import { cancelRun, finishRun } from "../../src/runs/queue.ts";
import type { RunTimings } from "../../src/runs/run.ts";
import { Worker, type WorkerOptions } from "../../src/runs/worker.ts";
import {
  BudgetReserved,
  HeadMoved,
  HostUnavailable,
  RateLimited,
  SourceError,
} from "../../src/scan/source.ts";
import { useDatabase } from "../support/database.ts";
import { readRow, request, seedRepository } from "../support/seed.ts";
import { until } from "../support/wait.ts";

const database = useDatabase();
const timings: RunTimings = { leaseSeconds: 2, stallSeconds: 600, retryBaseMs: 1 };
const workers: Worker[] = [];

function startWorker(perform: Perform, options: Partial<WorkerOptions> = {}): Worker {
  const worker = new Worker({
    connection: database.connect(),
    timings,
    slots: 2,
    name: "test",
    perform,
    log: createLogger("silent"),
    sweepMs: 50,
    ...options,
  });
  workers.push(worker);
  worker.start();
  return worker;
}

const succeed: Perform = async (run, tools) => {
  await tools.write(({ trx }) => finishRun(trx, run, { verified: true, message: "Indexed." }));
};
/** Work that neither ends nor listens. */
const hang: Perform = () => new Promise(() => {});
/** Work that goes on until it is told to stop. */
const obey: Perform = (_run, { signal }) =>
  new Promise((_resolve, reject) =>
    signal.addEventListener("abort", () => reject(signal.reason), { once: true }),
  );

async function untilState(runId: string, state: string) {
  return await until(
    async () => {
      const row = await readRow(database.db, runId);
      return row.state === state ? row : null;
    },
    { what: `run ${runId} to be ${state}` },
  );
}

async function untilRow(runId: string, probe: (row: Awaited<ReturnType<typeof readRow>>) => boolean) {
  return await until(
    async () => {
      const row = await readRow(database.db, runId);
      return probe(row) ? row : null;
    },
    { what: `run ${runId} to be otherwise` },
  );
}

beforeEach(() => seedRepository(database.db));
afterEach(async () => {
  await Promise.all(workers.splice(0).map((worker) => worker.stop()));
});

describe("a worker", () => {
  test("is woken by a request and carries the run to its end", async () => {
    startWorker(succeed, { pollMs: 60_000 });

    const { run_id } = await request(database.connection);

    expect(await untilState(run_id, "succeeded")).toMatchObject({ epoch: 1, failures: 0, worker: null });
  });

  test("keeps what is left of a budget for pushes: background runs wait, and one that a push joins does not", async () => {
    const until = new Date(Date.now() + 3_600_000);
    let reserved = true;
    const perform: Perform = async (run, tools) => {
      if (reserved) throw new BudgetReserved(until);
      await succeed(run, tools);
    };
    await seedRepository(database.db, { id: "200" });
    const [first, second] = [
      await request(database.connection, { trigger: "schedule" }),
      await request(database.connection, { repository_id: "200", trigger: "install" }),
    ];
    startWorker(perform, { pollMs: 100, slots: 1 });
    const waiting = await untilRow(first.run_id, ({ wait_reason }) => wait_reason !== null);
    reserved = false;

    const joined = await request(database.connection, { repository_id: "200", trigger: "push" });
    await untilState(second.run_id, "succeeded");

    expect(joined).toMatchObject({ run_id: second.run_id, outcome: "joined" });
    expect(waiting).toMatchObject({ state: "queued", failures: 0 });
    expect(waiting.wait_reason).toMatch(/kept for pushes and commands until \d\d:\d\d UTC/);
    expect(await readRow(database.db, first.run_id)).toMatchObject({ state: "queued", epoch: 1 });
    const again = await request(database.connection, { trigger: "push" });
    expect(again.outcome).toBe("joined");
    await untilState(first.run_id, "succeeded");
  });

  test("waits out an outage without an attempt, and not for ever", async () => {
    const away = new HostUnavailable("github_error", "GitHub answered 502 when asked to list the files.");
    const { run_id } = await request(database.connection);
    startWorker(async () => {
      throw away;
    });
    const waiting = await untilRow(run_id, ({ outages }) => outages > 0);

    await database.db
      .updateTable("runs")
      .set({ outages: 150, failures: 4, not_before: new Date() })
      .execute();
    const ended = await untilState(run_id, "failed");

    expect(waiting).toMatchObject({ state: "queued", failures: 0, wait_reason: away.message });
    expect(ended).toMatchObject({ reason_code: "github_error", reason: away.message });
  });

  test("finds by its poll what no notification told of", async () => {
    startWorker(succeed, { pollMs: 100 });
    await sql`insert into runs (repository_id, installation_id, trigger) values (100, 1, 'push')`.execute(
      database.db,
    );

    await untilState("1", "succeeded");
  });

  test("is up again the moment that a waiting run becomes due, however rarely it polls", async () => {
    let attempts = 0;
    startWorker(
      async (run, tools) => {
        attempts += 1;
        if (attempts === 1)
          throw new SourceError("github_error", "GitHub answered 502.", { retryable: true });
        await succeed(run, tools);
      },
      { pollMs: 60_000, timings: { ...timings, retryBaseMs: 500 } },
    );

    const { run_id } = await request(database.connection);

    expect(await untilState(run_id, "succeeded")).toMatchObject({ epoch: 2, failures: 1 });
  });

  test("tries again after a failure, and fails with the reason when the budget is spent", async () => {
    let attempts = 0;
    startWorker(
      async () => {
        attempts += 1;
        throw new SourceError("github_error", "GitHub answered 502 when asked to list the files.", {
          retryable: true,
        });
      },
      { pollMs: 50 },
    );

    const { run_id } = await request(database.connection);

    expect(await untilState(run_id, "failed")).toMatchObject({
      reason: "GitHub answered 502 when asked to list the files.",
      reason_code: "github_error",
      failures: 5,
    });
    expect(attempts).toBe(5);
  });

  test("does not try again what cannot help", async () => {
    startWorker(async () => {
      throw new SourceError("suspended", "The installation is suspended.", { retryable: false });
    });

    const { run_id } = await request(database.connection);

    expect(await untilState(run_id, "failed")).toMatchObject({ failures: 1, reason_code: "suspended" });
  });

  test("pauses the installation until GitHub's limit is reset, at no cost to the run", async () => {
    const resetAt = new Date(Date.now() + 3_600_000);
    startWorker(async () => {
      throw new RateLimited(resetAt);
    });

    const { run_id } = await request(database.connection);

    const row = await until(
      async () => {
        const current = await readRow(database.db, run_id);
        return current.wait_reason ? current : null;
      },
      { what: "the run to wait" },
    );
    const atReset = expect.toSatisfy((at: Date) => Math.abs(at.getTime() - resetAt.getTime()) < 1_000);
    expect(row).toMatchObject({ state: "queued", failures: 0, not_before: atReset });
    const installation = await database.db.selectFrom("installations").selectAll().executeTakeFirstOrThrow();
    expect(installation.paused_until).toEqual(atReset);
  });

  test("reads the head again when a force push took it away, at no cost to the run", async () => {
    let attempts = 0;
    startWorker(
      async (run, tools) => {
        attempts += 1;
        if (attempts === 1) throw new HeadMoved("a".repeat(40));
        await succeed(run, tools);
      },
      { pollMs: 50 },
    );

    const { run_id } = await request(database.connection);

    expect(await untilState(run_id, "succeeded")).toMatchObject({ failures: 0, epoch: 2 });
  });

  test("keeps a run that takes longer than a lease, by its heartbeat alone", async () => {
    const gate = Promise.withResolvers<void>();
    startWorker(async (run, tools) => {
      await gate.promise;
      await succeed(run, tools);
    });
    const { run_id } = await request(database.connection);
    const first = (await untilState(run_id, "running")).lease_until?.getTime() ?? 0;

    await until(
      async () => ((await readRow(database.db, run_id)).lease_until?.getTime() ?? 0) > first + 1_000,
      {
        what: "the lease to be renewed",
      },
    );
    await until(() => Date.now() > first, { what: "the first lease to be over" });
    gate.resolve();

    expect(await untilState(run_id, "succeeded")).toMatchObject({ epoch: 1, failures: 0 });
  });

  test("keeps a run whose own write takes longer than a lease", async () => {
    startWorker(async (run, tools) => {
      await tools.write(({ trx }) => sql`select pg_sleep(3.5)`.execute(trx));
      await succeed(run, tools);
    });

    const { run_id } = await request(database.connection);

    expect(await untilState(run_id, "succeeded")).toMatchObject({ epoch: 1, failures: 0 });
  });

  test("ends a cancelled run at its next beat", async () => {
    startWorker(obey);
    const { run_id } = await request(database.connection);
    await untilState(run_id, "running");

    await transaction(database.connection, ({ trx }) => cancelRun(trx, run_id, "octocat"));

    expect(await untilState(run_id, "cancelled")).toMatchObject({ cancel_requested_by: "octocat" });
  });

  test("gives its runs back when it stops, at no cost to them", async () => {
    const worker = startWorker(obey);
    const { run_id } = await request(database.connection);
    await untilState(run_id, "running");

    await worker.stop();

    expect(await readRow(database.db, run_id)).toMatchObject({
      state: "queued",
      failures: 0,
      wait_reason: "The server was restarted.",
    });
  });

  test("frees its slot of work that hangs when it stops", async () => {
    const worker = startWorker(hang);
    const { run_id } = await request(database.connection);
    await untilState(run_id, "running");

    await worker.stop();

    expect(await readRow(database.db, run_id)).toMatchObject({ state: "queued", failures: 0 });
  });

  test("loses a run that hangs with its heart beating, and cannot write for it any more", async () => {
    const lateWrite = Promise.withResolvers<unknown>();
    const released = Promise.withResolvers<void>();
    let first = true;
    startWorker(
      async (run, tools) => {
        if (!first) return await succeed(run, tools);
        first = false;
        await released.promise;
        lateWrite.resolve(await tools.write(async () => "written").catch((error) => error));
      },
      { timings: { ...timings, stallSeconds: 1 }, pollMs: 50 },
    );
    const { run_id } = await request(database.connection);

    const row = await untilState(run_id, "succeeded");
    released.resolve();

    expect(row).toMatchObject({ epoch: 2, failures: 1 });
    expect(await lateWrite.promise).toMatchObject({ name: "LeaseLost" });
  });

  test("goes on when the server drops all of its connections", async () => {
    let attempts = 0;
    startWorker(
      async (run, tools) => {
        attempts += 1;
        const drop = sql`select pg_terminate_backend(pid) from pg_stat_activity
          where datname = current_database() and application_name = 'dropped'`;
        await drop.execute(database.db);
        if (attempts === 1) await tools.write(({ trx }) => drop.execute(trx)); // in the middle of a write
        await succeed(run, tools);
      },
      { pollMs: 50, connection: database.connect({ applicationName: "dropped" }) },
    );

    const { run_id } = await request(database.connection);
    const { failures } = await untilState(run_id, "succeeded");

    expect(attempts).toBe(2);
    expect(failures, "a restart of the server is no fault of the run").toBe(0);
  });

  test("keeps its last slot for another installation", async () => {
    for (const id of ["101", "102", "103"]) await seedRepository(database.db, { id });
    await seedRepository(database.db, { id: "200", installation_id: "2" });
    startWorker(obey, { slots: 3, pollMs: 50 });
    for (const repository_id of ["101", "102", "103"]) await request(database.connection, { repository_id });
    const running = () =>
      database.db.selectFrom("runs").select("repository_id").where("state", "=", "running").execute();
    await until(async () => (await running()).length === 2, { what: "two runs of installation 1" });

    const other = await request(database.connection, { repository_id: "200" });
    await untilState(other.run_id, "running");

    expect((await running()).map((row) => row.repository_id).filter((id) => id !== "200")).toHaveLength(2);
  });

  test("holds no run of which it could not prove for a lease's length that it is its own", async () => {
    const stopped = Promise.withResolvers<unknown>();
    const connection = database.connect();
    startWorker(
      (_run, { signal }) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener("abort", () => {
            stopped.resolve(signal.reason);
            reject(signal.reason);
          });
        }),
      { connection },
    );
    const { run_id } = await request(database.connection);
    await untilState(run_id, "running");

    await transaction(database.connection, async ({ trx }) => {
      await sql`select 1 from runs where id = ${run_id} for update`.execute(trx); // no beat comes through
      expect(await stopped.promise).toMatchObject({ name: "LeaseLost" });
    });
  });
});
