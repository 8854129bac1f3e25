import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import type { Connection } from "../../database/connect.ts";
import { listRepositories, REPOSITORY_STATES, readRepository } from "../../installations/read.ts";
import { listActiveRuns, listRuns, type RunStatus, readStatus } from "../../runs/read.ts";
import { type FilePosition, type LineRange, listFiles, readFile } from "../../scan/read.ts";
import { badRequest, notFound, Problem } from "../problem.ts";
import { rescan } from "../rescan.ts";
import { requireRepository } from "../seen.ts";
import { createFeedStream, type Live } from "./feed-stream.ts";
import {
  cursor,
  glob,
  idParameters,
  isFilePosition,
  isId,
  limit,
  nameQuery,
  oneOf,
  page,
  requireName,
  text,
  wholeNumber,
} from "./parameters.ts";
import { createRoutes, events, json, PROBLEMS, sendPage } from "./router.ts";
import {
  contentSchema,
  FILE_STATES,
  fileSchema,
  pageOf,
  repositorySchema,
  rescanBody,
  rescanSchema,
  runSchema,
  statusSchema,
} from "./schemas.ts";
import { fileJson, repositoryJson, runJson } from "./views.ts";

const MAX_LINE = 2_147_483_647;

const LIST = createRoute({
  method: "get",
  path: "/",
  operationId: "listRepositories",
  summary: "Repositories that can be read here",
  request: {
    query: z.object({
      q: text("q", "A part of `owner/name`"),
      state: oneOf("state", REPOSITORY_STATES, "Only those that are"),
      limit,
      cursor: cursor(isId),
    }),
  },
  responses: { 200: json(pageOf(repositorySchema, "Repositories"), "Repositories"), ...PROBLEMS },
});

const READ = createRoute({
  method: "get",
  path: "/{id}",
  operationId: "readRepository",
  summary: "One repository, by GitHub's numeric id",
  request: { params: idParameters },
  responses: { 200: json(repositorySchema, "The repository"), ...PROBLEMS },
});

const FILES = createRoute({
  method: "get",
  path: "/{id}/files",
  operationId: "listFiles",
  summary: "The files of the indexed commit, in the order of their paths",
  request: {
    params: idParameters,
    query: z.object({
      state: oneOf("state", FILE_STATES, "Only those that are"),
      language: text("language", "Only those in this language"),
      path: glob("path", "Only those whose path matches: `*`, `**`, `?`"),
      limit,
      cursor: cursor(isFilePosition),
    }),
  },
  responses: { 200: json(pageOf(fileSchema, "Files"), "Files"), ...PROBLEMS },
});

const line = { least: 1, most: MAX_LINE, fallback: null };

const CONTENT = createRoute({
  method: "get",
  path: "/{id}/files/content",
  operationId: "readFile",
  summary: "A file's text at the indexed commit",
  request: {
    params: idParameters,
    query: z.object({
      ...nameQuery,
      start_line: wholeNumber("start_line", { ...line, description: "The first line, from 1" }),
      end_line: wholeNumber("end_line", { ...line, description: "The last line" }),
    }),
  },
  responses: { 200: json(contentSchema, "The text"), ...PROBLEMS },
});

/** Described by hand: it is read whether or not a program says that it sends JSON. */
const RESCAN_BODY = z.toJSONSchema(rescanBody, { io: "input" }) as { type: "object" };

const RESCAN = createRoute({
  method: "post",
  path: "/{id}/rescan",
  operationId: "rescan",
  summary: "Asks for a scan; answers the run that serves it, however many are in the way",
  request: { params: idParameters },
  requestBody: { content: { "application/json": { schema: RESCAN_BODY } } },
  responses: { 202: json(rescanSchema, "The run"), ...PROBLEMS },
});

const STATUS = createRoute({
  method: "get",
  path: "/{id}/rescan/status",
  operationId: "readStatus",
  summary: "What runs, what waits and what ended last",
  request: { params: idParameters },
  responses: { 200: json(statusSchema, "Three runs, or null"), ...PROBLEMS },
});

const RUNS = createRoute({
  method: "get",
  path: "/{id}/runs",
  operationId: "listRuns",
  summary: "A repository's runs, newest first",
  request: { params: idParameters, query: z.object({ limit, cursor: cursor(isId) }) },
  responses: { 200: json(pageOf(runSchema, "Runs"), "Runs"), ...PROBLEMS },
});

const EVENTS = createRoute({
  method: "get",
  path: "/{id}/events",
  operationId: "streamRepository",
  summary: "What happens to a repository's runs (server-sent events)",
  request: { params: idParameters },
  responses: {
    200: events("`snapshot` (as of rescan/status), then each run as it is once it changes"),
    ...PROBLEMS,
  },
});

