import { describe, expect, test } from "vitest";
import { DEFAULT_SETTINGS } from "../../src/scan/settings.ts";
import { useDatabase } from "../support/database.ts";
import { seedRepository } from "../support/seed.ts";
import { INDEXED, seedRun, updateRepository } from "./seed.ts";
import { cursorOf, expectProblem, type Page, serve } from "./server.ts";

const database = useDatabase();
/** Beyond 2^53: a number in JSON would lose its last digits. */
const HUGE_ID = "9007199254740993";

interface RepositoryJson {
  id: string;
  full_name: string;
  running: { id: string } | null;
  queued: { id: string } | null;
}

async function setUp(ids: string[] = ["100"]) {
  for (const id of ids) await seedRepository(database.db, { id });
  return await serve(database);
}

describe("a repository", () => {
  test("is shown with its index and with what runs and waits, under GitHub's id", async () => {
    const server = await setUp(["100", HUGE_ID]);
    await updateRepository(database.db, INDEXED);
    const running = await seedRun(database.db, { state: "running" });
    const queued = await seedRun(database.db, { state: "queued" });

    const repository = await server.get<RepositoryJson>("/api/v1/repositories/100");
    const bare = await server.get(`/api/v1/repositories/${HUGE_ID}`);

    expect(repository).toEqual({
      id: "100",
      installation_id: "1",
      owner: "account-1",
      name: "repository-100",
      full_name: "account-1/repository-100",
      private: true,
      archived: false,
      default_branch: "main",
      indexed: {
        commit: INDEXED.indexed_commit,
        tree_sha: INDEXED.indexed_tree_sha,
        verified: true,
        at: "2026-01-02T03:04:05.678Z",
        files: 3,
        chunks: 4,
        bytes: 5_000_000_000,
      },
      configuration: { ...DEFAULT_SETTINGS, faults: [] },
      running: expect.objectContaining({ id: running, state: "running", position: null }),
      queued: expect.objectContaining({ id: queued, state: "queued", position: 1 }),
    });
    expect(bare).toMatchObject({ id: HUGE_ID, indexed: null, running: null, queued: null });
  });

  test("that is unknown or was removed is a 404, and so is everything of it", async () => {
    const server = await setUp();
    const run = await seedRun(database.db);
    await updateRepository(database.db, { removed_at: new Date() });
    const below = ["", "/files", "/files/content?path=a", "/rescan/status", "/runs"];
    const ofRun = ["", "/log", "/events"].map((rest) => `/api/v1/runs/${run}${rest}`);
    const paths = ["100", "101", "0", "9223372036854775807"]
      .flatMap((id) => below.map((rest) => `/api/v1/repositories/${id}${rest}`))
      .concat(ofRun);

    const details = await Promise.all(paths.map(async (path) => expectProblem(await server.ask(path), 404)));
    const cancel = await server.ask(`/api/v1/runs/${run}/cancel`, { method: "POST" });

    expect(new Set(details)).toEqual(
      new Set([
        "There is no such repository, or you may not see it.",
        "There is no such run, or you may not see it.",
      ]),
    );
    await expectProblem(cancel, 404);
    expect(await server.get("/api/v1/repositories")).toEqual({ data: [], next_cursor: null });
  });

  test.each(["x", "1.5", "-1", "1e3", "0x10", "9223372036854775808", "9".repeat(400), "%00", "1%00", "%ff"])(
    "with the id %j is a bad request",
    async (id) => {
      const server = await setUp();

      const answers = await Promise.all([
        server.ask(`/api/v1/repositories/${id}`),
        server.ask(`/api/v1/runs/${id}`),
        server.ask(`/api/v1/repositories/${id}/rescan`, { method: "POST" }),
        server.ask(`/repositories/${id}`),
        server.ask(`/runs/${id}`),
      ]);

      for (const answer of answers) expect(await expectProblem(answer, 400)).toBe("id must be a number.");
    },
  );
});

