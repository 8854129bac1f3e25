import { describe, expect, test } from "vitest";
import { useDatabase } from "../support/database.ts";
import type { Files } from "../support/git.ts";
import { type Journey, type JourneyOptions, type RunJson, startJourney } from "../support/journey.ts";
import { api } from "../support/repodex.ts";
import { expectTruth } from "../support/truth.ts";

const database = useDatabase();
const SETTINGS = ".github/repodex.yml";

const FILES = {
  "README.md": "# Hello\n",
  "src/main.ts": "export const answer = 42;\n",
  "src/main.test.ts": "test();\n",
  "docs/guide.md": "A guide.\n",
  "docs/api/index.md": "An API.\n",
};

/** An app that has indexed FILES, with this configuration. */
async function setUp(
  settings: string | null,
  { files = {}, ...options }: JourneyOptions = {},
): Promise<Journey> {
  const all = { ...FILES, ...files, ...(settings !== null && { [SETTINGS]: settings }) };
  const journey = await startJourney(database, { files: all, ...options });
  await journey.install();
  return journey;
}

/** Commits onto a branch, main by default, pushes it and waits until everything is still. */
async function push(journey: Journey, files: Files, branch = "main"): Promise<string> {
  const commit = branch === "main" ? await journey.git.commit(files) : await commitTo(journey, branch, files);
  await journey.simulator.deliverPush(journey.repositoryId, { ref: `refs/heads/${branch}` });
  await journey.untilStill();
  return commit;
}

/** Commits onto a branch that starts where main is, if it is not there yet. */
async function commitTo({ git }: Journey, branch: string, files: Files): Promise<string> {
  const ref = `refs/heads/${branch}`;
  const main = await git.head();
  const start = await git.git("rev-parse", "--verify", "--quiet", ref).catch(() => main);
  await git.git("update-ref", "refs/heads/main", start);
  const commit = await git.commit(files);
  await git.git("update-ref", ref, commit);
  await git.git("update-ref", "refs/heads/main", main);
  return commit;
}

async function states(): Promise<Record<string, string>> {
  const rows = await database.db.selectFrom("files").select(["path", "state"]).orderBy("path").execute();
  return Object.fromEntries(rows.map(({ path, state }) => [path, state]));
}

/** Paths that are indexed. */
async function indexedPaths(): Promise<string[]> {
  return Object.entries(await states()).flatMap(([path, state]) => (state === "indexed" ? path : []));
}

async function reasonOf(path: string): Promise<string | null> {
  const row = await database.db
    .selectFrom("files")
    .select("reason")
    .where("path", "=", path)
    .executeTakeFirstOrThrow();
  return row.reason;
}

/** The index is this commit, whole, whatever of it is left out. */
async function expectIndex({ git, repositoryId }: Journey, commit: string): Promise<void> {
  await expectTruth(database.db, { repositoryId: String(repositoryId), gitDir: git.dir, commit });
}

interface Watch {
  /** Paths at `commit` whose content was asked for, in any way but an archive. */
  fetched(commit: string): Promise<string[]>;
  /** Requests but those for check runs. */
  routes(): string[];
}

/** Watches what is asked of GitHub from now on. */
function watch({ simulator, git }: Journey): Watch {
  const from = simulator.requests.length;
  const queries: string[] = [];
  simulator.fault({
    route: "/graphql",
    times: Number.POSITIVE_INFINITY,
    match({ body }) {
      queries.push(JSON.stringify(body));
      return false;
    },
  });
  const since = () => simulator.requests.slice(from).filter(({ route }) => !route.includes("check-runs"));
  return {
    routes: () => since().map(({ route }) => route),
    async fetched(commit) {
      const listing = await git.git("ls-tree", "-r", commit);
      const asked = [...queries, ...since().map(({ path }) => path)].join("\n");
      return listing.split("\n").flatMap((line) => {
        const [, sha = "", path = ""] = /^\d+ blob (\w+)\t(.*)$/.exec(line) ?? [];
        return asked.includes(sha) ? path : [];
      });
    },
  };
}

