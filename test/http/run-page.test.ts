import { sql } from "kysely";
import { describe, expect, test } from "vitest";
import { appendEvent } from "../../src/runs/events.ts";
import { useDatabase } from "../support/database.ts";
import { SHA, seedRepository } from "../support/seed.ts";
import { buttonsOf, linksOf, REFRESH, readPage, titleOf, wordsOf } from "./page.ts";
import { INDEXED, seedRun, updateRepository } from "./seed.ts";
import { serve } from "./server.ts";

const database = useDatabase();

async function setUp() {
  await seedRepository(database.db);
  return await serve(database);
}

describe("a run's page", () => {
  const at = (minute: number) => new Date(Date.UTC(2026, 0, 2, 3, minute, 5));
  const cases: [string, Parameters<typeof seedRun>[1], { says: RegExp[]; live: boolean; title: string }][] = [
    ["queued", { state: "queued" }, { says: [/Waiting, next in line/], live: true, title: "Waiting" }],
    [
      "queued and waiting",
      {
        state: "queued",
        not_before: new Date(Date.now() + 200.5 * 31_536_000_000),
        wait_reason: "GitHub's rate limit is spent.",
      },
      {
        says: [/Waiting, tries again in 200 years/, /GitHub&#39;s rate limit is spent\./],
        live: true,
        title: "Waiting",
      },
    ],
    [
      "running",
      {
        state: "running",
        stage: "publishing",
        progress: JSON.stringify({ files_total: 1208, files_done: 412 }),
        requested_by: "octocat",
        trigger: "rescan",
      },
      {
        says: [/Publishing 412 of 1,208 files/, /Asked for by octocat\./, /rescan by octocat/],
        live: true,
        title: "34% Running",
      },
    ],
    [
      "running, before it has told a stage",
      { state: "running" },
      { says: [/Starting/], live: true, title: "Running" },
    ],
    [
      "succeeded",
      {
        verified: true,
        head_sha: SHA("a"),
        tree_sha: SHA("b"),
        progress: JSON.stringify({
          files_total: 1,
          files_changed: 1,
          files_removed: 2,
          files_skipped: 3,
          chunks: 4000,
        }),
        started_at: at(1),
        finished_at: at(2),
      },
      {
        says: [
          /at aaaaaaa /,
          /1 file listed 1:00 Tree bbbbbbb verified: the index is this commit, whole\./,
          /Changed 1 file Removed 2 files Left out by design 3 files Not readable – Chunks 4,000/,
        ],
        live: false,
        title: "Succeeded",
      },
    ],
    [
      "succeeded, some files failed",
      {
        verified: true,
        tree_sha: SHA("b"),
        progress: JSON.stringify({ files_total: 1208, files_failed: 12 }),
      },
      { says: [/1,208 files listed/, /12 files could not be read\./], live: false, title: "Succeeded" },
    ],
    [
      "succeeded, unverified",
      { verified: false },
      { says: [/does not hash to the commit’s tree/], live: false, title: "Succeeded" },
    ],
    [
      "succeeded with no commits",
      { verified: null },
      { says: [/no commits: nothing to index/], live: false, title: "Succeeded" },
    ],
    [
      "failed",
      {
        state: "failed",
        reason: "GitHub refused to list the files.",
        reason_code: "forbidden",
        failures: 1,
        epoch: 2,
      },
      {
        says: [
          /This scan failed GitHub refused to list the files\. forbidden What to do: Open/,
          /Attempts 2 · 1 failure of at most 5/,
        ],
        live: false,
        title: "Failed",
      },
    ],
    ["cancelled", { state: "cancelled" }, { says: [/Cancelled/], live: false, title: "Cancelled" }],
    [
      "cancelled by somebody",
      { state: "cancelled", cancel_requested_by: "octocat" },
      { says: [/Cancelled by octocat/], live: false, title: "Cancelled" },
    ],
  ];

  test.each(cases)(
    "that is %s says so, and asks again only while it lives",
    async (_state, run, expected) => {
      const server = await setUp();
      const id = await seedRun(database.db, run);

      const page = await readPage(server, `/runs/${id}`);

      expect(titleOf(page)).toBe(`${expected.title} · Run ${id} · account-1/repository-100`);
      expect(linksOf(page, /^account-1\/repository-100$/)).toEqual(["/repositories/100"]);
      for (const sentence of expected.says) expect(wordsOf(page)).toMatch(sentence);
      expect(page.includes(REFRESH)).toBe(expected.live);
      expect(page.includes(`<live-region src="/api/v1/runs/${id}/events">`)).toBe(expected.live);
      expect(buttonsOf(page)).toMatchObject({
        Rescan: { action: "/repositories/100/rescan" },
        Cancel: expected.live ? { action: `/runs/${id}/cancel` } : null,
      });
      expect(wordsOf(page).includes("This scan has ended, so it cannot be cancelled.")).toBe(!expected.live);
    },
  );

  test("that was replaced leads to the run that replaced it", async () => {
    const server = await setUp();
    const successor = await seedRun(database.db);
    const id = await seedRun(database.db, { state: "superseded", superseded_by: successor });

    const page = await readPage(server, `/runs/${id}`);

    expect(wordsOf(page)).toContain(`Replaced by run ${successor}`);
    expect(linksOf(page, /^run \d+$/)).toEqual([`/runs/${successor}`]);
  });

  test("that is being cancelled says so, and takes no second wish", async () => {
    const server = await setUp();
    const id = await seedRun(database.db, {
      state: "running",
      cancel_requested_at: new Date(),
      cancel_requested_by: "octocat",
    });

    const page = await readPage(server, `/runs/${id}`);

    expect(wordsOf(page)).toContain("Asked to cancel: it ends within seconds.");
    expect(wordsOf(page)).toContain("Cancelling was asked for already.");
    expect(buttonsOf(page).Cancel).toBeNull();
  });

  test("names the mistakes in a configuration", async () => {
    const server = await setUp();
    const faults = [{ line: 3, column: 5, message: "Not a number." }];
    const id = await seedRun(database.db, { configuration_faults: JSON.stringify(faults) });

    const words = wordsOf(await readPage(server, `/runs/${id}`));

    expect(words).toContain("1 mistake in the configuration: the last good one was in force.");
    expect(words).toContain("3:5 Not a number.");
  });
});

describe("the timeline", () => {
  test("tells each step once, however much was logged within it, and what each took", async () => {
    const server = await setUp();
    const id = await seedRun(database.db, { verified: true });
    const progress = { level: "debug", kind: "run.progress" } as const;
    await appendEvent(database.db, id, { kind: "run.queued", message: "Waiting." });
    await appendEvent(database.db, id, { kind: "run.started", message: "Taken." });
    await appendEvent(database.db, id, { ...progress, message: "x", data: { stage: "listing files" } });
    for (let i = 0; i < 210; i += 1)
      await appendEvent(database.db, id, {
        ...progress,
        message: "x",
        data: { stage: "reading files", files_done: i },
      });
    await appendEvent(database.db, id, { kind: "run.retrying", level: "warn", message: "Attempt 1 failed." });
    await appendEvent(database.db, id, { ...progress, message: "x", data: { stage: "reading files" } });
    await appendEvent(database.db, id, { kind: "run.completed", message: "Done." });
    await sql`update run_events set at = timestamptz '2026-01-02T03:00:00Z' + make_interval(secs => seq)`.execute(
      database.db,
    );

    const page = await readPage(server, `/runs/${id}`);

    const timeline = wordsOf(
      `<main>${page.slice(page.indexOf('id="timeline"'), page.indexOf('id="details"'))}`,
    );
    expect(timeline.replaceAll(/ \d\d:\d\d:\d\d/g, "")).toContain(
      "Timeline Asked for 1.0 s Taken by a worker 1.0 s Listing files 1.0 s Reading files 3:30 " +
        "Failed, to be tried again 1.0 s Reading files 1.0 s Succeeded",
    );
  });
});

describe("the log", () => {
  const failWith = (id: string) =>
    appendEvent(database.db, id, {
      kind: "run.completed",
      level: "error",
      message: "It broke.",
      error: { code: "flaky", message: "It broke.", cause: "GitHub hung up." },
    });

  test("shows the newest of a long one, and leads to the others", async () => {
    const server = await setUp();
    await updateRepository(database.db, INDEXED);
    const id = await seedRun(database.db);
    for (let i = 1; i <= 205; i += 1) {
      await appendEvent(database.db, id, { kind: "run.progress", message: `Event no. ${i};` });
    }
    const data = { files_done: 412, files_total: 1208 };
    await appendEvent(database.db, id, { kind: "run.progress", message: "Reading files", data });

    const page = await readPage(server, `/runs/${id}`);
    const [earlier = ""] = linksOf(page, /^Earlier$/);
    const before = wordsOf(await readPage(server, earlier));

    expect(wordsOf(page)).not.toContain("Event no. 6;");
    expect(wordsOf(page)).toContain("Event no. 7;");
    expect(wordsOf(page)).toContain("Events 7–206 of 206");
    expect(wordsOf(page)).toContain("Reading files (412 of 1,208 files)");
    expect(before).toContain("Event no. 1;");
    expect(wordsOf(page)).toMatch(/Search answers from ccccccc/);
    await readPage(server, `/runs/${id}?after=-1`, { status: 400 });
    expect(wordsOf(await readPage(server, `/runs/${id}?after=206`))).toContain("Events 7–206 of 206");
  });

  test("opens at the failure, to which the page's first sentence leads", async () => {
    const server = await setUp();
    const id = await seedRun(database.db, { state: "failed", reason: "It broke.", reason_code: "flaky" });
    const error = { code: "early", message: "Again.", cause: null };
    await appendEvent(database.db, id, { kind: "run.retrying", level: "warn", message: "Again.", error });
    await failWith(id);

    const page = await readPage(server, `/runs/${id}`);

    expect(linksOf(page, /where it failed/)).toEqual(["#failure"]);
    const failure = page.slice(page.indexOf('id="failure"'));
    expect(failure).toMatch(/<details id="cause-2" open/);
    expect(wordsOf(`<main>${failure}`)).toContain("GitHub hung up.");
    expect(page).toMatch(/<details id="cause-1">/);
  });

  test("leads to the page that the failure is on", async () => {
    const server = await setUp();
    const id = await seedRun(database.db, { state: "failed", reason: "It broke.", reason_code: "flaky" });
    for (let i = 1; i <= 250; i += 1)
      await appendEvent(database.db, id, { kind: "run.progress", message: "x" });
    await failWith(id);
    for (let i = 1; i <= 205; i += 1)
      await appendEvent(database.db, id, { kind: "access.lost", message: "x" });

    const [address = ""] = linksOf(await readPage(server, `/runs/${id}`), /where it failed/);

    expect(address).toBe(`/runs/${id}?after=200#failure`);
    expect(await readPage(server, address)).toContain('id="failure"');
  });

  test("says so where there is nothing yet, or nothing any more", async () => {
    const server = await setUp();
    const open = await seedRun(database.db, { state: "queued" });
    const ended = await seedRun(database.db);

    expect(wordsOf(await readPage(server, `/runs/${open}`))).toContain("Nothing is logged yet.");
    expect(wordsOf(await readPage(server, `/runs/${ended}`))).toContain("The log is not kept any more.");
  });
});
