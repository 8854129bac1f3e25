import { describe, expect, test } from "vitest";
import type { Viewer } from "../../src/database/viewer.ts";
import { createHttpApp } from "../../src/http/app.ts";
import { RunChanges } from "../../src/http/run-changes.ts";
import { createLogger } from "../../src/log.ts";
import { createSearchEngine } from "../../src/search/search.ts";
import { useDatabase } from "../support/database.ts";
import { createRepository } from "../support/git.ts";
import { startJourney } from "../support/journey.ts";
import { until } from "../support/wait.ts";

const database = useDatabase();

/** What stands in every file, path and name of the other's repository, and nowhere else. */
const SECRET = "zanzibar";

/** Two repositories, indexed, each of which one viewer may see; and the app that answers both. */
async function setUp() {
  const journey = await startJourney(database, {
    files: { "src/own.ts": "export const shared = 1;\n", "own.txt": "mine\n" },
  });
  const other = await createRepository({
    bare: true,
    files: {
      [`src/${SECRET}.ts`]: `export const shared = "${SECRET}";\n`.repeat(50),
      [`${SECRET}.png`]: Buffer.from([0, 1, 2]),
    },
  });
  const foreign = journey.simulator.addRepository({
    installation_id: journey.installationId,
    git_dir: other.dir,
    name: SECRET,
  });
  await journey.install();
  const succeeded = async () => {
    const rows = await database.db.selectFrom("runs").select("id").where("state", "=", "succeeded").execute();
    return rows.length === 2;
  };
  await until(succeeded, { what: "both to be indexed" });
  await journey.untilStill();
  const viewers: Record<string, Viewer> = {
    mine: { repositories: [String(journey.repositoryId)] },
    theirs: { repositories: [String(foreign.id)] },
  };
  const { connection } = database;
  const engine = createSearchEngine(connection);
  const changes = new RunChanges(connection);
  const app = createHttpApp({
    connection,
    access: { kind: "viewers", find: (token) => viewers[token] ?? null },
    changes,
    search: { engine, githubWebUrl: "https://github.com" },
    log: createLogger("silent"),
  });
  const runs = await database.db.selectFrom("runs").select(["id", "repository_id"]).execute();
  const runOf = (id: number) => runs.find(({ repository_id }) => repository_id === String(id))?.id as string;
  const ask = async (token: string, path: string, method = "GET") => {
    const response = await app.request(path, { method, headers: { authorization: `Bearer ${token}` } });
    const isStream = response.headers.get("content-type")?.includes("event-stream");
    const body = isStream ? "a stream" : await response.text();
    if (isStream) await response.body?.cancel();
    return { status: response.status, body, headers: Object.fromEntries(response.headers) };
  };
  const close = async () => {
    await changes.close();
    await engine.close();
  };
  return {
    app,
    ask,
    close,
    ids: { own: String(journey.repositoryId), foreign: String(foreign.id) },
    runs: { own: runOf(journey.repositoryId), foreign: runOf(foreign.id) },
  };
}

/** Every route that answers viewers: what to ask of it about a repository and a run. */
const ROUTES: Record<string, (of: { repository: string; run: string }) => string[]> = {
  "GET /api/v1/repositories": () =>
    ["", "?limit=1", `?q=${SECRET}`, "?state=indexed"].map((q) => `/api/v1/repositories${q}`),
  "GET /api/v1/repositories/:id": ({ repository }) => [`/api/v1/repositories/${repository}`],
  "GET /api/v1/repositories/:id/files": ({ repository }) => [
    `/api/v1/repositories/${repository}/files`,
    `/api/v1/repositories/${repository}/files?path=**`,
  ],
  "GET /api/v1/repositories/:id/files/content": ({ repository }) => [
    `/api/v1/repositories/${repository}/files/content?path=src/${SECRET}.ts`,
    `/api/v1/repositories/${repository}/files/content?path=src/${SECRET}.ts&start_line=2`,
  ],
  "POST /api/v1/repositories/:id/rescan": ({ repository }) => [`/api/v1/repositories/${repository}/rescan`],
  "GET /api/v1/repositories/:id/rescan/status": ({ repository }) => [
    `/api/v1/repositories/${repository}/rescan/status`,
  ],
  "GET /api/v1/repositories/:id/runs": ({ repository }) => [`/api/v1/repositories/${repository}/runs`],
  "GET /api/v1/search": ({ repository }) =>
    [
      SECRET,
      `"${SECRET}"`,
      `/zan.ibar/`,
      "/[a-z]{8}/",
      "shared",
      '"shared"',
      `repo:${SECRET}`,
      `repo:${SECRET} shared`,
      `path:${SECRET}`,
      "path:*",
      "state:binary",
      "-mine",
      `shared OR ${SECRET}`,
      repository,
    ].flatMap((q) => [
      `/api/v1/search?q=${encodeURIComponent(q)}&limit=1`,
      `/api/v1/search?q=${encodeURIComponent(q)}`,
    ]),
  "GET /api/v1/runs/:id": ({ run }) => [`/api/v1/runs/${run}`],
  "GET /api/v1/runs/:id/log": ({ run }) => [`/api/v1/runs/${run}/log`],
  "GET /api/v1/runs/:id/events": ({ run }) => [`/api/v1/runs/${run}/events`],
  "POST /api/v1/runs/:id/cancel": ({ run }) => [`/api/v1/runs/${run}/cancel`],
  "GET /": () => ["/"],
  "GET /search": () => ["/search", `/search?q=shared`, `/search?q=%22shared%22`, `/search?q=path%3A*`],
  "GET /repositories/:id": ({ repository }) => [`/repositories/${repository}`],
  "GET /repositories/:id/file": ({ repository }) => [
    `/repositories/${repository}/file?path=src/${SECRET}.ts`,
  ],
  "GET /runs/:id": ({ run }) => [`/runs/${run}`],
};