function checksOn({ simulator }: Journey, head: string) {
  return simulator.checkRuns.filter(({ head_sha }) => head_sha === head);
}

async function lastRun(journey: Journey): Promise<RunJson> {
  const { last_finished } = await journey.status();
  if (!last_finished) throw new Error("no run has ended");
  return last_finished;
}

describe("patterns", () => {
  test("say what is indexed; what is not is listed with its reason and never fetched", async () => {
    const journey = await startJourney(database, {
      files: { ...FILES, [SETTINGS]: "include: [src/, docs/, '/*.md']\nexclude: ['*.test.ts', docs/api/]\n" },
    });
    const asked = watch(journey);

    await journey.install();

    expect(await states()).toEqual({
      [SETTINGS]: "excluded",
      "README.md": "indexed",
      "docs/api/index.md": "excluded",
      "docs/guide.md": "indexed",
      "src/main.test.ts": "excluded",
      "src/main.ts": "indexed",
    });
    expect(await reasonOf("docs/api/index.md")).toBe("Excluded by .github/repodex.yml.");
    expect(await reasonOf(SETTINGS)).toBe("Not among what .github/repodex.yml includes.");
    expect(await asked.fetched("HEAD")).toEqual([SETTINGS, "README.md", "docs/guide.md", "src/main.ts"]);
    await journey.expectTruth();
    expect(journey.simulator.checkRuns).toMatchObject([{ conclusion: "success" }]);
    expect(journey.simulator.checkRuns[0]?.output.summary).toContain("| excluded | 3 |");
    expect(journey.simulator.violations).toEqual([]);
  });

  test("that change fetch only what they newly let in, and keep nothing of what they no longer do", async () => {
    const journey = await setUp("exclude: [docs/]\ncheck_run: off\n");
    const wider = watch(journey);
    const widerHead = await push(journey, { [SETTINGS]: "exclude: [docs/api/]\ncheck_run: off\n" });
    const widerFetched = await wider.fetched(widerHead);
    const widerStates = await states();
    const tighter = watch(journey);
    const tighterHead = await push(journey, { [SETTINGS]: "exclude: [docs/, '*.md']\ncheck_run: off\n" });

    expect(widerFetched).toEqual([SETTINGS, "docs/guide.md"]);
    expect(widerStates).toMatchObject({ "docs/guide.md": "indexed", "docs/api/index.md": "excluded" });
    expect(await tighter.fetched(tighterHead)).toEqual([SETTINGS]);
    expect(await indexedPaths()).toEqual([SETTINGS, "src/main.test.ts", "src/main.ts"]);
    await journey.expectTruth();
    expect(await database.db.selectFrom("blobs").select("sha").execute()).toHaveLength(3);
  });

  test("that do not change cost a push no request", async () => {
    const journey = await setUp("exclude: [docs/]\ncheck_run: off\n");
    const asked = watch(journey);

    const head = await push(journey, {
      "src/main.ts": "export const answer = 43;\n",
      "docs/new.md": "new\n",
    });

    expect(await asked.fetched(head)).toEqual(["src/main.ts"]);
    expect(asked.routes().filter((route) => route === "/graphql")).toHaveLength(1);
    expect(await states()).toMatchObject({ "docs/new.md": "excluded", "src/main.ts": "indexed" });
    await journey.expectTruth();
  });

  test("hold for a full scan too, which reads the configuration again", async () => {
    const journey = await setUp("exclude: [docs/]\n");
    const asked = watch(journey);

    await journey.post(`/api/v1/repositories/${journey.repositoryId}/rescan`, { mode: "full" });
    await journey.untilStill();

    expect(await asked.fetched("HEAD")).toEqual([SETTINGS, "README.md", "src/main.test.ts", "src/main.ts"]);
    await journey.expectTruth();
  });
});