/** `/api/v1/repositories` and what lies below. */
export function createRepositoryRoutes(connection: Connection, live: Live): OpenAPIHono {
  const { db } = connection;
  const routes = createRoutes();

  routes.openapi(LIST, async (c) => {
    const { q, state, limit, cursor } = c.req.valid("query");
    const repositories = await listRepositories(db, c.var.viewer, {
      q,
      state,
      after: cursor,
      limit: limit + 1,
    });
    const ids = repositories.map(({ id }) => id);
    const active = await listActiveRuns(db, c.var.viewer, ids);
    return sendPage(
      c,
      page(repositories, { limit, key: ({ id }) => id, json: (row) => repositoryJson(row, active) }),
    );
  });

  routes.openapi(READ, async (c) => {
    const repository = await requireRepository(c, db, c.req.valid("param").id);
    return c.json(repositoryJson(repository, await listActiveRuns(db, c.var.viewer, [repository.id])), 200);
  });

  routes.openapi(FILES, async (c) => {
    const { id } = await requireRepository(c, db, c.req.valid("param").id);
    const { limit, cursor, ...narrow } = c.req.valid("query");
    const files = await listFiles(db, c.var.viewer, {
      repository_id: id,
      ...narrow,
      after: cursor,
      limit: limit + 1,
    });
    const key = ({ path, path_base64 }: FilePosition) => ({ path, path_base64 });
    return sendPage(c, page(files, { limit, key, json: fileJson }));
  });

  routes.openapi(CONTENT, async (c) => {
    const { id } = await requireRepository(c, db, c.req.valid("param").id);
    const { start_line, end_line, ...name } = c.req.valid("query");
    requireName(name);
    const lines = linesOf(start_line, end_line);
    const file = await readFile(db, c.var.viewer, { repository_id: id, ...name, lines });
    if (!file) throw notFound("file in the indexed commit");
    if (file.state !== "indexed") {
      throw new Problem(422, "Not indexed", {
        detail: `${file.path} is not indexed: ${file.reason ?? `${file.state}.`}`,
      });
    }
    const { text: content, state: _, reason: __, language: ___, ...rest } = file;
    const { start, end } = lines ?? { start: 1, end: file.total_lines };
    if (start > Math.max(1, file.total_lines)) {
      throw badRequest(`start_line must be a line of the file, which has ${file.total_lines}.`);
    }
    return c.json({ ...rest, start_line: start, end_line: Math.min(end, file.total_lines), content }, 200);
  });

  routes.openapi(RESCAN, async (c) => {
    const { id } = c.req.valid("param");
    const readMode = async () => modeOf(await c.req.text());
    const { run, outcome, cooldown } = await rescan(c, connection, { id, readMode });
    c.header("Location", `/api/v1/runs/${run.id}`);
    if (cooldown)
      c.header("Retry-After", String(Math.max(1, Math.ceil((cooldown.until.getTime() - Date.now()) / 1000))));
    return c.json({ run_id: run.id, outcome, run: runJson(run), ...(cooldown && { cooldown }) }, 202);
  });

  routes.openapi(STATUS, async (c) => {
    const { id } = await requireRepository(c, db, c.req.valid("param").id);
    return c.json(statusJson(await readStatus(db, c.var.viewer, id)), 200);
  });

  routes.openapi(EVENTS, async (c) => {
    const { viewer } = c.var;
    const { id } = await requireRepository(c, db, c.req.valid("param").id);
    const snapshot = async () => {
      if (!(await readRepository(db, viewer, id))) return null;
      const status = await readStatus(db, viewer, id);
      return {
        data: statusJson(status),
        runs: [status.running, status.queued].filter((run) => run !== null),
      };
    };
    return createFeedStream(c, { ...live, viewer, repositoryId: id, snapshot });
  });

  routes.openapi(RUNS, async (c) => {
    const { id } = await requireRepository(c, db, c.req.valid("param").id);
    const { limit, cursor } = c.req.valid("query");
    const runs = await listRuns(db, c.var.viewer, { repository_id: id, before: cursor, limit: limit + 1 });
    return sendPage(c, page(runs, { limit, key: (run) => run.id, json: runJson }));
  });

  return routes;
}

function statusJson({ running, queued, last_finished }: RunStatus) {
  return {
    running: running && runJson(running),
    queued: queued && runJson(queued),
    last_finished: last_finished && runJson(last_finished),
  };
}

/** The lines that are asked for, or null for all; the file may end before. */
function linesOf(start: number | null, end: number | null): LineRange | null {
  if (start === null && end === null) return null;
  const lines = { start: start ?? 1, end: end ?? MAX_LINE };
  if (lines.start > lines.end) throw badRequest("start_line must not be above end_line.");
  return lines;
}

/** No body means an incremental scan. Read as text: programs often do not say that they send JSON. */
function modeOf(body: string): "incremental" | "full" {
  const result = rescanBody.safeParse(body.trim() === "" ? {} : parseJson(body));
  if (result.success) return result.data.mode;
  throw badRequest(result.error.issues[0]?.message ?? "The body does not fit.");
}

function parseJson(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}
