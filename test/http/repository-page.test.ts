import { describe, expect, test } from "vitest";
import { useDatabase } from "../support/database.ts";
import { SHA, seedRepository } from "../support/seed.ts";
import { buttonsOf, linksOf, REFRESH, readPage, titleOf, wordsOf } from "./page.ts";
import { INDEXED, rawName, seedFiles, seedRun, updateRepository } from "./seed.ts";
import { serve } from "./server.ts";

const database = useDatabase();
const HOME = "/repositories/100";

async function setUp() {
  await seedRepository(database.db);
  return await serve(database);
}

describe("a repository's page", () => {
  test("says what is indexed at which commit, and that it is this commit, whole", async () => {
    const server = await setUp();
    await updateRepository(database.db, INDEXED);
    await seedRun(database.db, { verified: true });

    const page = await readPage(server, HOME);

    const words = wordsOf(page);
    expect(words).toContain("account-1/ repository-100 private On GitHub");
    expect(linksOf(page, /^On GitHub$/)).toEqual(["https://github.com/account-1/repository-100"]);
    expect(words).toMatch(/Up to date Last scan: now\./);
    expect(words).toContain("Searchable commit ccccccc verified Branch main Indexed");
    expect(words).toContain("Files 3 Size 5.0 GB Configuration defaults");
    expect(page).toContain(`title="${INDEXED.indexed_commit}"`);
    expect(page).toContain('name="q" value="repo:account-1/repository-100 "');
    expect(page).toContain('<live-region src="/api/v1/repositories/100/events">');
    expect(page).not.toContain(REFRESH);
    expect(titleOf(page)).toBe("account-1/repository-100");
  });

  test("does not claim an index verified that is not", async () => {
    const server = await setUp();
    await updateRepository(database.db, { ...INDEXED, indexed_verified: false });
    await seedRun(database.db, { verified: false });

    const page = await readPage(server, HOME);

    expect(wordsOf(page)).toContain("does not hash to the commit’s tree");
    expect(wordsOf(page)).toContain("ccccccc not verified");
    expect(wordsOf(page)).not.toContain("ccccccc verified");
  });

  test("with no index and no run says so, and what begins one", async () => {
    const server = await setUp();

    const words = wordsOf(await readPage(server, HOME));

    expect(words).toContain(
      "Nothing is indexed yet A push to the default branch, or a rescan, begins the first scan.",
    );
    expect(words).toContain("Searchable commit none yet");
    expect(words).toContain("No scan yet.");
  });

  test("shows how far a scan is, who asked, and what follows", async () => {
    const server = await setUp();
    await updateRepository(database.db, INDEXED);
    await seedRun(database.db, {
      state: "running",
      stage: "reading files",
      requested_by: "octocat",
      started_at: new Date(Date.now() - 65_000),
      progress: JSON.stringify({ files_total: 1_208, files_done: 412 }),
    });
    await seedRun(database.db, { state: "queued" });

    const page = await readPage(server, HOME);

    expect(wordsOf(page)).toMatch(
      /Reading files 412 of 1,208 files 1:0\d Asked for by octocat\. One more scan follows/,
    );
    expect(wordsOf(page)).toContain("Search answers from ccccccc meanwhile.");
    expect(page).toContain('<progress value="412" max="1208"');
    expect(titleOf(page)).toBe("34% Running · account-1/repository-100");
    expect(page).toContain(REFRESH);
  });

  test("says for what a scan waits, and until when", async () => {
    const server = await setUp();
    const not_before = new Date(Date.now() + 3_630_000);
    await seedRun(database.db, {
      state: "queued",
      not_before,
      wait_reason: "The limit is spent.",
      failures: 1,
    });

    const page = await readPage(server, HOME);

    expect(wordsOf(page)).toContain("Waiting, tries again in 1 hour");
    expect(wordsOf(page)).toContain("The limit is spent. Attempt 2 of 5 follows.");
    expect(page).toContain(`datetime="${not_before.toISOString()}"`);
  });

  test("counts the seconds until something comes, but not those since it was", async () => {
    const server = await setUp();
    const [not_before, queued_at] = [new Date(Date.now() + 50_000), new Date(Date.now() - 50_000)];
    await seedRun(database.db, { state: "queued", not_before, queued_at, wait_reason: "Soon." });

    const words = wordsOf(await readPage(server, HOME));

    expect(words).toMatch(/tries again in (4\d|50) seconds/);
    expect(words).toMatch(/#1 Soon\. push now/);
  });

  test("says why the last scan failed, what to do, and from what search still answers", async () => {
    const server = await setUp();
    await updateRepository(database.db, INDEXED);
    const id = await seedRun(database.db, { state: "failed", reason: "No.", reason_code: "forbidden" });

    const page = await readPage(server, HOME);

    expect(wordsOf(page)).toContain(
      "The last scan failed No. forbidden What to do: Open the installation’s settings",
    );
    expect(wordsOf(page)).toContain("Search still answers from ccccccc.");
    expect(linksOf(page, /where it failed/)).toEqual([`/runs/${id}#failure`]);
  });

  test("names what of the configuration is in force, and that a newer one is not", async () => {
    const server = await setUp();
    const settings = { branch: "next", include: [], exclude: ["dist/**"] };
    await updateRepository(database.db, {
      ...INDEXED,
      settings: JSON.stringify(settings),
      settings_faults: JSON.stringify([{ line: 3, column: 5, message: "Not a number." }]),
    });

    const page = await readPage(server, HOME);

    expect(wordsOf(page)).toContain("Branch next");
    expect(wordsOf(page)).toContain(
      "Configuration branch: next; exclude: dist/** 1 mistake in .github/repodex.yml",
    );
    expect(linksOf(page, /1 mistake/)).toEqual([`${HOME}/problems`]);
    expect(wordsOf(await readPage(server, `${HOME}/problems`))).toContain("3:5 Not a number.");
  });
});

describe("the buttons", () => {
  test("ask for a scan, and cancel the one that runs before the one that waits", async () => {
    const server = await setUp();

    const resting = buttonsOf(await readPage(server, HOME));
    const queued = await seedRun(database.db, { state: "queued" });
    const waiting = buttonsOf(await readPage(server, HOME));
    const id = await seedRun(database.db, { state: "running" });
    const running = buttonsOf(await readPage(server, HOME));

    expect(resting).toEqual({
      Rescan: { action: `${HOME}/rescan`, mode: "incremental" },
      "Full rescan": { action: `${HOME}/rescan`, mode: "full" },
      Cancel: null,
    });
    expect(waiting.Cancel).toEqual({ action: `/runs/${queued}/cancel` });
    expect(running.Cancel).toEqual({ action: `/runs/${id}/cancel` });
  });

  test("that cannot be used say why", async () => {
    const server = await setUp();

    expect(wordsOf(await readPage(server, HOME))).toContain("Nothing to cancel: no scan runs or waits.");
    await updateRepository(database.db, { archived: true });
    const archived = await readPage(server, HOME);

    expect(buttonsOf(archived)).toEqual({ Rescan: null, "Full rescan": null, Cancel: null });
    expect(wordsOf(archived)).toContain("Archived on GitHub, so it cannot change");
  });
});

describe("the tab of runs", () => {
  test("lists them with their reasons, and leads from page to page", async () => {
    const server = await setUp();
    const ids: string[] = [];
    for (let i = 0; i < 35; i += 1)
      ids.push(await seedRun(database.db, { progress: JSON.stringify({ files_total: 1000 + i }) }));
    const failed = await seedRun(database.db, {
      state: "failed",
      reason: "It broke.",
      reason_code: "broken",
      head_sha: SHA("a"),
      trigger: "rescan",
      requested_by: "octocat",
      mode: "full",
      started_at: new Date("2026-01-02T03:04:05Z"),
      finished_at: new Date("2026-01-02T03:06:07Z"),
    });

    const first = await readPage(server, HOME);
    const [older = ""] = linksOf(first, /^Older$/);
    const second = await readPage(server, older);

    const shown = [first, second].map((page) =>
      [...page.matchAll(/class="run" href="\/runs\/(\d+)"/g)].map(([, id]) => id),
    );
    expect(shown.flat()).toEqual([failed, ...ids.toReversed()]);
    expect(shown[0]).toHaveLength(30);
    expect(wordsOf(first)).toContain("It broke. aaaaaaa rescan by octocat (every file)");
    expect(wordsOf(first)).toContain("2:02");
    expect(linksOf(second, /^Older$/)).toEqual([]);
    expect(linksOf(second, /^Newest$/)).toEqual([HOME]);
    await readPage(server, `${HOME}?before=x`, { status: 400 });
  });
});

describe("the tab of files", () => {
  test("lists them with what they are, and can be narrowed", async () => {
    const server = await setUp();
    await updateRepository(database.db, INDEXED);
    await seedFiles(database.db, [
      { path: "src/a.ts", language: "TypeScript", size: 1_500 },
      { path: "src/b.c", language: "C", generated: true },
      { path: "logo.png", state: "binary", reason: "It is binary." },
      rawName(Buffer.from([0x66, 0xff])),
    ]);
    const names = async (query: string) => {
      const page = await readPage(server, `${HOME}/files${query}`);
      return [...page.matchAll(/<td class="path">\s*<a href="[^"]*">\s*<bdi>([^<]*)<\/bdi>/g)].map(
        ([, name]) => name,
      );
    };

    const page = await readPage(server, `${HOME}/files`);

    expect(await names("")).toEqual(["f\ufffd", "logo.png", "src/a.ts", "src/b.c"]);
    expect(await names("?language=C&path=&state=")).toEqual(["src/b.c"]);
    expect(await names("?state=binary")).toEqual(["logo.png"]);
    expect(await names(`?path=${encodeURIComponent("src/*")}`)).toEqual(["src/a.ts", "src/b.c"]);
    expect(wordsOf(page)).toContain("src/a.ts TypeScript indexed 1.5 KB");
    expect(wordsOf(page)).toContain("src/b.c C indexed generated");
    expect(linksOf(page, /a\.ts$/)).toEqual([`${HOME}/file?path=src%2Fa.ts`]);
    expect(linksOf(page, /^f/)).toEqual([`${HOME}/file?path_base64=Zv8%3D`]);
    expect(await readPage(server, `${HOME}/files?language=C`)).toContain('<option value="C" selected>');
    await readPage(server, `${HOME}/files?state=nonsense`, { status: 400 });
    await readPage(server, `${HOME}/files?cursor=nonsense`, { status: 400 });
  });

  test("leads from page to page within what it is narrowed to", async () => {
    const server = await setUp();
    await updateRepository(database.db, INDEXED);
    await seedFiles(
      database.db,
      Array.from({ length: 450 }, (_, i) => ({ path: `${i}.txt`, language: i % 2 ? "Text" : "C" })),
    );

    const shown: string[] = [];
    let address: string | undefined = `${HOME}/files?language=Text`;
    for (let pages = 0; address !== undefined && pages < 5; pages += 1) {
      const page: string = await readPage(server, address);
      shown.push(...linksOf(page, /^\d+\.txt$/));
      address = linksOf(page, /^Next page$/)[0];
    }

    expect(shown).toHaveLength(225);
    expect(new Set(shown).size).toBe(225);
  });

  test("says so where there is nothing, and how to see all", async () => {
    const server = await setUp();

    const none = wordsOf(await readPage(server, `${HOME}/files`));
    const narrow = await readPage(server, `${HOME}/files?language=Brainfuck`);

    expect(none).toContain("No file is indexed yet.");
    expect(wordsOf(narrow)).toContain("No file is like this.");
    expect(linksOf(narrow, /Show all files/)).toEqual([`${HOME}/files`]);
    expect(narrow).toContain('<option value="Brainfuck" selected>');
  });
});

describe("the tab of problems", () => {
  test("groups what is not indexed by why, with what to do, the weightiest first", async () => {
    const server = await setUp();
    await updateRepository(database.db, INDEXED);
    await seedFiles(database.db, [
      { path: "fine.ts" },
      { path: "old.txt", state: "encoding", reason: "Its encoding is unknown." },
      { path: "lost.bin", state: "unreadable", reason: "GitHub did not deliver it." },
      ...Array.from({ length: 12 }, (_, i) => ({ path: `logo-${10 + i}.png`, state: "binary" as const })),
    ]);

    const page = await readPage(server, `${HOME}/problems`);

    const words = wordsOf(page);
    expect(words).toMatch(
      /Needs a look Not readable 1 GitHub did not deliver these files\. A full rescan tries again\./,
    );
    expect(words).toContain(
      "lost.bin GitHub did not deliver it. Unknown encoding 1 Save these files as UTF-8",
    );
    expect(words).toMatch(/Left out by design Binary 12 /);
    expect(linksOf(page, /^logo-\d+\.png$/)).toHaveLength(10);
    expect(linksOf(page, /^All 12 files$/)).toEqual([`${HOME}/files?state=binary`]);
    expect(words).not.toContain("fine.ts");
    expect(words).toContain("Problems 2");
  });

  test("says so where there are none", async () => {
    const server = await setUp();

    expect(wordsOf(await readPage(server, `${HOME}/problems`))).toContain("No file is indexed yet.");
    await updateRepository(database.db, INDEXED);
    expect(wordsOf(await readPage(server, `${HOME}/problems`))).toContain("No problems Every file");
  });

  test("are named as the current one", async () => {
    const server = await setUp();

    for (const [tab, name] of [
      ["", "Runs"],
      ["/files", "Files"],
      ["/problems", "Problems"],
    ] as const) {
      const page = await readPage(server, `${HOME}${tab}`);
      expect(
        page.match(/<a [^>]*aria-current="page"[^>]*>(\w+)/g)?.map((link) => link.replace(/.*>/, "")),
      ).toEqual([name]);
    }
  });
});