describe("a mistake", () => {
  test("is told at its line, leaves the last good configuration in force, and is over when it is mended", async () => {
    const journey = await setUp("exclude: [docs/]\n");
    const broken = await push(journey, { [SETTINGS]: "exclude:\n  - *.md\ninclud: [src/]\n" });
    const [check] = checksOn(journey, broken);
    const run = await lastRun(journey);
    const page = await (await api(journey, `/runs/${run.id}`)).text();
    const overview = await (await api(journey, `/repositories/${journey.repositoryId}`)).text();
    const log = await journey.get<{ data: { kind: string; level: string; data: { faults: unknown } }[] }>(
      `/api/v1/runs/${run.id}/log`,
    );
    const seen = await states();
    const repository = await journey.get(`/api/v1/repositories/${journey.repositoryId}`);

    expect(check).toMatchObject({
      conclusion: "neutral",
      output: { title: "Indexed with the last good configuration" },
    });
    expect(check?.output.annotations).toMatchObject([
      { path: SETTINGS, start_line: 2, end_line: 2, message: expect.stringContaining('"*.md"') },
    ]);
    expect(check?.output.summary).toContain("| 2:5 | YAML takes");
    expect(seen).toMatchObject({ "docs/guide.md": "excluded", "README.md": "indexed" });
    expect(page).toContain("put the text in quotes");
    expect(overview).toContain("exclude: docs/");
    expect(overview).toContain("1 mistake in <code>.github/repodex.yml</code>");
    expect(repository).toMatchObject({
      configuration: { exclude: ["docs/"], faults: [{ line: 2, column: 5 }] },
    });
    expect(log.data).toContainEqual(
      expect.objectContaining({
        kind: "run.configuration",
        level: "warn",
        data: { faults: expect.any(Array) },
      }),
    );

    const asked = watch(journey);
    const still = await push(journey, { "src/new.ts": "new\n" });
    const stillFetched = await asked.fetched(still);
    const mended = await push(journey, { [SETTINGS]: "exclude:\n  - '*.md'\n" });

    expect(stillFetched).toEqual(["src/new.ts"]);
    expect(checksOn(journey, still)).toMatchObject([{ conclusion: "neutral" }]);
    expect(checksOn(journey, mended)).toMatchObject([{ conclusion: "success", output: { annotations: [] } }]);
    expect(await states()).toMatchObject({
      "docs/guide.md": "excluded",
      "README.md": "excluded",
      "src/main.ts": "indexed",
    });
    await journey.expectTruth();
    expect(journey.simulator.violations).toEqual([]);
  });

  test("is shown beside files that could not be read, within what GitHub takes", async () => {
    const mistakes = Array.from({ length: 40 }, (_, i) => `odd${i}: 1\n`).join("");
    const unreadable = Object.fromEntries(
      Array.from({ length: 20 }, (_, i) => [
        `bad${i}.txt`,
        Buffer.from([0x61, 0xff, 0xfe, 0xfd, 0x81, 0x20 + i]),
      ]),
    );

    const journey = await setUp(mistakes, { files: unreadable });

    const [check] = journey.simulator.checkRuns;
    expect(check?.conclusion).toBe("neutral");
    expect(check?.output.annotations).toHaveLength(50);
    expect(check?.output.summary).toContain("…and 20 more");
    expect(check?.output.summary).toContain("bad0.txt");
    expect(journey.simulator.violations).toEqual([]);
    await journey.expectTruth();
  });

  test("that is meant to hurt neither stops nor hurts a scan", async () => {
    const bomb = [..."bcdefgh"].map((key, i) => `${key}: &${key} [${`*${"abcdefg"[i]},`.repeat(9)}]`);
    const hostile: (string | Buffer)[] = [
      `a: &a [x]\n${bomb.join("\n")}`,
      "x".repeat(2 ** 20),
      "[".repeat(16_000),
      `exclude:\n${"- a\n".repeat(10_000)}`,
      Buffer.from("exclude: [\xe9\xff]\n", "latin1"),
      'branch: "\\ud800\\0"\n"\\udfff": "\\0"\n',
    ];
    const journey = await setUp("exclude: [docs/]\ncheck_run: errors-only\n");

    for (const [i, settings] of hostile.entries()) {
      const head = await push(journey, { [SETTINGS]: settings, [`new${i}.txt`]: `${i}` });

      expect(await lastRun(journey)).toMatchObject({ state: "succeeded", failures: 0, verified: true });
      expect(checksOn(journey, head)).toMatchObject([{ conclusion: "neutral" }]);
      expect(await states()).toMatchObject({ [`new${i}.txt`]: "indexed", "docs/guide.md": "excluded" });
      await journey.expectTruth();
    }
  });

  test("of GitHub, which does not deliver the file, is mended by the next scan", async () => {
    const journey = await setUp(null);
    const spoil = (body: Buffer) => Buffer.from(body.toString().replaceAll("exclude", "include"));
    const lift = [
      journey.simulator.fault({ route: "/graphql", times: 9, mutate: spoil }),
      journey.simulator.fault({
        route: "/repos/{owner}/{repo}/git/blobs/{file_sha}",
        times: 9,
        mutate: spoil,
      }),
    ];

    await push(journey, { [SETTINGS]: "exclude: [docs/]\n" });
    const during = { indexed: await indexedPaths(), check: journey.simulator.checkRuns.at(-1) };
    for (const remove of lift) remove();
    await journey.post(`/api/v1/repositories/${journey.repositoryId}/rescan`);
    await journey.untilStill();

    expect(during.indexed).toContain("docs/guide.md");
    expect(during.check?.conclusion).toBe("neutral");
    expect(await indexedPaths()).not.toContain("docs/guide.md");
    await journey.expectTruth();
  });
});

