import { describe, expect, onTestFinished, test } from "vitest";
import { createHttpApp } from "../../src/http/app.ts";
import { Metrics } from "../../src/http/metrics.ts";
import { RunChanges } from "../../src/http/run-changes.ts";
import { createLogger } from "../../src/log.ts";
import { createSearchEngine } from "../../src/search/search.ts";
import { useDatabase } from "../support/database.ts";
import { createRepository } from "../support/git.ts";
import { startJourney } from "../support/journey.ts";
import { seedUser } from "../support/seed.ts";
import { signInAccess } from "../support/sign-in.ts";
import { until } from "../support/wait.ts";

const database = useDatabase();

/** What stands in every file, path and name of the other's repository, and nowhere else. */
const SECRET = "zanzibar";

/** What is asked about: a repository and one of its runs that has ended. */
interface Subject {
  repository: string;
  run: string;
}

/** An indexed repository that one viewer may see, the app that answers viewers, and another's repository to come. */
async function setUp() {
  const journey = await startJourney(database, {
    files: { "src/own.ts": "export const shared = 1;\n", "own.txt": "mine\n" },
    started: false,
  });
  const worker = await journey.start();
  await journey.install();
  const other = await createRepository({
    bare: true,
    files: {
      [`src/${SECRET}.ts`]: `export const shared = "${SECRET}";\n`.repeat(50),
      [`${SECRET}.png`]: Buffer.from([0, 1, 2]),
    },
  });
  const { id } = journey.simulator.addRepository({
    installation_id: journey.installationId,
    git_dir: other.dir,
    name: SECRET,
  });
  const { connection, db } = database;
  const tokens: Record<string, string> = {};
  const mine = () => seedUser(db, { id: "1", login: "mine", write: [String(journey.repositoryId)] });
  tokens.mine = (await mine()).token;
  const engine = createSearchEngine(connection);
  const changes = new RunChanges(connection);
  const metrics = new Metrics({ db: connection.db, budgets: { list: () => [] } });
  onTestFinished(async () => {
    await changes.close();
    await engine.close();
    metrics.close();
  });
  const app = createHttpApp({
    connection,
    access: signInAccess(database),
    changes,
    search: { engine, githubWebUrl: "https://github.com" },
    metrics,
    installLink: async () => null,
    log: createLogger("silent"),
  });
  const ask = async (token: string, path: string, method = "GET"): Promise<Answer> => {
    const response = await app.request(path, {
      method,
      headers: { authorization: `Bearer ${tokens[token] ?? ""}` },
    });
    const { date: _, "x-request-id": __, ...headers } = Object.fromEntries(response.headers);
    return { status: response.status, body: await bodyOf(response, path), headers };
  };
  return {
    app,
    ask,
    own: await subject(String(journey.repositoryId)),
    /** Indexes the other's repository; afterwards nothing works beside the app. */
    async addForeign(): Promise<Subject> {
      await journey.simulator.deliverRepositoriesAdded(journey.installationId, [id]);
      await until(() => subject(String(id)).catch(() => null), { what: "the other's to be indexed" });
      await journey.untilStill();
      await worker.close();
      await mine(); // what was added may be anybody's: without this, GitHub would be asked
      tokens.theirs = (await seedUser(db, { id: "2", login: "theirs", write: [String(id)] })).token;
      return await subject(String(id));
    },
  };
}

interface Answer {
  status: number;
  body: string;
  headers: Record<string, string>;
}

/** What pages say of how long ago something was, which differs from one answer to the next. */
const AGO = /(<relative-time[^>]*><time[^>]*>)[^<]*/g;

/** The whole of it, or of a stream that does not end the first frame. */
async function bodyOf(response: Response, path: string): Promise<string> {
  const isEndless = response.ok && /\/api\/v1\/(repositories\/\d+\/)?events$/.test(path);
  if (!isEndless || !response.body) return (await response.text()).replace(AGO, "$1");
  const reader = response.body.getReader();
  const { value } = await reader.read();
  await reader.cancel();
  return Buffer.from(value ?? []).toString();
}

async function subject(repository: string): Promise<Subject> {
  const { id } = await database.db
    .selectFrom("runs")
    .select("id")
    .where("repository_id", "=", repository)
    .where("state", "=", "succeeded")
    .executeTakeFirstOrThrow();
  return { repository, run: id };
}