describe("the list of repositories", () => {
  test("comes in pages that lose and double none, in the order of their ids", async () => {
    const ids = ["9", "10", "100", "101", "1000", "20000", HUGE_ID];
    const server = await setUp(ids);
    const list = "/api/v1/repositories";

    const byPage = await Promise.all(
      [1, 2, 3, 7, 1000].map((n) => server.readPages<RepositoryJson>(list, n)),
    );
    const all = await server.get<Page<RepositoryJson>>(list);

    for (const rows of byPage) expect(rows.map(({ id }) => id)).toEqual(ids);
    expect(all.data).toEqual(byPage[0]);
    expect(all.next_cursor).toBeNull();
  });

  test("leads to its next page by Link too", async () => {
    const server = await setUp(["10", "20", "30"]);
    const path = "/api/v1/repositories?limit=2&q=/";

    const first = await server.ask(path);
    const { next_cursor } = (await first.json()) as Page<RepositoryJson>;
    const link = first.headers.get("link") ?? "";
    const last = await server.ask(/^<(.+)>; rel="next"$/.exec(link)?.[1] ?? "");

    expect(link).toBe(`<${path.replace("=/", "=%2F")}&cursor=${next_cursor}>; rel="next"`);
    expect(((await last.json()) as Page<RepositoryJson>).data.map(({ id }) => id)).toEqual(["30"]);
    expect(last.headers.get("link")).toBeNull();
  });

  test("is not sent again to who has it, until something changes", async () => {
    const server = await setUp(["10"]);
    const path = "/api/v1/repositories";
    const first = await server.ask(path);
    const headers = { "if-none-match": first.headers.get("etag") ?? "" };

    const same = await server.ask(path, { headers });
    await seedRepository(database.db, { id: "20" });
    const other = await server.ask(path, { headers });

    expect([same.status, await same.text()]).toEqual([304, ""]);
    expect(other.status).toBe(200);
  });

  test("goes on where it was although rows came and went in between", async () => {
    const server = await setUp(["10", "20", "30", "40"]);
    const first = await server.get<Page<RepositoryJson>>("/api/v1/repositories?limit=2");
    await seedRepository(database.db, { id: "5" });
    await database.db.deleteFrom("repositories").where("id", "=", "20").execute();

    const second = await server.get<Page<RepositoryJson>>(
      `/api/v1/repositories?limit=2&cursor=${first.next_cursor}`,
    );

    expect(second.data.map(({ id }) => id)).toEqual(["30", "40"]);
    expect(second.next_cursor).toBeNull();
  });

  test("shows each repository's own runs", async () => {
    const server = await setUp(["100", "101"]);
    const running = await seedRun(database.db, { repository_id: "101", state: "running" });
    const queued = await seedRun(database.db, { repository_id: "100", state: "queued" });

    const { data } = await server.get<Page<RepositoryJson>>("/api/v1/repositories");

    expect(data.map((row) => [row.id, row.running?.id ?? null, row.queued?.id ?? null])).toEqual([
      ["100", null, queued],
      ["101", running, null],
    ]);
  });

  test("is narrowed by name, without regard to case and with no wildcards, and by state, over pages", async () => {
    const server = await setUp(["1", "2", "3", "4", "100"]);
    const name = (id: string, name: string) =>
      database.db.updateTable("repositories").set({ name }).where("id", "=", id).execute();
    await name("1", "Größe_A");
    await name("2", "GRÖSSE-b");
    await name("3", "größe.c");
    await updateRepository(database.db, INDEXED);
    await seedRun(database.db, { repository_id: "1", state: "running" });
    await seedRun(database.db, { repository_id: "3", state: "running" });
    await seedRun(database.db, { repository_id: "3", state: "queued" });
    await seedRun(database.db, { repository_id: "4" });
    const ids = async (query: string) =>
      (await server.readPages<RepositoryJson>(`/api/v1/repositories?${query}`, 1)).map(({ id }) => id);

    expect(await ids(`q=${encodeURIComponent("GRÖ")}`)).toEqual(["1", "2", "3"]);
    expect(await ids("q=account-1%2Frepository")).toEqual(["4", "100"]);
    expect(await ids("q=_")).toEqual(["1"]);
    expect(await ids("q=%25")).toEqual([]);
    expect(await ids("q=%5C")).toEqual([]);
    expect(await ids("q=%ff")).toEqual([]);
    expect(await ids("q=")).toEqual(["1", "2", "3", "4", "100"]);
    expect(await ids("state=indexed")).toEqual(["100"]);
    expect(await ids("state=unindexed")).toEqual(["1", "2", "3", "4"]);
    expect(await ids("state=queued")).toEqual(["3"]);
    expect(await ids("state=running")).toEqual(["1", "3"]);
    expect(await ids("state=running&q=_a")).toEqual(["1"]);
  });
});

const BAD_LIMITS = ["", "0", "-1", "1.5", "x", "1001", "9".repeat(300), "1e999", "NaN", "%00"];
const BAD_CURSORS = [
  "x",
  "%00",
  "a".repeat(5_000),
  cursorOf(null),
  cursorOf({}),
  cursorOf([]),
  cursorOf("x"),
  cursorOf("-1"),
  cursorOf(1.5),
  cursorOf("9".repeat(30)),
  cursorOf(2 ** 60),
  cursorOf({ path: "a\0b", path_base64: null }),
  cursorOf({ path: "a" }),
  cursorOf({ path: "a", path_base64: "A" }),
  cursorOf({ path: "a", path_base64: "A===" }),
  cursorOf({ path: "a", path_base64: "AAA" }),
  cursorOf({ path: 1, path_base64: null }),
];

describe.each([
  "/api/v1/repositories",
  "/api/v1/repositories/100/files",
  "/api/v1/repositories/100/runs",
  "/api/v1/runs/1/log",
])("the list %s", (path) => {
  test("refuses limits and cursors that it never gave, each with a sentence", async () => {
    const server = await setUp();
    await seedRun(database.db);

    for (const limit of BAD_LIMITS) {
      const detail = await expectProblem(await server.ask(`${path}?limit=${limit}`), 400);
      expect(detail, limit).toBe("limit must be a whole number from 1 to 1000.");
    }
    for (const cursor of BAD_CURSORS) {
      const detail = await expectProblem(await server.ask(`${path}?cursor=${cursor}`), 400);
      expect(detail, cursor).toMatch(/^cursor must /);
    }
    for (const limit of [1, 1000]) await server.get(`${path}?limit=${limit}&cursor=`);
  });
});

test.each(["q=%00", "q=a%00b", "state=%00", "state=nonsense", "state=INDEXED"])(
  "the list of repositories with %s is a bad request",
  async (query) => {
    const server = await setUp();

    expect(await expectProblem(await server.ask(`/api/v1/repositories?${query}`), 400)).toMatch(
      /^(q|state) must /,
    );
  },
);