describe("a branch of one's own choice", () => {
  test("is indexed in place of the default one, which still says how", async () => {
    const journey = await setUp(null);
    const release = await commitTo(journey, "release", { VERSION: "1\n" });

    const named = await push(journey, { [SETTINGS]: "branch: release\n" });
    await expectIndex(journey, release);
    expect(checksOn(journey, release)).toMatchObject([{ conclusion: "success" }]);
    expect(checksOn(journey, named)).toMatchObject([{ conclusion: "skipped" }]);

    const checks = journey.simulator.checkRuns.length;
    const idle = watch(journey);
    await push(journey, { "README.md": "only here\n" });
    expect(await lastRun(journey)).toMatchObject({ state: "succeeded", progress: { files_changed: 0 } });
    expect(journey.simulator.checkRuns).toHaveLength(checks);
    expect(idle.routes().filter((route) => /blobs|trees|tarball/.test(route))).toEqual([]);

    const newer = await push(journey, { VERSION: "2\n" }, "release");
    await expectIndex(journey, newer);
    expect(checksOn(journey, newer)).toMatchObject([{ conclusion: "success" }]);

    await push(journey, { [SETTINGS]: "branch: release\nexclude: [docs/]\n" });
    await expectIndex(journey, newer);
    expect(await states()).toMatchObject({ "docs/guide.md": "excluded", VERSION: "indexed" });

    await push(journey, { [SETTINGS]: "branch: release\nexclude: docs/\n" });
    expect(await states()).toMatchObject({ "docs/guide.md": "excluded" });
    expect(checksOn(journey, newer).at(-1)).toMatchObject({ conclusion: "neutral" });

    const back = await push(journey, { [SETTINGS]: null });
    await expectIndex(journey, back);
    expect(await indexedPaths()).toContain("docs/guide.md");
    expect(checksOn(journey, back)).toMatchObject([{ conclusion: "success" }]);
    expect(journey.simulator.violations).toEqual([]);
  });

  test("is indexed from the first scan on", async () => {
    const files = { ...FILES, [SETTINGS]: "branch: release\nexclude: [docs/]\n" };
    const journey = await startJourney(database, { files });
    const release = await commitTo(journey, "release", { VERSION: "1\n" });

    await journey.install();

    await expectIndex(journey, release);
    expect(await states()).toMatchObject({ VERSION: "indexed", "docs/guide.md": "excluded" });
  });

  test("takes its index along when it is deleted, and is indexed again when it is pushed again", async () => {
    const journey = await setUp(null);
    await commitTo(journey, "release", { VERSION: "1\n" });
    await push(journey, { [SETTINGS]: "branch: release\n" });
    const checks = journey.simulator.checkRuns.length;
    const before = await journey.git.git("rev-parse", "refs/heads/release");

    await journey.git.git("update-ref", "-d", "refs/heads/release");
    await journey.simulator.deliverPush(journey.repositoryId, {
      ref: "refs/heads/release",
      before,
      deleted: true,
    });
    await journey.untilStill();
    const gone = await journey.get<{ indexed: unknown }>(`/api/v1/repositories/${journey.repositoryId}`);
    const run = await lastRun(journey);
    const log = await journey.get<{ data: { message: string }[] }>(`/api/v1/runs/${run.id}/log`);
    const left = await database.db.selectFrom("blobs").select("sha").execute();
    const checksAfter = journey.simulator.checkRuns.length;
    const again = await push(journey, { VERSION: "2\n" }, "release");

    expect(gone.indexed).toBeNull();
    expect(run).toMatchObject({ state: "succeeded", verified: null, trigger: "push" });
    expect(log.data.at(-1)?.message).toBe(
      "There is no branch release any more, which .github/repodex.yml names: nothing is indexed.",
    );
    expect(left).toEqual([]);
    expect(checksAfter).toBe(checks);
    await expectIndex(journey, again);
    expect(checksOn(journey, again)).toMatchObject([{ conclusion: "success" }]);
  });

  test("that GitHub does not have is a mistake at its line, until it is there", async () => {
    const journey = await setUp("exclude: [docs/]\n");

    const typo = await push(journey, { [SETTINGS]: "# where we work\nbranch: relaese\n" });
    const [check] = checksOn(journey, typo);
    await expectIndex(journey, typo);
    const kept = await states();
    const work = await commitTo(journey, "relaese", { "work.txt": "work\n" });
    await journey.post(`/api/v1/repositories/${journey.repositoryId}/rescan`);
    await journey.untilStill();

    expect(check).toMatchObject({ conclusion: "neutral" });
    expect(check?.output.annotations).toMatchObject([
      { path: SETTINGS, start_line: 2, message: expect.stringContaining("There is no branch relaese") },
    ]);
    expect(kept).toMatchObject({ "docs/guide.md": "excluded" });
    await expectIndex(journey, work);
    expect(await lastRun(journey)).toMatchObject({ state: "succeeded", verified: true });
  });

  test("is left as GitHub shows it late, and found all the same", async () => {
    const journey = await setUp(null);
    const release = await commitTo(journey, "release", { VERSION: "1\n" });
    await push(journey, { [SETTINGS]: "branch: release\n" });
    await expectIndex(journey, release);
    const before = await journey.git.head();
    const after = await journey.git.commit({ [SETTINGS]: "branch: release\nexclude: [docs/]\n" });
    journey.simulator.fault({
      route: "/repos/{owner}/{repo}/git/ref/{ref}",
      mutate: (body) => Buffer.from(body.toString().replaceAll(after, before)),
      times: 1,
    });

    await journey.simulator.deliverPush(journey.repositoryId, { before, after });
    await journey.untilStill();

    expect(await states()).toMatchObject({ "docs/guide.md": "excluded" });
    await expectIndex(journey, release);
  });
});

