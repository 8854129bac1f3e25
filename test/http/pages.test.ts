import { describe, expect, test } from "vitest";
import { appendEvent } from "../../src/runs/events.ts";
import { useDatabase } from "../support/database.ts";
import { SHA, seedRepository, seedUser } from "../support/seed.ts";
import { signInAccess } from "../support/sign-in.ts";
import { INDEXED, seedFiles, seedRun, updateRepository } from "./seed.ts";
import { expectProblem, type HttpServer, serve } from "./server.ts";

const database = useDatabase();
const REFRESH = '<meta http-equiv="refresh"';
/** Ends an attribute, an element, a title; then would run. */
const HOSTILE = `"'></title></code><script>alert(1)</script><img src=x onerror=alert(1)>&amp;`;
const ESCAPED = "&lt;script&gt;alert(1)&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;&amp;amp;";

async function setUp() {
  await seedRepository(database.db);
  return await serve(database);
}

/** A page's HTML; also that nothing in it could run or be loaded from elsewhere. */
async function readPage(server: HttpServer, path: string, status = 200): Promise<string> {
  const response = await server.ask(path, { headers: { accept: "text/html,*/*;q=0.8" } });
  const page = await response.text();
  expect(response.status, page).toBe(status);
  expect(response.headers.get("content-type")).toMatch(/^text\/html; charset=utf-8$/i);
  expect(response.headers.get("content-security-policy")).toBe(
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
  );
  expect(response.headers.get("x-content-type-options")).toBe("nosniff");
  expect(response.headers.get("cache-control")).toBe("no-store");
  expect(page).toMatch(/^<!doctype html>/);
  expect(page).not.toMatch(
    /<script|<img|<iframe|<form(?! class="search" action="\/search" role)| on\w+="| style="|(src|href)="(?!\/)/i,
  );
  expect(page).not.toMatch(/undefined|\[object|NaN|>null</);
  return page;
}

/** A page's words, without its tags. */
function wordsOf(page: string): string {
  return page
    .replace(/<[^>]*>/g, " ")
    .replace(/\s+/g, " ")
    .trim();
}

describe("a run's page", () => {
  const at = (minute: number) => new Date(Date.UTC(2026, 0, 2, 3, minute, 5));
  const cases: [string, Parameters<typeof seedRun>[1], { says: RegExp[]; live: boolean }][] = [
    ["queued", { state: "queued" }, { says: [/queued/, /Number 1 in line\./], live: true }],
    [
      "queued and waiting",
      {
        state: "queued",
        not_before: new Date("2126-01-02T12:40:00Z"),
        wait_reason: "GitHub's rate limit is spent.",
      },
      { says: [/Waiting until 2126-01-02 12:40:00 UTC : GitHub&#39;s rate limit is spent\./], live: true },
    ],
    [
      "running",
      {
        state: "running",
        stage: "fetching",
        progress: JSON.stringify({ files_total: 1208, files_done: 412 }),
        requested_by: "octocat",
        trigger: "rescan",
      },
      { says: [/Now: fetching\./, /412 of 1,208 files/, /octocat \(rescan\)/], live: true },
    ],
    ["running, before it has told a stage", { state: "running" }, { says: [/Now: starting\./], live: true }],
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
          /1 file listed; tree b{40} verified: the index is this commit, whole\./,
          /Started 2026-01-02 03:01:05 UTC Ended 2026-01-02 03:02:05 UTC/,
          /Changed 1 file Removed 2 files Not indexed by design 3 files Chunks 4,000/,
        ],
        live: false,
      },
    ],
    [
      "succeeded, some files failed",
      {
        verified: true,
        tree_sha: SHA("b"),
        progress: JSON.stringify({ files_total: 1208, files_failed: 12 }),
      },
      { says: [/1,208 files listed/, /12 files could not be read\./], live: false },
    ],
    [
      "succeeded, unverified",
      { verified: false },
      { says: [/does not hash to the commit.*s tree/], live: false },
    ],
    [
      "succeeded with no commits",
      { verified: null },
      { says: [/no commits: nothing to index/], live: false },
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
      { says: [/GitHub refused to list the files\. forbidden/, /2, 1 failure of at most 5/], live: false },
    ],
    ["cancelled", { state: "cancelled" }, { says: [/Cancelled ?\./], live: false }],
    [
      "cancelled by somebody",
      { state: "cancelled", cancel_requested_by: "octocat" },
      { says: [/Cancelled by octocat\./], live: false },
    ],
  ];

  test.each(cases)(
    "that is %s says so, and asks again only while it lives",
    async (_state, run, { says, live }) => {
      const server = await setUp();
      const id = await seedRun(database.db, run);

      const page = await readPage(server, `/runs/${id}`);

      expect(page).toContain(`<title>Run ${id} of account-1/repository-100 · Repodex</title>`);
      expect(page).toContain('<a href="/repositories/100">account-1/repository-100</a>');
      for (const sentence of says) expect(wordsOf(page)).toMatch(sentence);
      expect(page.includes(REFRESH)).toBe(live);
    },
  );

  test("that was replaced leads to the run that replaced it", async () => {
    const server = await setUp();
    const successor = await seedRun(database.db);
    const id = await seedRun(database.db, { state: "superseded", superseded_by: successor });

    const page = await readPage(server, `/runs/${id}`);

    expect(page).toContain(`Replaced by <a href="/runs/${successor}">run ${successor}</a>`);
    expect(page).not.toContain(REFRESH);
  });

  test("shows the newest of a long log, with what lay beneath its errors", async () => {
    const server = await setUp();
    await updateRepository(database.db, INDEXED);
    const id = await seedRun(database.db);
    for (let i = 1; i <= 205; i += 1) {
      await appendEvent(database.db, id, { kind: "run.progress", message: `Event no. ${i};` });
    }
    const error = { code: "flaky", message: "Again.", cause: "GitHub hung up." };
    await appendEvent(database.db, id, { kind: "run.retrying", level: "warn", message: "Again.", error });
    const data = { files_done: 412, files_total: 1208 };
    await appendEvent(database.db, id, { kind: "run.progress", message: "Reading files", data });

    const words = wordsOf(await readPage(server, `/runs/${id}`));

    expect(words).not.toContain("Event no. 7;");
    expect(words).toContain("Event no. 8;");
    expect(words).toContain("Again. flaky: GitHub hung up.");
    expect(words).toContain("Reading files (412 of 1,208)");
    expect(words).toContain(`Search answers from ${INDEXED.indexed_commit.slice(0, 7)}`);
  });
});

