import { sql } from "kysely";
import { beforeEach, describe, expect, test } from "vitest";
import { transaction } from "../../src/database/connect.ts";
import { listEvents } from "../../src/runs/events.ts";
import { finishRun, pauseFor, releaseRun, requestRun, setHead } from "../../src/runs/queue.ts";
import { requestRescan } from "../../src/runs/rescan.ts";
import { RateLimited } from "../../src/scan/source.ts";
import { useDatabase } from "../support/database.ts";
import { claim, readRow, request, SHA, seedRepository, statesOf, TIMINGS } from "../support/seed.ts";

const database = useDatabase();
beforeEach(() => seedRepository(database.db));

describe("a request for a run", () => {
  test("queues a run", async () => {
    const asked = await request(database.connection, { wanted_head: SHA("a") });

    expect(asked.outcome).toBe("queued");
    expect(await readRow(database.db, asked.run_id)).toMatchObject({
      state: "queued",
      wanted_head: SHA("a"),
      epoch: 0,
    });
  });

  test("joins the run that waits already, and is remembered", async () => {
    const first = await request(database.connection);

    const second = await request(database.connection, { trigger: "rescan", requested_by: "octocat" });

    expect(second).toEqual({ run_id: first.run_id, outcome: "joined" });
    const requests = await database.db
      .selectFrom("run_requests")
      .select(["run_id", "outcome"])
      .orderBy("id")
      .execute();
    expect(requests).toEqual([
      { run_id: first.run_id, outcome: "queued" },
      { run_id: first.run_id, outcome: "joined" },
    ]);
  });

  test("never joins a running run: any number of them makes exactly one follow-up", async () => {
    const first = await request(database.connection);
    await claim(database.connection);

    const asked = await Promise.all(Array.from({ length: 20 }, () => request(database.connection)));

    const ids = new Set(asked.map(({ run_id }) => run_id));
    expect(ids.size).toBe(1);
    expect(ids.has(first.run_id)).toBe(false);
    expect(asked.filter(({ outcome }) => outcome === "follow_up")).toHaveLength(1);
    expect(asked.filter(({ outcome }) => outcome === "joined")).toHaveLength(19);
    expect(await statesOf(database.db)).toEqual(["running", "queued"]);
  });

  test("that is rolled back leaves nothing behind", async () => {
    const asking = transaction(database.connection, async ({ trx }) => {
      await requestRun(trx, { repository_id: "100", trigger: "push" });
      throw new Error("the delivery's transaction failed");
    });

    await expect(asking).rejects.toThrow("failed");
    expect(await statesOf(database.db)).toEqual([]);
    expect(await database.db.selectFrom("run_requests").selectAll().execute()).toEqual([]);
  });

  test("that joins makes the run full when either was", async () => {
    const { run_id } = await request(database.connection, { mode: "full" });

    await request(database.connection, { mode: "incremental" });

    expect((await readRow(database.db, run_id)).mode).toBe("full");
  });

  test("that joins moves the run to the newer head, at the higher priority", async () => {
    const { run_id } = await request(database.connection, { trigger: "install" });

    await request(database.connection, { trigger: "push", wanted_head: SHA("b") });

    expect(await readRow(database.db, run_id)).toMatchObject({
      wanted_head: SHA("b"),
      trigger: "push",
      priority: 10,
    });
  });

  test("of a person ends a retry's waiting; a push's does not", async () => {
    const { run_id } = await request(database.connection);
    const later = new Date(Date.now() + 3_600_000);
    await database.db.updateTable("runs").set({ not_before: later, wait_reason: "GitHub failed." }).execute();

    await request(database.connection, { trigger: "push" });
    const afterPush = await readRow(database.db, run_id);
    await request(database.connection, { trigger: "rescan" });
    const afterRescan = await readRow(database.db, run_id);

    expect(afterPush.not_before).toEqual(later);
    expect(afterPush.wait_reason).toBe("GitHub failed.");
    expect(afterRescan.not_before.getTime()).toBeLessThan(later.getTime() - 3_000_000);
    expect(afterRescan.wait_reason).toBeNull();
  });

  test("of a person waits all the same while GitHub wants the installation left alone", async () => {
    const { run_id } = await request(database.connection);
    const until = new Date(Date.now() + 3_600_000);
    await database.db.updateTable("runs").set({ not_before: until, wait_reason: "Rate limit." }).execute();
    await transaction(database.connection, ({ trx }) => pauseFor(trx, "1", new RateLimited(until)));

    await request(database.connection, { trigger: "rescan" });

    expect((await readRow(database.db, run_id)).not_before).toEqual(until);
  });

  test("is accepted anew after its run has ended, however it ended", async () => {
    await request(database.connection);
    const held = await claim(database.connection);
    await transaction(database.connection, ({ trx }) =>
      finishRun(trx, held, { verified: true, message: "Indexed." }),
    );

    const again = await request(database.connection);

    expect(again.outcome).toBe("queued");
    expect(again.run_id).not.toBe(held.id);
  });

  test("numbers the run's log without a gap, whoever writes at once", async () => {
    const { run_id } = await request(database.connection);

    await Promise.all(Array.from({ length: 10 }, () => request(database.connection)));

    const events = await listEvents(database.db, run_id, { afterSeq: 0, limit: 100 });
    expect(events.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    expect(events.filter(({ kind }) => kind === "run.joined")).toHaveLength(10);
  });

  test("opens a check on its head, except for background runs, whose number has no bound", async () => {
    await request(database.connection, { trigger: "install", wanted_head: SHA("a") });
    const forInstall = await database.db.selectFrom("check_reports").selectAll().execute();

    await request(database.connection, { trigger: "push", wanted_head: SHA("a") });
    const forPush = await database.db.selectFrom("check_reports").select("head_sha").execute();

    expect(forInstall).toEqual([]);
    expect(forPush).toEqual([{ head_sha: SHA("a") }]);
  });
});

describe("the head of a run", () => {
  const reports = async () =>
    await database.db
      .selectFrom("check_reports")
      .select(["head_sha", "state", "replaced_by_sha"])
      .orderBy("head_sha")
      .execute();

  test("that comes back after it was replaced is reported on again", async () => {
    await request(database.connection, { wanted_head: SHA("a") });
    const run = await claim(database.connection);
    const moveTo = (sha: string) =>
      transaction(database.connection, ({ trx }) => setHead(trx, run, { sha, tree_sha: null }));

    await moveTo(SHA("a"));
    await moveTo(SHA("b"));
    const replaced = await reports();
    await sql`update check_reports set state = 'completed' where head_sha = ${SHA("a")}`.execute(database.db);
    await moveTo(SHA("a"));

    expect(replaced).toContainEqual({ head_sha: SHA("a"), state: "open", replaced_by_sha: SHA("b") });
    expect(await reports()).toEqual([
      { head_sha: SHA("a"), state: "open", replaced_by_sha: null },
      { head_sha: SHA("b"), state: "open", replaced_by_sha: SHA("a") },
    ]);
  });

  test("wanted by a push is not forgotten for an older one that somebody wants to see again", async () => {
    const { run_id } = await request(database.connection, { wanted_head: SHA("b") });

    await request(database.connection, { trigger: "rerun", report_head: SHA("a") });

    expect(await readRow(database.db, run_id)).toMatchObject({ wanted_head: SHA("b") });
    expect((await reports()).map(({ head_sha }) => head_sha)).toEqual([SHA("a"), SHA("b")]);
  });

  test("wanted by a run that gives way is wanted by the one that takes over", async () => {
    await request(database.connection, { wanted_head: SHA("b") });
    await request(database.connection, { wanted_default: SHA("d") });
    const run = await claim(database.connection);
    const followUp = await request(database.connection, { trigger: "rescan" });

    const release = { kind: "requeue", reason: "Restart." } as const;
    await releaseRun(database.connection, run, { release, timings: TIMINGS });

    expect(await readRow(database.db, followUp.run_id)).toMatchObject({
      wanted_head: SHA("b"),
      wanted_default: SHA("d"),
    });
    expect((await reports()).map(({ head_sha }) => head_sha)).toEqual([SHA("b")]);
  });
});

describe("requestRescan", () => {
  test.each([
    ["archived", sql`update repositories set archived = true`],
    ["removed", sql`update repositories set removed_at = now()`],
    ["suspended", sql`update installations set suspended_at = now()`],
    ["removed", sql`update installations set removed_at = now()`],
  ])("refuses with a sentence where there can be no run: %s", async (why, change) => {
    await change.execute(database.db);

    const answer = await transaction(database.connection, ({ trx }) =>
      requestRescan(trx, { repository_id: "100" }),
    );

    expect(answer).toMatchObject({ kind: "refused", why });
    expect(answer.kind === "refused" && answer.message).toMatch(/\.$/);
    expect(await statesOf(database.db)).toEqual([]);
  });

  test("refuses a repository that nobody told of", async () => {
    const answer = await transaction(database.connection, ({ trx }) =>
      requestRescan(trx, { repository_id: "9" }),
    );

    expect(answer).toMatchObject({ kind: "refused", why: "unknown_repository" });
  });
});