describe("check runs", () => {
  const BAD = Buffer.from([0x61, 0xff, 0xfe, 0xfd, 0x81, 0x62]);

  test("for errors only are created for failed and neutral results alone, and completed where they are", async () => {
    const journey = await setUp("check_run: errors-only\n");
    const first = journey.simulator.checkRuns.length;
    const fine = await push(journey, { a: "a" });
    const bad = await push(journey, { "bad.txt": BAD });
    const [shown] = checksOn(journey, bad);
    const good = await push(journey, { "bad.txt": null });
    journey.simulator.fault({
      route: "/repos/{owner}/{repo}",
      status: 451,
      body: { message: "blocked" },
      times: 99,
    });
    const failed = await push(journey, { b: "b" });

    expect(first).toBe(0);
    expect(checksOn(journey, fine)).toEqual([]);
    expect(shown).toMatchObject({ conclusion: "neutral" });
    expect(shown?.history.map(({ status }) => status)).toEqual(["completed"]);
    expect(checksOn(journey, good)).toEqual([]);
    expect(checksOn(journey, failed)).toMatchObject([{ conclusion: "failure" }]);
  });

  test("for errors only say when an error is over on the same commit", async () => {
    const journey = await setUp("check_run: errors-only\n");
    const lift = ["/graphql", "/repos/{owner}/{repo}/git/blobs/{file_sha}"].map((route) =>
      journey.simulator.fault({
        route,
        times: 9,
        mutate: (body) => Buffer.from(body.toString().replaceAll("new", "lie")),
      }),
    );
    const head = await push(journey, { "x.txt": "new" });
    const [check] = checksOn(journey, head);
    for (const remove of lift) remove();

    await journey.simulator.deliverCheckRunRerequested(check?.id ?? 0);
    await journey.untilStill();

    expect(checksOn(journey, head).map(({ conclusion }) => conclusion)).toEqual(["neutral", "success"]);
  });

  test("are not written where they are off, but for those that are there", async () => {
    const journey = await setUp("check_run: off\n");
    const none = journey.simulator.checkRuns.length;
    const asked = journey.simulator.requests.length;
    await push(journey, { "bad.txt": BAD });
    const writes = journey.simulator.requests
      .slice(asked)
      .filter(({ method, route }) => method !== "GET" && route.includes("check-runs"));
    const on = await push(journey, { [SETTINGS]: "check_run: on\n" });
    const shown = checksOn(journey, on);
    const off = await push(journey, { [SETTINGS]: "check_run: off\n", "bad.txt": null });

    expect(none).toBe(0);
    expect(writes).toEqual([]);
    expect(shown).toMatchObject([{ conclusion: "neutral" }]);
    const last = checksOn(journey, off);
    expect(last.every(({ status }) => status === "completed")).toBe(true);
    expect(await lastRun(journey)).toMatchObject({ state: "succeeded", head_sha: off });
  });

  test("that a dead process created are completed although they are off by now", async () => {
    const journey = await setUp(null);
    journey.simulator.fault({
      route: "/repos/{owner}/{repo}/check-runs",
      method: "POST",
      cutAfterBytes: 10,
      times: 9,
    });

    const head = await push(journey, { [SETTINGS]: "check_run: off\n" });

    expect(checksOn(journey, head)).toMatchObject([{ status: "completed", conclusion: "success" }]);
  });
});

