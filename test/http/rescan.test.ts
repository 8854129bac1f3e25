import { describe, expect, test } from "vitest";
import { useDatabase } from "../support/database.ts";
import { claim, request, seedRepository, statesOf } from "../support/seed.ts";
import { seedRun, updateRepository } from "./seed.ts";
import { expectProblem, serve, TIME } from "./server.ts";

const database = useDatabase();
const RESCAN = "/api/v1/repositories/100/rescan";
const STATUS = `${RESCAN}/status`;

interface Rescanned {
  run_id: string;
  outcome: string;
  run: { id: string; mode: string; requested_by: string };
}

interface Status {
  running: { id: string } | null;
  queued: { id: string; position: number; not_before: string; wait_reason: string | null } | null;
  last_finished: { id: string; state: string } | null;
}

async function setUp() {
  await seedRepository(database.db);
  const server = await serve(database);
  const rescan = async (json?: unknown): Promise<Rescanned> => {
    const response = await server.ask(RESCAN, { method: "POST", ...(json !== undefined && { json }) });
    expect(response.status).toBe(202);
    const answer = (await response.json()) as Rescanned;
    expect(response.headers.get("location")).toBe(`/api/v1/runs/${answer.run_id}`);
    expect(Object.keys(answer).sort()).toEqual(["outcome", "run", "run_id"]);
    expect(await server.get(`/api/v1/runs/${answer.run_id}`)).toEqual(answer.run);
    return answer;
  };
  return { server, rescan };
}

describe("a rescan", () => {
  test("is queued, joined while it waits, followed up while one runs, and never refused", async () => {
    const { server, rescan } = await setUp();

    const queued = await rescan();
    const joined = await rescan({ mode: "full" });
    const later = await rescan({ mode: "incremental" });
    const { id: running } = await claim(database.connection);
    const followUp = await rescan({});
    const joinedToo = await rescan();

    expect([queued, joined, later, followUp, joinedToo].map(({ outcome }) => outcome)).toEqual([
      "queued",
      "joined",
      "joined",
      "follow_up",
      "joined",
    ]);
    expect([joined.run_id, later.run_id, running]).toEqual(Array(3).fill(queued.run_id));
    expect(followUp.run_id).not.toBe(running);
    expect(joinedToo.run_id).toBe(followUp.run_id);
    expect([queued, joined, later, followUp].map(({ run }) => run.mode)).toEqual([
      "incremental",
      "full",
      "full",
      "incremental",
    ]);
    expect(queued.run).toMatchObject({ state: "queued", trigger: "rescan", requested_by: "operator" });
    const status = await server.get<Status>(STATUS);
    expect([status.running?.id, status.queued?.id]).toEqual([running, followUp.run_id]);
  });

  test("after ten within ten minutes is answered with the latest run, and told when to ask again", async () => {
    const { server } = await setUp();
    const runs = [];
    for (let n = 0; n < 10; n += 1) runs.push(await seedRun(database.db, { trigger: "rescan" }));

    const response = await server.ask(RESCAN, { method: "POST" });
    const answer = (await response.json()) as Rescanned & { cooldown: { until: string; message: string } };
    const again = await server.ask(RESCAN, { method: "POST" });

    expect([response.status, again.status]).toEqual([202, 202]);
    expect(answer).toMatchObject({ run_id: runs.at(-1), outcome: "joined", run: { state: "succeeded" } });
    expect(answer.cooldown.message).toMatch(/^People started 10 scans .* from \d\d:\d\d UTC on\.$/);
    const wait = Number(response.headers.get("retry-after"));
    expect(wait).toBeGreaterThan(590);
    expect(wait).toBeLessThanOrEqual(600);
    expect(await statesOf(database.db)).toEqual(Array(10).fill("succeeded"));
  });

  test("after ten is queued once the first of them is ten minutes old, and joins what waits at any time", async () => {
    const { rescan } = await setUp();
    const longAgo = new Date(Date.now() - 601_000);
    await seedRun(database.db, { trigger: "rescan", queued_at: longAgo });
    for (let n = 0; n < 9; n += 1) await seedRun(database.db, { trigger: "rerun" });

    const tenth = await rescan();
    const joined = await rescan();

    expect([tenth.outcome, joined.outcome]).toEqual(["queued", "joined"]);
    expect(joined.run_id).toBe(tenth.run_id);
  });

  test("is not held up by pushes, however many there were", async () => {
    const { rescan } = await setUp();
    for (let n = 0; n < 20; n += 1) await seedRun(database.db, { trigger: "push" });

    expect((await rescan()).outcome).toBe("queued");
  });

  test("asked for a hundred times at once makes one run, which each answer names", async () => {
    const { server } = await setUp();

    const answers = await Promise.all(
      Array.from({ length: 100 }, async () => {
        const response = await server.ask(RESCAN, { method: "POST" });
        expect(response.status).toBe(202);
        return (await response.json()) as Rescanned;
      }),
    );

    expect(await statesOf(database.db)).toEqual(["queued"]);
    expect(new Set(answers.map(({ run_id }) => run_id)).size).toBe(1);
    expect(answers.filter(({ outcome }) => outcome === "queued")).toHaveLength(1);
  });

  test.each([
    ["{", /JSON/],
    ["mode=full", /JSON/],
    ["null", /JSON object/],
    ["[]", /JSON object/],
    ['"full"', /JSON object/],
    ["7", /JSON object/],
    ['{"mode":"FULL"}', /mode must/],
    ['{"mode":null}', /mode must/],
    ['{"mode":""}', /mode must/],
    ['{"mode":["full"]}', /mode must/],
    ['{"mode":"full\\u0000"}', /mode must/],
  ])("with the body %s is a bad request and queues nothing", async (body, sentence) => {
    const { server } = await setUp();

    const response = await server.ask(RESCAN, { method: "POST", body });

    expect(await expectProblem(response, 400)).toMatch(sentence);
    expect(await statesOf(database.db)).toEqual([]);
  });

  test("of a repository that cannot be scanned is a 422 that says why", async () => {
    const { server } = await setUp();
    const refusal = async () => await expectProblem(await server.ask(RESCAN, { method: "POST" }), 422);
    const installation = (changes: { suspended_at?: Date | null; removed_at?: Date | null }) =>
      database.db.updateTable("installations").set(changes).execute();

    await updateRepository(database.db, { archived: true });
    expect(await refusal()).toMatch(/archived/);
    await updateRepository(database.db, { archived: false });
    await installation({ suspended_at: new Date() });
    expect(await refusal()).toMatch(/suspended/);
    await installation({ suspended_at: null, removed_at: new Date() });
    expect(await refusal()).toMatch(/removed/);
    await installation({ removed_at: null });
    await updateRepository(database.db, { removed_at: new Date() });
    expect(await refusal()).toMatch(/removed/);

    expect(await statesOf(database.db)).toEqual([]);
  });

  test("of an unknown repository is a 404", async () => {
    const { server } = await setUp();

    const response = await server.ask("/api/v1/repositories/101/rescan", { method: "POST" });

    expect(await expectProblem(response, 404)).toMatch(/no such repository/);
  });
});

