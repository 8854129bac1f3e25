import { describe, expect, test } from "vitest";
import { appendEvent } from "../../src/runs/events.ts";
import { useDatabase } from "../support/database.ts";
import { seedRepository, seedUser } from "../support/seed.ts";
import { signInAccess } from "../support/sign-in.ts";
import { ESCAPED, HOSTILE, linksOf, REFRESH, readPage, titleOf, wordsOf } from "./page.ts";
import { INDEXED, seedFiles, seedRun, updateRepository } from "./seed.ts";
import { expectProblem, serve } from "./server.ts";

const database = useDatabase();

async function setUp() {
  await seedRepository(database.db);
  return await serve(database);
}

describe("the home page", () => {
  test("lists repositories, those without an index too", async () => {
    const server = await setUp();
    await updateRepository(database.db, { ...INDEXED, indexed_at: new Date(Date.now() - 3 * 3_600_000) });
    await seedRepository(database.db, { id: "101" });
    await seedRepository(database.db, { id: "102" });
    await database.db
      .updateTable("repositories")
      .set({ ...INDEXED, indexed_verified: false, archived: true, private: false })
      .where("id", "=", "102")
      .execute();

    const page = await readPage(server, "/");

    const words = wordsOf(page);
    expect(linksOf(page, /^account-1\/repository-100$/)).toEqual(["/repositories/100"]);
    expect(words).toContain("account-1/ repository-100 private ccccccc verified 3 hours ago 3");
    expect(words).toContain("account-1/ repository-101 private not yet");
    expect(words).toContain("account-1/ repository-102 archived ccccccc not verified");
    expect(page).toContain('title="2026-01-02 03:04:05 UTC"');
    expect(page).toContain('<live-region src="/api/v1/events">');
    expect(page).not.toContain(REFRESH);
    expect(titleOf(page)).toBe("Repositories");
  });

  test("shows what failed first and why, then what runs, what waits, and the others", async () => {
    const server = await setUp();
    for (const id of ["101", "102", "103"]) await seedRepository(database.db, { id });
    const failure = { state: "failed", reason: "It broke.", reason_code: "forbidden" } as const;
    await seedRun(database.db, { repository_id: "101", ...failure });
    const progress = JSON.stringify({ files_done: 412, files_total: 1_208 });
    await seedRun(database.db, { repository_id: "102", state: "running", stage: "reading files", progress });
    await seedRun(database.db, { repository_id: "102", state: "queued" });
    await seedRun(database.db, { repository_id: "103", state: "queued" });
    await seedRun(database.db, { state: "failed", reason: "Long ago.", reason_code: "x" });
    await seedRun(database.db, { state: "succeeded" });

    const page = await readPage(server, "/");

    const words = wordsOf(page);
    expect(words).toContain("4 repositories 1 failed 1 being indexed 1 waiting");
    const places = ["101", "102", "103", "100"].map((id) => words.indexOf(`repository-${id}`));
    expect(places).not.toContain(-1);
    expect(places).toEqual(places.toSorted((a, b) => a - b));
    expect(words).toMatch(/Failed account-1\/ repository-101 private Failed It broke\. What to do: Open/);
    expect(words).toMatch(
      /Being indexed account-1\/ repository-102 private Running Reading files · 412 of 1,208 files/,
    );
    expect(page).toContain('<progress value="412" max="1208"');
    expect(words).toContain("repository-103 private Waiting number 2 in line not yet");
    expect(words).not.toContain("Long ago.");
    expect(titleOf(page)).toBe("1 failed · 1 being indexed · Repositories");
    expect(page).toContain(REFRESH);
  });

  test("finds repositories by a part of their name, and says where none has it", async () => {
    const server = await setUp();
    await seedRepository(database.db, { id: "101" });

    const some = await readPage(server, "/?q=SITORY-101");
    const none = await readPage(server, "/?q=nothing%3Cb%3E");

    expect(wordsOf(some)).toContain("1 repository");
    expect(some).toContain("repository-101");
    expect(some).not.toContain("repository-100");
    expect(some).toContain('value="SITORY-101"');
    expect(wordsOf(none)).toContain("No repository has “nothing&lt;b&gt;” in its name.");
    expect(linksOf(none, /Show all/)).toEqual(["/"]);
  });

  test("leads from page to page, to each repository once", async () => {
    const server = await setUp();
    for (let id = 101; id <= 301; id += 1) await seedRepository(database.db, { id: `${id}` });

    const first = await readPage(server, "/");
    const [next = ""] = linksOf(first, /^Next page$/);
    const second = await readPage(server, next);

    const shown = [first, second].map((page) =>
      [...page.matchAll(/href="\/repositories\/(\d+)"/g)].map(([, id]) => id),
    );
    expect(shown.map(({ length }) => length)).toEqual([200, 2]);
    expect(new Set(shown.flat()).size).toBe(202);
    expect(wordsOf(first)).toContain("1–200 of 202");
    expect(wordsOf(second)).toContain("201–202 of 202");
    expect(linksOf(second, /^Previous page$/)).toEqual(["/?"]);
    expect(linksOf(second, /^Next page$/)).toEqual([]);
  });

  test("shows the last page where an address leads beyond it, as it does once repositories are gone", async () => {
    const server = await setUp();

    const beyond = await readPage(server, "/?offset=200");

    expect(linksOf(beyond, /repository-100/)).toEqual(["/repositories/100"]);
    expect(wordsOf(beyond)).not.toContain("No repository");
  });

  test("counts and shows a viewer what it may see, and no more", async () => {
    await seedRepository(database.db);
    await seedRepository(database.db, { id: "101" });
    await seedRun(database.db, { state: "failed", reason: "It broke.", reason_code: "x" });
    const server = await serve(database, { access: signInAccess(database) });
    server.token = (await seedUser(database.db, { read: ["101"] })).token;

    const words = wordsOf(await readPage(server, "/"));

    expect(words).toContain("1 repository");
    expect(words).not.toMatch(/[Ff]ailed|repository-100/);
  });
});

