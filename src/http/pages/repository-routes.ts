import { z } from "@hono/zod-openapi";
import { type Context, Hono } from "hono";
import type { Connection } from "../../database/connect.ts";
import { listRuns, readStatus } from "../../runs/read.ts";
import { countProblems, listFiles, listLanguages, listProblems, readFile } from "../../scan/read.ts";
import {
  cursor,
  glob,
  idParameters,
  isFilePosition,
  isId,
  nameQuery,
  oneOf,
  page,
  requireName,
  text,
  wholeNumber,
} from "../api/parameters.ts";
import { readParameters } from "../api/router.ts";
import { FILE_STATES } from "../api/schemas.ts";
import { readForm } from "../form.ts";
import { badRequest, notFound } from "../problem.ts";
import { rescan } from "../rescan.ts";
import { requireRepository } from "../seen.ts";
import { LINES_OF_PAGE } from "./code.ts";
import { filePage } from "./file.ts";
import { withNotice } from "./notice.ts";
import { repositoryFilesPage } from "./repository-files.ts";
import type { RepositoryFrame } from "./repository-frame.ts";
import { repositoryProblemsPage } from "./repository-problems.ts";
import { repositoryRunsPage } from "./repository-runs.ts";
import { createView } from "./view.ts";

const RUNS_SHOWN = 30;
const FILES_SHOWN = 200;
const PROBLEMS_OF_EACH = 10;
const LANGUAGES_SHOWN = 100;

const RUN_PARAMETERS = z.object({
  before: text("before", "The run that the page comes before").refine((id) => id === null || isId(id), {
    error: "before must be a run's number.",
  }),
});
const FILE_LIST_PARAMETERS = z.object({
  state: oneOf("state", FILE_STATES, "Only those that are"),
  language: text("language", "Only those in this language"),
  path: glob("path", "Only those whose path matches"),
  cursor: cursor(isFilePosition),
});
const FILE_PARAMETERS = z.object({
  ...nameQuery,
  start: wholeNumber("start", {
    least: 1,
    most: 1_000_000_000,
    fallback: 1,
    description: "The first line that is shown",
  }),
});

/** `/repositories/{id}` and its tabs, its files, and the form that asks for a scan. */
export function createRepositoryPages(
  connection: Connection,
  { githubWebUrl }: { githubWebUrl: string },
): Hono {
  const { db } = connection;
  const routes = new Hono();

  const requireAsked = (c: Context) => requireRepository(c, db, readParameters(c, idParameters).id);

  async function readFrame(c: Context): Promise<RepositoryFrame> {
    const { viewer } = c.var;
    const repository = await requireAsked(c);
    const status = await readStatus(db, viewer, repository.id);
    const problems = await countProblems(db, viewer, repository.id);
    return { repository, status, problems, githubWebUrl };
  }

  routes.get("/:id", async (c) => {
    const frame = await readFrame(c);
    const { before } = readParameters(c, RUN_PARAMETERS);
    const { id: repository_id } = frame.repository;
    const rows = await listRuns(db, c.var.viewer, { repository_id, before, limit: RUNS_SHOWN + 1 });
    const runs = { runs: rows.slice(0, RUNS_SHOWN), before, hasMore: rows.length > RUNS_SHOWN };
    return c.html(repositoryRunsPage(createView(c), frame, runs));
  });

  routes.get("/:id/files", async (c) => {
    const { viewer } = c.var;
    const frame = await readFrame(c);
    const { cursor: after, ...filter } = readParameters(c, FILE_LIST_PARAMETERS);
    const { id: repository_id } = frame.repository;
    const rows = await listFiles(db, viewer, { repository_id, ...filter, after, limit: FILES_SHOWN + 1 });
    const { data: files, next_cursor: next } = page(rows, {
      limit: FILES_SHOWN,
      key: ({ path, path_base64 }) => ({ path, path_base64 }),
      json: (row) => row,
    });
    const languages = await listLanguages(db, viewer, { repository_id, limit: LANGUAGES_SHOWN });
    const shown = { files, filter, languages, states: FILE_STATES, next, isLater: after !== null };
    return c.html(repositoryFilesPage(createView(c), frame, shown));
  });

  routes.get("/:id/problems", async (c) => {
    const frame = await readFrame(c);
    const { id: repository_id } = frame.repository;
    const files = await listProblems(db, c.var.viewer, { repository_id, ofEach: PROBLEMS_OF_EACH });
    return c.html(repositoryProblemsPage(createView(c), frame, files));
  });

  routes.get("/:id/file", async (c) => {
    const repository = await requireAsked(c);
    const { start, ...name } = readParameters(c, FILE_PARAMETERS);
    requireName(name);
    const lines = { start, end: start + LINES_OF_PAGE - 1 };
    const file = await readFile(db, c.var.viewer, { repository_id: repository.id, ...name, lines });
    if (!file) throw notFound("file in the indexed commit");
    if (start > Math.max(1, file.total_lines)) {
      throw badRequest(`start must be a line of the file, which has ${file.total_lines}.`);
    }
    const shown = { repository, path_base64: name.path_base64, start, githubWebUrl };
    return c.html(filePage(createView(c), file, shown));
  });

  routes.post("/:id/rescan", async (c) => {
    const { id } = readParameters(c, idParameters);
    const { outcome, cooldown } = await rescan(c, connection, { id, readMode: () => readMode(c) });
    return c.redirect(withNotice(`/repositories/${id}`, cooldown ? "cooldown" : outcome), 303);
  });

  return routes;
}

/** What the form asks for; a form without it means what changed. */
async function readMode(c: Context): Promise<"incremental" | "full"> {
  const { mode = "incremental" } = await readForm(c);
  if (mode === "incremental" || mode === "full") return mode;
  throw badRequest('mode must be "incremental" or "full".');
}