describe("generated files", () => {
  const GENERATED = {
    ".gitattributes": "*.gen.ts linguist-generated\n",
    "lib/.gitattributes": "kept.gen.ts -linguist-generated\n",
    "a.gen.ts": "a\n",
    "lib/b.gen.ts": "b\n",
    "lib/kept.gen.ts": "kept\n",
  };

  test("are left out where index_generated is false, unread, by .gitattributes that are excluded themselves", async () => {
    const journey = await startJourney(database, {
      files: {
        ...FILES,
        ...GENERATED,
        [SETTINGS]: "index_generated: false\nexclude: [.gitattributes, docs/]\ncheck_run: off\n",
      },
    });
    const asked = watch(journey);
    await journey.install();

    expect(await asked.fetched("HEAD")).not.toContain("a.gen.ts");
    expect(await states()).toMatchObject({
      ".gitattributes": "excluded",
      "lib/.gitattributes": "excluded",
      "a.gen.ts": "excluded",
      "lib/b.gen.ts": "excluded",
      "lib/kept.gen.ts": "indexed",
      "src/main.ts": "indexed",
    });
    expect(await reasonOf("a.gen.ts")).toMatch(/^Generated, as \.gitattributes says/);
    await journey.expectTruth();

    const next = watch(journey);
    const head = await push(journey, { "src/main.ts": "changed\n", "c.gen.ts": "c\n" });
    expect(await next.fetched(head)).toEqual(["src/main.ts"]);
    expect(await states()).toMatchObject({ "c.gen.ts": "excluded", "lib/b.gen.ts": "excluded" });

    const changed = watch(journey);
    const flipped = await push(journey, { ".gitattributes": "*.gen.ts -linguist-generated\n" });
    expect(await changed.fetched(flipped)).toEqual([
      ".gitattributes",
      "a.gen.ts",
      "c.gen.ts",
      "lib/b.gen.ts",
    ]);
    expect(await states()).toMatchObject({ "a.gen.ts": "indexed", "c.gen.ts": "indexed" });
    await journey.expectTruth();
  });

  test("are flagged by .gitattributes that are excluded or too large, and read once", async () => {
    const journey = await setUp("exclude: ['/.gitattributes']\nmax_file_bytes: 20\n", { files: GENERATED });
    const flags = () =>
      database.db.selectFrom("files").select("path").where("generated", "=", true).orderBy("path").execute();
    const first = await flags();
    const asked = watch(journey);

    const head = await push(journey, { x: "x" });

    expect(first.map(({ path }) => path)).toEqual(["a.gen.ts", "lib/b.gen.ts"]);
    expect(await flags()).toEqual(first);
    expect(await states()).toMatchObject({ ".gitattributes": "excluded", "lib/.gitattributes": "oversize" });
    expect(await asked.fetched(head)).toEqual(["x"]);
    await journey.expectTruth();
  });
});