describe("the rescan status", () => {
  test("of a repository with no runs has none", async () => {
    const { server } = await setUp();

    expect(await server.get(STATUS)).toEqual({ running: null, queued: null, last_finished: null });
  });

  test("names what runs, what waits and what ended last, whatever was queued first", async () => {
    const { server } = await setUp();
    const at = (minute: number) => new Date(Date.UTC(2026, 0, 1, 0, minute));
    const last = await seedRun(database.db, {
      finished_at: at(9),
      state: "failed",
      reason: "No.",
      reason_code: "no",
    });
    await seedRun(database.db, { finished_at: at(5) });
    const running = await seedRun(database.db, { state: "running" });
    const queued = await seedRun(database.db, { state: "queued" });

    const status = await server.get<Status>(STATUS);

    expect(Object.keys(status).sort()).toEqual(["last_finished", "queued", "running"]);
    expect(status).toMatchObject({
      running: { id: running },
      queued: { id: queued },
      last_finished: { id: last, state: "failed" },
    });
  });

  test("tells a waiting run's place in its installation's line, and until when it waits", async () => {
    const { server } = await setUp();
    const until = new Date(Date.now() + 3_600_000);
    await seedRepository(database.db, { id: "101" });
    await seedRepository(database.db, { id: "102" });
    await seedRepository(database.db, { id: "200", installation_id: "2" });
    await request(database.connection, { repository_id: "200", trigger: "rescan" });
    await request(database.connection, { repository_id: "101", trigger: "push" });
    await request(database.connection, { repository_id: "100", trigger: "push" });
    await request(database.connection, { repository_id: "102", trigger: "rescan" });
    const third = await server.get<Status>(STATUS);

    await database.db
      .updateTable("installations")
      .set({ paused_until: until })
      .where("id", "=", "1")
      .execute();
    const paused = await server.get<Status>(STATUS);

    expect(third.queued).toMatchObject({ position: 3, wait_reason: null });
    expect(third.queued?.not_before).toMatch(TIME);
    expect(Date.parse(third.queued?.not_before ?? "")).toBeLessThanOrEqual(Date.now());
    expect(paused.queued?.not_before).toBe(until.toISOString());
  });

  test("with a body larger than any that makes sense is refused", async () => {
    const server = await serve(database);

    const response = await server.ask("/api/v1/repositories/100/rescan", {
      method: "POST",
      body: `{"mode": "full", "padding": "${"x".repeat(100_000)}"}`,
    });

    expect(await expectProblem(response, 413)).toBe("The body must not be over 64 KB.");
  });
});
