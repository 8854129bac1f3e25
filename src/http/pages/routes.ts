import { readFileSync } from "node:fs";
import path from "node:path";
import { Hono } from "hono";
import type { Connection } from "../../database/connect.ts";
import { listRepositories, readRepository } from "../../installations/read.ts";
import { listEvents } from "../../runs/events.ts";
import { listRuns, readRun } from "../../runs/read.ts";
import { listFiles } from "../../scan/read.ts";
import { settingsJsonSchema } from "../../scan/settings.ts";
import { idParameter } from "../api/parameters.ts";
import { notFound } from "../problem.ts";
import { homePage } from "./home.ts";
import { repositoryPage } from "./repository.ts";
import { runPage } from "./run.ts";

const REPOSITORIES_SHOWN = 200;
const RUNS_SHOWN = 30;
const EVENTS_SHOWN = 200;
const PROBLEMS_SHOWN = 50;

/** The plain pages: no script, so nothing of theirs can be made to run. */
export function createPageRoutes({ db }: Connection): Hono {
  const routes = new Hono();

  routes.get("/", async (c) => {
    const limit = REPOSITORIES_SHOWN + 1;
    const repositories = await listRepositories(db, c.var.viewer, {
      q: null,
      state: null,
      after: null,
      limit,
    });
    const shown = repositories.slice(0, REPOSITORIES_SHOWN);
    return c.html(homePage(shown, { more: repositories.length > shown.length }));
  });

  routes.get("/repositories/:id", async (c) => {
    const { viewer } = c.var;
    const repository = await readRepository(db, viewer, idParameter(c, "id"));
    if (!repository) throw notFound("repository");
    const repository_id = repository.id;
    const runs = await listRuns(db, viewer, { repository_id, before: null, limit: RUNS_SHOWN });
    const all = { repository_id, language: null, path: null, after: null, limit: PROBLEMS_SHOWN };
    const unreadable = await listFiles(db, viewer, { ...all, state: "unreadable" });
    const encoding = await listFiles(db, viewer, { ...all, state: "encoding" });
    return c.html(repositoryPage(repository, { runs, problems: [...unreadable, ...encoding] }));
  });

  routes.get("/runs/:id", async (c) => {
    const { viewer } = c.var;
    const run = await readRun(db, viewer, idParameter(c, "id"));
    const repository = run && (await readRepository(db, viewer, run.repository_id));
    if (!run || !repository) throw notFound("run");
    const afterSeq = Math.max(0, run.event_seq - EVENTS_SHOWN);
    const events = await listEvents(db, run.id, { afterSeq, limit: EVENTS_SHOWN });
    return c.html(runPage(run, { repository, events }));
  });

  return routes;
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