test("max_file_bytes lowers the operator's limit, and does not raise it", async () => {
  const files = { "small.txt": "x".repeat(10), "large.txt": "x".repeat(200), "huge.txt": "x".repeat(2_000) };
  const environment = { MAX_FILE_BYTES: "1000" };
  const journey = await setUp("max_file_bytes: 100\n", { files, environment });
  const lowered = {
    states: await states(),
    large: await reasonOf("large.txt"),
    huge: await reasonOf("huge.txt"),
  };

  await push(journey, { [SETTINGS]: "max_file_bytes: 5000\n" });

  expect(lowered.states).toMatchObject({
    "small.txt": "indexed",
    "large.txt": "oversize",
    "huge.txt": "oversize",
  });
  expect(lowered.large).toBe(
    "Larger than 100 bytes, the limit set by max_file_bytes in .github/repodex.yml.",
  );
  expect(lowered.huge).toBe(lowered.large);
  expect(await states()).toMatchObject({ "large.txt": "indexed", "huge.txt": "oversize" });
  expect(await reasonOf("huge.txt")).toBe("Larger than 1,000 bytes, the limit set by MAX_FILE_BYTES.");
  await journey.expectTruth();
});

test("a scan that fails after it has read the configuration ends right at its next attempt", async () => {
  const journey = await setUp(null);
  const release = await commitTo(journey, "release", { VERSION: "1\n" });
  journey.simulator.fault({
    route: "/repos/{owner}/{repo}/git/trees/{tree_sha}",
    status: 500,
    body: {},
    after: 1,
    times: 3,
  });

  await push(journey, { [SETTINGS]: "branch: release\nexclude: [docs/]\n" });

  expect((await lastRun(journey)).epoch).toBeGreaterThan(1);
  await expectIndex(journey, release);
  expect(await states()).toMatchObject({ "docs/guide.md": "excluded", VERSION: "indexed" });
});