describe("a repository's page", () => {
  test("says what is indexed, what is not readable, and what ran", async () => {
    const server = await setUp();
    await updateRepository(database.db, { ...INDEXED, archived: true });
    await seedFiles(database.db, [
      { path: "fine.ts" },
      { path: "lost.bin", state: "unreadable", reason: "GitHub did not deliver it." },
      { path: "old.txt", state: "encoding", reason: "Its encoding is unknown." },
      { path: "logo.png", state: "binary", reason: "It is binary." },
    ]);
    const failed = await seedRun(database.db, {
      state: "failed",
      reason: "It broke.",
      reason_code: "broken",
    });

    const page = await readPage(server, "/repositories/100");

    const words = wordsOf(page);
    expect(words).toContain("account-1/repository-100 archived");
    expect(words).toMatch(/Indexed at c{7} of main on 2026-01-02 03:04:05 UTC ; tree d{40} verified\./);
    expect(words).toMatch(/3 indexed files ?, 4 chunks, 5\.0 GB\./);
    expect(words).toContain("lost.bin GitHub did not deliver it. old.txt Its encoding is unknown.");
    expect(words).not.toContain("logo.png");
    expect(page).toContain(`<a href="/runs/${failed}">${failed}</a>`);
    expect(words).toContain("It broke.");
    expect(page).not.toContain(REFRESH);
  });

  test("with no index and no run says so, and asks again while one runs", async () => {
    const server = await setUp();

    const empty = await readPage(server, "/repositories/100");
    await seedRun(database.db, { state: "running" });
    const running = await readPage(server, "/repositories/100");

    expect(wordsOf(empty)).toMatch(
      /Nothing is indexed yet\. Configuration: the defaults\. Runs No run yet\.$/,
    );
    expect(empty).not.toContain(REFRESH);
    expect(running).toContain(REFRESH);
  });

  test("does not claim an index verified that is not", async () => {
    const server = await setUp();
    await updateRepository(database.db, { ...INDEXED, indexed_verified: false });

    const words = wordsOf(await readPage(server, "/repositories/100"));

    expect(words).toContain("its file list could not be verified.");
    expect(words).not.toMatch(/tree \w+ verified/);
  });
});

