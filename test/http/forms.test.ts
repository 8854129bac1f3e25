import { describe, expect, test } from "vitest";
import { useDatabase } from "../support/database.ts";
import { claim, readRow, seedRepository, statesOf } from "../support/seed.ts";
import { buttonsOf, readPage, wordsOf } from "./page.ts";
import { seedRun, updateRepository } from "./seed.ts";
import { expectProblem, type HttpServer, serve } from "./server.ts";

const database = useDatabase();
const HOME = "/repositories/100";

async function setUp() {
  await seedRepository(database.db);
  const server = await serve(database);
  return { server, press: pressIn(server) };
}

/** Sends a form as a browser does, and reads the page that it leads to. */
const pressIn =
  (server: HttpServer) =>
  async (path: string, fields: Record<string, string> = {}): Promise<{ location: string; words: string }> => {
    const headers = { "content-type": "application/x-www-form-urlencoded", accept: "text/html" };
    const body = new URLSearchParams(fields).toString();
    const response = await server.ask(path, { method: "POST", headers, body, redirect: "manual" });
    expect(response.status, await response.text()).toBe(303);
    const location = response.headers.get("location") ?? "";
    return { location, words: wordsOf(await readPage(server, location)) };
  };

describe("the button to scan", () => {
  test.each([
    ["has no boundary", "multipart/form-data", "x", 400],
    ["has another boundary", "multipart/form-data; boundary=x", "--y\r\n", 400],
    ["is too large", "application/x-www-form-urlencoded", `mode=${"x".repeat(70_000)}`, 413],
  ])("refuses a body that %s, with a sentence", async (_what, type, text, status) => {
    const { server } = await setUp();
    const body = new Blob([text]).stream();
    const headers = { "content-type": type };

    const sent = { method: "POST", headers, body, duplex: "half" } as const;
    const answer = await server.ask(`${HOME}/rescan`, sent);

    await expectProblem(answer, status);
    expect(await statesOf(database.db)).toEqual([]);
  });

  test("queues a scan, joins the one that waits, has one follow the one that runs, and says which", async () => {
    const { server, press } = await setUp();
    const { Rescan, "Full rescan": full } = buttonsOf(await readPage(server, HOME));

    const queued = await press(Rescan?.action ?? "", { mode: Rescan?.mode ?? "" });
    const joined = await press(full?.action ?? "", { mode: full?.mode ?? "" });
    const { id } = await claim(database.connection);
    const followUp = await press(`${HOME}/rescan`);

    expect(queued.location).toBe(`${HOME}?notice=queued`);
    expect(queued.words).toContain("The scan is queued.");
    expect(joined.words).toContain("A scan was waiting already: it serves your request too.");
    expect(followUp.words).toContain("A scan is running; one more follows on the newest commit.");
    expect(await statesOf(database.db)).toEqual(["running", "queued"]);
    expect(await readRow(database.db, id)).toMatchObject({ mode: "full", requested_by: "operator" });
  });

  test("says that many were asked for, where the latest one answers", async () => {
    const { press } = await setUp();
    for (let n = 0; n < 10; n += 1) await seedRun(database.db, { trigger: "rescan" });

    const { location, words } = await press(`${HOME}/rescan`, { mode: "incremental" });

    expect(location).toBe(`${HOME}?notice=cooldown`);
    expect(words).toContain("People started many scans of this repository within ten minutes");
    expect(await statesOf(database.db)).toEqual(Array(10).fill("succeeded"));
  });

  test.each([
    ["an archived repository", { archived: true }, 422, /archived/],
    ["a removed repository", { removed_at: new Date() }, 422, /removed/],
  ])("of %s leads to a page that says why there is none", async (_name, changes, status, sentence) => {
    const { server } = await setUp();
    await updateRepository(database.db, changes);

    const response = await server.ask(`${HOME}/rescan`, { method: "POST", headers: { accept: "text/html" } });

    expect(response.status).toBe(status);
    expect(wordsOf(await response.text())).toMatch(sentence);
    expect(await statesOf(database.db)).toEqual([]);
  });

  test("takes no other mode, and no other repository", async () => {
    const { server } = await setUp();
    const headers = { "content-type": "application/x-www-form-urlencoded" };

    const mode = await server.ask(`${HOME}/rescan`, { method: "POST", headers, body: "mode=all" });
    const repository = await server.ask("/repositories/101/rescan", { method: "POST" });

    expect(await expectProblem(mode, 400)).toMatch(/mode must be/);
    await expectProblem(repository, 404);
    expect(await statesOf(database.db)).toEqual([]);
  });
});

describe("the button to cancel", () => {
  test("ends a scan that waits, asks one that runs to end, and says what there is nothing to do about", async () => {
    const { press } = await setUp();
    const queued = await seedRun(database.db, { state: "queued" });
    const running = await seedRun(database.db, { state: "running" });

    const cancelled = await press(`/runs/${queued}/cancel`);
    const cancelling = await press(`/runs/${running}/cancel`);
    const ended = await press(`/runs/${queued}/cancel`);

    expect(cancelled.location).toBe(`/runs/${queued}?notice=cancelled`);
    expect(cancelled.words).toContain("The scan is cancelled.");
    expect(cancelling.words).toContain("The scan was asked to end; it does so within seconds.");
    expect(ended.words).toContain("The scan had ended already, so there was nothing to cancel.");
    expect(await readRow(database.db, queued)).toMatchObject({
      state: "cancelled",
      cancel_requested_by: "operator",
    });
    expect(await readRow(database.db, running)).toMatchObject({
      state: "running",
      cancel_requested_by: "operator",
    });
  });

  test("finds no other run", async () => {
    const { server } = await setUp();

    await expectProblem(await server.ask("/runs/1/cancel", { method: "POST" }), 404);
  });
});

test("a notice is one of those that there are, whatever the address says", async () => {
  const { server } = await setUp();

  for (const name of ["<b>free text</b>", "constructor", "__proto__", "toString", ""]) {
    const page = await readPage(server, `${HOME}?${new URLSearchParams({ notice: name })}`);
    expect(page).not.toContain('class="notice"');
  }
  expect(await readPage(server, `${HOME}?notice=queued`)).toContain('class="notice"');
});

test("a notice is not told again by a page that is asked for again without a script", async () => {
  const { server } = await setUp();
  await seedRun(database.db, { state: "queued" });

  const page = await readPage(server, `${HOME}?before=9&notice=queued`);

  expect(page).toContain(`<noscript><meta http-equiv="refresh" content="5;url=${HOME}?before=9"></noscript>`);
});