describe("the first page of all", () => {
  test("says what comes next while there is no repository, and shows the first by itself", async () => {
    const server = await serve(database);

    const page = await readPage(server, "/");

    expect(wordsOf(page)).toContain("No repository yet");
    expect(wordsOf(page)).toContain("The first scan appears here by itself");
    expect(page).toContain('<live-region src="/api/v1/events">');
    expect(page).toContain(REFRESH);
    await seedRepository(database.db);
    expect(wordsOf(await readPage(server, "/"))).toContain("1 repository");
  });

  test("tells who may see nothing the same whether there is something or not", async () => {
    const server = await serve(database, { access: signInAccess(database) });
    server.token = (await seedUser(database.db)).token;

    const before = await readPage(server, "/");
    await seedRepository(database.db);

    expect(wordsOf(before)).toContain("No repository here is yours to read on GitHub");
    expect(await readPage(server, "/")).toBe(before);
  });
});

describe("pages in Korean", () => {
  const ASKS = ["ko", "ko-KR", "ko-KR,ko;q=0.9,en-US;q=0.8", "fr, ko;q=0.5", "en;q=0.3, KO;q=0.4"];

  test.each(ASKS)("are for who prefers it: %s", async (language) => {
    const server = await setUp();

    const page = await readPage(server, "/", { language });

    expect(page).toContain('<html lang="ko">');
    expect(wordsOf(page)).toContain("저장소 1개");
    expect(titleOf(page)).toBe("저장소");
  });

  test.each(["en", "en-GB,ko;q=0.9", "fr", "*", "ko;q=0", "kok", "ko;q=0.1, en"])(
    "are not for who prefers another: %s",
    async (language) => {
      const server = await setUp();

      const page = await readPage(server, "/", { language });

      expect(page).toContain('<html lang="en">');
      expect(wordsOf(page)).not.toMatch(/\p{Script=Hangul}/u);
    },
  );

  test("mark as English what the database holds", async () => {
    const server = await setUp();
    await updateRepository(database.db, INDEXED);
    await seedFiles(database.db, [{ path: "a", state: "unreadable", reason: "English words." }]);
    const run = await seedRun(database.db, { state: "failed", reason: "English words.", reason_code: "x" });
    await appendEvent(database.db, run, { kind: "run.started", message: "English words." });

    for (const path of ["/", "/repositories/100", "/repositories/100/problems", `/runs/${run}`]) {
      const page = await readPage(server, path, { language: "ko" });
      expect(page.split("English words.").length, path).toBeGreaterThan(1);
      expect(page.split('<span lang="en">English words.</span>').length, path).toBe(
        page.split("English words.").length,
      );
    }
    expect(await readPage(server, "/")).not.toContain('<span lang="en">');
  });
});