describe("the home page", () => {
  test("lists repositories, those without an index too", async () => {
    const server = await setUp();
    await updateRepository(database.db, INDEXED);
    await seedRepository(database.db, { id: "101" });

    const page = await readPage(server, "/");

    expect(page).toContain('<a href="/repositories/100">account-1/repository-100</a>');
    expect(wordsOf(page)).toContain(
      "account-1/repository-100 ccccccc 2026-01-02 03:04:05 UTC 3 account-1/repository-101 not yet",
    );
    expect(page).not.toContain("the whole list");
  });

  test("says what to do where there is none, and that there are more than it shows", async () => {
    const server = await serve(database);
    const none = await readPage(server, "/");
    for (let id = 1; id <= 201; id += 1) await seedRepository(database.db, { id: `${id}` });

    const many = await readPage(server, "/");

    expect(wordsOf(none)).toContain("None yet. Install the GitHub App");
    expect(many.match(/href="\/repositories\/\d+"/g)).toHaveLength(200);
    expect(many).not.toContain('href="/repositories/99"'); // the last by name
    expect(wordsOf(many)).toContain("201 repositories");
    expect(wordsOf(many)).toContain("1 more repository: see the whole list");
  });

  test("shows what failed first and why, then what runs, what waits, and the others", async () => {
    const server = await setUp();
    for (const id of ["101", "102", "103"]) await seedRepository(database.db, { id });
    await seedRun(database.db, {
      repository_id: "101",
      state: "failed",
      reason: "It broke.",
      reason_code: "x",
    });
    const progress = JSON.stringify({ files_done: 412, files_total: 1_208 });
    await seedRun(database.db, { repository_id: "102", state: "running", stage: "reading files", progress });
    await seedRun(database.db, { repository_id: "103", state: "queued" });
    await seedRun(database.db, { state: "failed", reason: "Long ago.", reason_code: "x" });
    await seedRun(database.db, { state: "succeeded" });

    const words = wordsOf(await readPage(server, "/"));

    expect(words).toContain("4 repositories · 1 failed · 1 being indexed · 1 waiting");
    const [failed, running, queued, good] = ["101", "102", "103", "100"].map((id) =>
      words.indexOf(`repository-${id}`),
    );
    expect([failed, running, queued, good]).toEqual(
      [failed, running, queued, good].toSorted((a, b) => (a ?? 0) - (b ?? 0)),
    );
    expect(words).toContain("repository-101 failed It broke. not yet");
    expect(words).toContain("repository-102 running reading files: 412 of 1,208 files not yet");
    expect(words).toContain("repository-103 queued number 1 in line not yet");
    expect(words).not.toContain("Long ago.");
  });

  test("counts and shows a viewer what it may see, and no more", async () => {
    await seedRepository(database.db);
    await seedRepository(database.db, { id: "101" });
    await seedRun(database.db, { state: "failed", reason: "It broke.", reason_code: "x" });
    const server = await serve(database, { access: signInAccess(database) });
    server.token = (await seedUser(database.db, { read: ["101"] })).token;

    const words = wordsOf(await readPage(server, "/"));

    expect(words).toContain("1 repository");
    expect(words).not.toMatch(/failed|repository-100/);
  });
});

test("hostile names are shown as text on every page, never as markup", async () => {
  const server = await setUp();
  await updateRepository(database.db, { ...INDEXED, owner: HOSTILE, name: HOSTILE, default_branch: HOSTILE });
  await seedFiles(database.db, [
    { path: `${HOSTILE}1`, state: "unreadable", reason: HOSTILE },
    { path: `${HOSTILE}2`, state: "encoding", reason: HOSTILE },
  ]);
  const texts = { requested_by: HOSTILE, head_sha: HOSTILE, tree_sha: HOSTILE, stage: HOSTILE };
  const runs = [
    await seedRun(database.db, { ...texts, state: "failed", reason: HOSTILE, reason_code: HOSTILE }),
    await seedRun(database.db, { ...texts, state: "queued", wait_reason: HOSTILE }),
    await seedRun(database.db, { ...texts, state: "running" }),
    await seedRun(database.db, { ...texts, state: "cancelled", cancel_requested_by: HOSTILE }),
    await seedRun(database.db, { ...texts, verified: true }),
  ];
  for (const id of runs) {
    const error = { code: HOSTILE, message: HOSTILE, cause: HOSTILE };
    await appendEvent(database.db, id, { kind: HOSTILE, message: HOSTILE, error });
  }

  for (const path of ["/", "/repositories/100", ...runs.map((id) => `/runs/${id}`)]) {
    const page = await readPage(server, path);
    expect(page.split(ESCAPED).length, path).toBeGreaterThan(2);
    expect(page, path).not.toContain("</title></code>");
  }
});

describe("an error", () => {
  test("is a page to a browser", async () => {
    const server = await setUp();

    expect(wordsOf(await readPage(server, "/nowhere", 404))).toContain("Not found There is no such address");
    expect(wordsOf(await readPage(server, "/repositories/101", 404))).toContain(
      "There is no such repository",
    );
    expect(wordsOf(await readPage(server, "/runs/1", 404))).toContain("There is no such run");
    expect(wordsOf(await readPage(server, "/runs/x", 400))).toContain("id must be a number.");
    expect(await readPage(server, `/${encodeURIComponent(HOSTILE)}`, 404)).not.toContain("alert(1)");
  });

  test("is a problem to a program, and under /api/ to everyone", async () => {
    const server = await setUp();
    const accept = "text/html";

    await expectProblem(await server.ask("/nowhere"), 404);
    await expectProblem(await server.ask("/runs/1", { headers: { accept: "application/json" } }), 404);
    await expectProblem(await server.ask("/api/v1/nowhere", { headers: { accept } }), 404);
    await expectProblem(await server.ask("/api/v1/runs/1", { headers: { accept } }), 404);
    await expectProblem(
      await server.ask("/api/v1/repositories", { method: "DELETE", headers: { accept } }),
      404,
    );
  });
});
