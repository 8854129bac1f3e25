import { readFileSync } from "node:fs";
import path from "node:path";
import { z } from "@hono/zod-openapi";
import { type Context, Hono } from "hono";
import type { Connection } from "../../database/connect.ts";
import { readOverview, readRepository } from "../../installations/read.ts";
import { listEvents } from "../../runs/events.ts";
import { listRuns, listRunsById, readRun } from "../../runs/read.ts";
import { listFiles, readFile } from "../../scan/read.ts";
import { settingsJsonSchema } from "../../scan/settings.ts";
import { BadCursor } from "../../search/cursor.ts";
import { parseQuery } from "../../search/query.ts";
import { QuerySyntaxError } from "../../search/query-error.ts";
import { search } from "../../search/search.ts";
import { idParameters, nameQuery, requireName, text, wholeNumber } from "../api/parameters.ts";
import { readParameters } from "../api/router.ts";
import type { SearchAccess } from "../api/search.ts";
import { badRequest, notFound } from "../problem.ts";
import { LINES_OF_PAGE } from "./code.ts";
import { filePage } from "./file.ts";
import { homePage } from "./home.ts";
import { repositoryPage } from "./repository.ts";
import { runPage } from "./run.ts";
import { type SearchOutcome, searchPage } from "./search.ts";

const REPOSITORIES_SHOWN = 200;
const RUNS_SHOWN = 30;
const EVENTS_SHOWN = 200;
const PROBLEMS_SHOWN = 50;
/** Files of a page of answers, what is shown around each line, and at most how many lines of a file. */
const FOUND = { limit: 20, context: 1, lines: 10 };

const FILE_PARAMETERS = z.object({
  ...nameQuery,
  start: wholeNumber("start", {
    least: 1,
    most: 1_000_000_000,
    fallback: 1,
    description: "The first line that is shown",
  }),
});
const SEARCH_PARAMETERS = z.object({ cursor: text("cursor", "Where the page before ended") });

/** The plain pages: no script, so nothing of theirs can be made to run. */
export function createPageRoutes({ db }: Connection, access: SearchAccess): Hono {
  const { githubWebUrl } = access;
  const routes = new Hono();

  routes.get("/", async (c) => {
    const { viewer } = c.var;
    const overview = await readOverview(db, viewer, REPOSITORIES_SHOWN);
    const runs = await listRunsById(
      db,
      viewer,
      overview.rows.flatMap(({ run_id }) => run_id ?? []),
    );
    return c.html(homePage(overview, runs));
  });

  routes.get("/repositories/:id", async (c) => {
    const { viewer } = c.var;
    const repository = await readRepository(db, viewer, readParameters(c, idParameters).id);
    if (!repository) throw notFound("repository");
    const repository_id = repository.id;
    const runs = await listRuns(db, viewer, { repository_id, before: null, limit: RUNS_SHOWN });
    const all = { repository_id, language: null, path: null, after: null, limit: PROBLEMS_SHOWN };
    const unreadable = await listFiles(db, viewer, { ...all, state: "unreadable" });
    const encoding = await listFiles(db, viewer, { ...all, state: "encoding" });
    return c.html(repositoryPage(repository, { runs, problems: [...unreadable, ...encoding] }));
  });

  routes.get("/repositories/:id/file", async (c) => {
    const { viewer } = c.var;
    const repository = await readRepository(db, viewer, readParameters(c, idParameters).id);
    if (!repository) throw notFound("repository");
    const { start, ...name } = readParameters(c, FILE_PARAMETERS);
    requireName(name);
    const lines = { start, end: start + LINES_OF_PAGE - 1 };
    const file = await readFile(db, viewer, { repository_id: repository.id, ...name, lines });
    if (!file) throw notFound("file in the indexed commit");
    if (start > Math.max(1, file.total_lines)) {
      throw badRequest(`start must be a line of the file, which has ${file.total_lines}.`);
    }
    return c.html(filePage(file, { repository, path_base64: name.path_base64, start, githubWebUrl }));
  });

  routes.get("/search", async (c) => {
    const { cursor } = readParameters(c, SEARCH_PARAMETERS);
    const q = c.req.query("q") ?? "";
    const outcome = await searchFor(c, access, { text: q, cursor });
    const status = outcome instanceof QuerySyntaxError ? 400 : 200;
    return c.html(searchPage(q, { outcome, isLater: cursor !== null, githubWebUrl }), status);
  });

  routes.get("/runs/:id", async (c) => {
    const { viewer } = c.var;
    const run = await readRun(db, viewer, readParameters(c, idParameters).id);
    const repository = run && (await readRepository(db, viewer, run.repository_id));
    if (!run || !repository) throw notFound("run");
    const afterSeq = Math.max(0, run.event_seq - EVENTS_SHOWN);
    const events = await listEvents(db, run.id, { afterSeq, limit: EVENTS_SHOWN });
    return c.html(runPage(run, { repository, events }));
  });

  return routes;
}

/** What a query finds, or what is wrong with it; null where it asks nothing. */
async function searchFor(
  c: Context,
  { engine }: SearchAccess,
  { text, cursor }: { text: string; cursor: string | null },
): Promise<SearchOutcome> {
  try {
    const query = parseQuery(text);
    if (query.query === null) return null;
    return await search(engine, c.var.viewer, query, { ...FOUND, cursor, signal: c.req.raw.signal });
  } catch (error) {
    if (error instanceof QuerySyntaxError) return error;
    if (error instanceof BadCursor) throw badRequest(error.message);
    throw error;
  }
}

/** The stylesheet, the icon and the schema of configurations; they tell nothing, so everyone may read them. */
export function createStaticRoutes(): Hono {
  const routes = new Hono();
  const types = { "style.css": "text/css; charset=utf-8", "icon.svg": "image/svg+xml" };
  for (const [name, type] of Object.entries(types)) {
    const content = readFileSync(path.join(import.meta.dirname, "../static", name), "utf8");
    routes.get(`/${name}`, (c) =>
      c.body(content, 200, { "content-type": type, "cache-control": "max-age=300" }),
    );
  }
  const schema = JSON.stringify(settingsJsonSchema(), null, 2);
  routes.get("/repodex.schema.json", (c) =>
    c.body(schema, 200, { "content-type": "application/schema+json", "cache-control": "max-age=300" }),
  );
  return routes;
}