test("hostile names are shown as text on every page, never as markup", async () => {
  const server = await setUp();
  await updateRepository(database.db, { ...INDEXED, owner: HOSTILE, name: HOSTILE, default_branch: HOSTILE });
  await updateRepository(database.db, {
    settings_faults: JSON.stringify([{ line: 1, column: 1, message: HOSTILE }]),
  });
  await seedFiles(database.db, [
    { path: `${HOSTILE}1`, state: "unreadable", reason: HOSTILE, language: HOSTILE },
    { path: `${HOSTILE}2`, state: "encoding", reason: HOSTILE },
  ]);
  await database.db
    .insertInto("deliveries")
    .values([
      {
        guid: `${HOSTILE}1`,
        event: HOSTILE,
        action: HOSTILE,
        state: "failed",
        error: HOSTILE,
        repository_id: "100",
      },
      { guid: `${HOSTILE}2`, event: HOSTILE, state: "handled", outcome: HOSTILE },
    ])
    .execute();
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
    await appendEvent(database.db, id, { kind: "run.progress", message: HOSTILE, data: { stage: HOSTILE } });
  }
  const repository = "/repositories/100";
  const query = new URLSearchParams({ q: `lang:"${HOSTILE.replaceAll('"', '\\"')}"` });
  const given = encodeURIComponent(HOSTILE);
  const paths = [
    "/",
    repository,
    `${repository}?notice=${given}`,
    `${repository}/files`,
    `${repository}/files?language=${given}&path=${given}`,
    `${repository}/problems`,
    "/deliveries",
    ...runs.map((id) => `/runs/${id}`),
  ];

  for (const language of ["en", "ko"]) {
    for (const path of paths) {
      const page = await readPage(server, path, { language });
      expect(page.split(ESCAPED).length, path).toBeGreaterThan(2);
      expect(page, path).not.toContain("</title></code>");
    }
    await readPage(server, `/search?${query}`, { status: 400, language });
    await readPage(server, `/?q=${given}`, { language });
  }
});

describe("an error", () => {
  test("is a page to a browser, in its language, with a way back", async () => {
    const server = await setUp();

    const nowhere = await readPage(server, "/nowhere", { status: 404 });
    const korean = await readPage(server, "/nowhere", { status: 404, language: "ko" });

    expect(wordsOf(nowhere)).toContain("Not found There is no such address");
    expect(linksOf(nowhere, /To the repositories/)).toEqual(["/"]);
    expect(wordsOf(korean)).toContain("찾을 수 없음 There is no such address");
    expect(korean).toContain('<span lang="en">There is no such address');
    const at = async (path: string, status: number) => wordsOf(await readPage(server, path, { status }));
    expect(await at("/repositories/101", 404)).toContain("There is no such repository");
    expect(await at("/repositories/101/files", 404)).toContain("There is no such repository");
    expect(await at("/repositories/101/problems", 404)).toContain("There is no such repository");
    expect(await at("/runs/1", 404)).toContain("There is no such run");
    expect(await at("/runs/x", 400)).toContain("id must be a number.");
    expect(await at("/?offset=-1", 400)).toContain("offset must be a whole number");
    expect(await at(`/${encodeURIComponent(HOSTILE)}`, 404)).not.toContain("alert(1)");
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
      405,
    );
  });
});

describe("static files", () => {
  test("have an address for each content, which browsers keep for a year; any other is theirs for minutes", async () => {
    const server = await setUp();
    const page = await readPage(server, "/");
    const addresses = [...page.matchAll(/(?:href|src)="(\/static\/[^"]+)"/g)].map(
      ([, address = ""]) => address,
    );

    expect(addresses.map((address) => address.split("?")[0]).sort()).toEqual([
      "/static/icon.svg",
      "/static/live.js",
      "/static/style.css",
    ]);
    for (const address of addresses) {
      const kept = await fetch(server.url + address);
      const stale = await fetch(`${server.url}${address.split("?")[0]}?v=another`);
      expect([kept.status, stale.status]).toEqual([200, 200]);
      expect(kept.headers.get("cache-control")).toBe("public, max-age=31536000, immutable");
      expect(stale.headers.get("cache-control")).toBe("max-age=300");
    }
  });

  test("and a page of a long list are at most 60 KB together, as they are sent", async () => {
    const server = await setUp();
    for (let id = 101; id <= 299; id += 1) await seedRepository(database.db, { id: `${id}` });
    for (let id = 101; id <= 140; id += 1)
      await seedRun(database.db, {
        repository_id: `${id}`,
        state: "failed",
        reason: "It broke.",
        reason_code: "x",
      });
    const paths = ["/", ...(await readPage(server, "/")).matchAll(/(?:href|src)="(\/static\/[^"]+)"/g)].map(
      (match) => (typeof match === "string" ? match : (match[1] ?? "")),
    );

    let sent = 0;
    for (const path of paths) {
      const response = await server.ask(path, {
        headers: { accept: "text/html", "accept-encoding": "gzip" },
      });
      expect(response.headers.get("content-encoding"), path).toBe("gzip");
      const body = new Blob([await response.arrayBuffer()])
        .stream()
        .pipeThrough(new CompressionStream("gzip"));
      sent += (await new Response(body).arrayBuffer()).byteLength;
    }

    expect(sent).toBeLessThan(60_000);
  });
});