/** Every route that answers viewers: what to ask of it about a repository and a run. */
const ROUTES: Record<string, (of: Subject) => string[]> = {
  "GET /api/v1/deliveries": () => ["/api/v1/deliveries", "/api/v1/deliveries?limit=0"],
  "GET /api/v1/events": () => ["/api/v1/events"],
  "GET /api/v1/repositories": () =>
    ["", "?limit=1", `?q=${SECRET}`, "?state=indexed"].map((q) => `/api/v1/repositories${q}`),
  "GET /api/v1/repositories/:id": ({ repository }) => [`/api/v1/repositories/${repository}`],
  "GET /api/v1/repositories/:id/events": ({ repository }) => [`/api/v1/repositories/${repository}/events`],
  "GET /api/v1/repositories/:id/files": ({ repository }) => [
    `/api/v1/repositories/${repository}/files`,
    `/api/v1/repositories/${repository}/files?path=**`,
  ],
  "GET /api/v1/repositories/:id/files/content": ({ repository }) => [
    `/api/v1/repositories/${repository}/files/content?path=src/${SECRET}.ts`,
    `/api/v1/repositories/${repository}/files/content?path=src/${SECRET}.ts&start_line=2`,
    `/api/v1/repositories/${repository}/files/content?path=own.txt`,
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
  "GET /metrics": () => ["/metrics"],
  "GET /": () => ["/"],
  "GET /search": () =>
    ["", "shared", '"shared"', "path:*", SECRET, `repo:${SECRET}`, `shared OR ${SECRET}`, "-mine"].map(
      (q) => `/search?q=${encodeURIComponent(q)}`,
    ),
  "GET /deliveries": () => ["/deliveries", "/deliveries?state=handled"],
  "GET /repositories/:id": ({ repository }) => [`/repositories/${repository}`],
  "GET /repositories/:id/files": ({ repository }) => [
    `/repositories/${repository}/files`,
    `/repositories/${repository}/files?path=**`,
  ],
  "GET /repositories/:id/problems": ({ repository }) => [`/repositories/${repository}/problems`],
  "POST /repositories/:id/rescan": ({ repository }) => [`/repositories/${repository}/rescan`],
  "GET /repositories/:id/file": ({ repository }) => [
    `/repositories/${repository}/file?path=src/${SECRET}.ts`,
    `/repositories/${repository}/file?path=own.txt`,
  ],
  "GET /runs/:id": ({ run }) => [`/runs/${run}`, `/runs/${run}?after=0`],
  "POST /runs/:id/cancel": ({ run }) => [`/runs/${run}/cancel`],
  "GET /settings": () => ["/settings"],
  "POST /settings/sessions/:id/end": ({ run }) => [`/settings/sessions/${run}/end`],
  "POST /settings/tokens": () => ["/settings/tokens"],
  "POST /settings/tokens/:id/revoke": ({ run }) => [`/settings/tokens/${run}/revoke`],
};

/** They tell nothing of repositories, to anyone. */
const PUBLIC = [
  "GET /api/openapi.json",
  "GET /healthz",
  "GET /readyz",
  "GET /static/style.css",
  "GET /static/live.js",
  "GET /static/icon.svg",
  "GET /static/repodex.schema.json",
  "GET /sign-in",
  "GET /sign-in/github",
  "GET /sign-in/callback",
  "POST /sign-out",
];

/** What nothing has: an id like that of a repository or a run. */
const NOWHERE: Subject = { repository: "987654321", run: "987654321" };

/** The answers of one viewer to all that can be read, about a repository and over all. */
async function readAll(ask: (token: string, path: string) => Promise<Answer>, of: Subject) {
  const answers: Record<string, Answer> = {};
  for (const [route, pathsOf] of Object.entries(ROUTES)) {
    if (!route.startsWith("GET ")) continue;
    for (const path of pathsOf(of)) answers[path] = await ask("mine", path);
  }
  return answers;
}

describe("a viewer", () => {
  test("finds the other's repository and runs as absent as those that nobody has, on any route", async () => {
    const { app, ask, addForeign } = await setUp();
    const foreign = await addForeign();
    const routes = new Set(
      app.routes.filter(({ method }) => method !== "ALL").map(({ method, path }) => `${method} ${path}`),
    );
    const without = ({ status, body, headers }: Answer, { repository, run }: Subject): Answer => ({
      status,
      body: body.replaceAll(repository, "#").replaceAll(new RegExp(`\\b${run}\\b`, "g"), "#"),
      headers,
    });

    expect([...routes].sort()).toEqual([...Object.keys(ROUTES), ...PUBLIC].sort());
    for (const [route, pathsOf] of Object.entries(ROUTES)) {
      const [method = "", pattern = ""] = route.split(" ");
      const isAboutOne = pattern.includes(":id");
      for (const [i, path] of pathsOf(foreign).entries()) {
        const answer = await ask("mine", path, method);
        const nowhere = await ask("mine", pathsOf(NOWHERE)[i] as string, method);

        if (isAboutOne) expect(answer.status, `${method} ${path}`).toBe(404);
        if (isAboutOne) expect(without(answer, foreign), path).toEqual(without(nowhere, NOWHERE));
      }
    }
    for (const table of ["runs", "run_requests"] as const) {
      const rows = await database.db
        .selectFrom(table)
        .select("trigger")
        .where("repository_id", "=", foreign.repository)
        .execute();
      expect(
        rows.map(({ trigger }) => trigger),
        `what was asked of it is not in ${table}`,
      ).not.toContain("rescan");
    }
  });

  test("is answered alike on any route, whether or not there is another's repository", async () => {
    const { ask, own, addForeign } = await setUp();
    const before = await readAll(ask, own);

    await addForeign();

    expect(await readAll(ask, own)).toEqual(before);
    const isOwn = (path: string) => [own.run, own.repository].some((id) => path.includes(`/${id}`));
    const about = Object.entries(before).filter(([path]) => !path.includes(SECRET) && isOwn(path));
    expect(about.length, "of the own there is something to read").toBeGreaterThan(0);
    expect(about.map(([, { status }]) => status)).not.toContain(404);
  });

  test("is answered alike on any route, whether or not the other's waits or is being indexed", async () => {
    const { ask, own, addForeign } = await setUp();
    const foreign = await addForeign();
    const rescan = (of: Subject) => `/api/v1/repositories/${of.repository}/rescan`;
    const theirs = JSON.parse((await ask("theirs", rescan(foreign), "POST")).body) as { run_id: string };
    const mine = JSON.parse((await ask("mine", rescan(own), "POST")).body) as { run_id: string };
    const waiting = `/api/v1/runs/${mine.run_id}`;
    const setPathLines = async (lines: number | null) => {
      const changed = database.db.updateTable("repositories").set({ path_lines: lines });
      await changed.where("id", "=", foreign.repository).execute();
    };
    await setPathLines(null);
    const all = async () => ({ ...(await readAll(ask, own)), waiting: await ask("mine", waiting) });
    const before = await all();
    expect(JSON.parse((await ask("theirs", "/api/v1/search?q=shared")).body).incomplete).not.toBeNull();

    expect((await ask("theirs", `/api/v1/runs/${theirs.run_id}/cancel`, "POST")).status).toBe(202);
    await setPathLines(2);

    expect(await all()).toEqual(before);
    expect(JSON.parse(before.waiting.body)).toMatchObject({ state: "queued", position: 1 });
  });

  test("is answered of the own as if nothing else was there", async () => {
    const { ask, own, addForeign } = await setUp();
    const foreign = await addForeign();

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
      expect(mine.data[0].repository_id).toBe(own.repository);
      expect([theirs.data.length, theirs.estimated_total], q).toEqual([1, 1]);
      expect(theirs.data[0].repository_id).toBe(foreign.repository);
    }
  });

  test("cannot go on from another's cursor into what is not the own", async () => {
    const { ask, addForeign } = await setUp();
    const foreign = await addForeign();
    const pages = await Promise.all(
      ["path:*", "/./", "s"].map(async (q) => {
        const path = `/api/v1/search?q=${encodeURIComponent(q)}&limit=1`;
        return { path, cursor: JSON.parse((await ask("theirs", path)).body).next_cursor as string | null };
      }),
    );

    expect(pages.filter(({ cursor }) => cursor !== null).length).toBeGreaterThan(0);
    for (const { path, cursor } of pages) {
      if (cursor === null) continue;
      const { status, body } = await ask("mine", `${path}&cursor=${cursor}`);
      const { data, next_cursor } = JSON.parse(body) as {
        data: { repository_id: string }[];
        next_cursor: string | null;
      };
      expect(status).toBe(200);
      expect(data.map(({ repository_id }) => repository_id)).not.toContain(foreign.repository);
      const own = Buffer.from(next_cursor ?? "", "base64url").toString();
      for (const secret of [SECRET, foreign.repository]) expect(`${body} ${own}`).not.toContain(secret);
    }
  });

  test("without a token is answered nothing", async () => {
    const { ask } = await setUp();

    for (const [route, pathsOf] of Object.entries(ROUTES)) {
      const [method = ""] = route.split(" ");
      for (const path of pathsOf(NOWHERE)) expect((await ask("", path, method)).status, path).toBe(401);
    }
  });
});