/** They tell nothing of repositories, to anyone. */
const PUBLIC = [
  "GET /healthz",
  "GET /readyz",
  "GET /static/style.css",
  "GET /static/icon.svg",
  "GET /static/repodex.schema.json",
];

/** What nothing has: an id like that of a repository or a run. */
const NOWHERE = { repository: "987654321", run: "987654321" };

describe("a viewer", () => {
  test("learns nothing of what another may see, on any route", async () => {
    const { app, ask, ids, runs, close } = await setUp();
    const routes = new Set(
      app.routes.filter(({ method }) => method !== "ALL").map(({ method, path }) => `${method} ${path}`),
    );
    const foreign = { repository: ids.foreign, run: runs.foreign };

    expect([...routes].sort()).toEqual([...Object.keys(ROUTES), ...PUBLIC].sort());
    for (const [route, pathsOf] of Object.entries(ROUTES)) {
      const [method = ""] = route.split(" ");
      for (const [i, path] of pathsOf(foreign).entries()) {
        const answer = await ask("mine", path, method);
        const nowhere = await ask("mine", pathsOf(NOWHERE)[i] as string, method);
        const about = `${method} ${path}`;
        expect(answer.status, about).toBe(nowhere.status);
        const told = answer.body.replaceAll(encodeURIComponent(SECRET), "").replaceAll(`q=${SECRET}`, "");
        if (!path.includes(SECRET) || route.includes("/api/")) expect(told, about).not.toContain(SECRET);
        const without = (text: string) =>
          text.replaceAll(ids.foreign, "#").replaceAll(runs.foreign, "#").replaceAll(NOWHERE.run, "#");
        if (answer.status === 404) expect(without(answer.body), about).toBe(without(nowhere.body));
        expect(answer.body.includes(ids.foreign) && !path.includes(ids.foreign), about).toBe(false);
      }
    }
    await close();
  });

  test("is answered of the own as if nothing else was there", async () => {
    const { ask, ids, close } = await setUp();

    for (const q of ["shared", '"shared"', "/s.ared/", "path:src"]) {
      const path = `/api/v1/search?q=${encodeURIComponent(q)}`;
      const mine = JSON.parse((await ask("mine", path)).body);
      const theirs = JSON.parse((await ask("theirs", path)).body);

      expect([mine.data.length, mine.estimated_total, mine.total_is_exact, mine.next_cursor], q).toEqual([
        1,
        1,
        true,
        null,
      ]);
      expect(mine.data[0].repository_id).toBe(ids.own);
      expect([theirs.data.length, theirs.estimated_total], q).toEqual([1, 1]);
      expect(theirs.data[0].repository_id).toBe(ids.foreign);
    }
    await close();
  });

  test("cannot go on from another's cursor into what is not the own", async () => {
    const { ask, close } = await setUp();
    const pages = await Promise.all(
      ["path:*", "/./", "s"].map(async (q) => {
        const path = `/api/v1/search?q=${encodeURIComponent(q)}&limit=1`;
        return { path, cursor: JSON.parse((await ask("theirs", path)).body).next_cursor as string | null };
      }),
    );

    expect(pages.filter(({ cursor }) => cursor !== null).length).toBeGreaterThan(0);
    for (const { path, cursor } of pages) {
      if (cursor !== null) expect((await ask("mine", `${path}&cursor=${cursor}`)).body).not.toContain(SECRET);
    }
    await close();
  });

  test("without a token is answered nothing", async () => {
    const { ask, close } = await setUp();

    for (const [route, pathsOf] of Object.entries(ROUTES)) {
      const [method = ""] = route.split(" ");
      for (const path of pathsOf(NOWHERE)) expect((await ask("", path, method)).status, path).toBe(401);
    }
    await close();
  });
});
