import { type Context, Hono } from "hono";
import { type Connection, transaction } from "../../database/connect.ts";
import { listRepositories, REPOSITORY_STATES, readRepository } from "../../installations/read.ts";
import { listActiveRuns, listRuns, readRun, readStatus } from "../../runs/read.ts";
import { requestRescan } from "../../runs/rescan.ts";
import { type FilePosition, type LineRange, listFiles, readFile } from "../../scan/read.ts";
import { badRequest, notFound, Problem } from "../problem.ts";
import {
  globParameter,
  idParameter,
  isBase64,
  isId,
  limitParameter,
  nameParameters,
  numberParameter,
  oneOf,
  page,
  readCursor,
  textParameter,
} from "./parameters.ts";
import { fileJson, repositoryJson, runJson } from "./views.ts";

const FILE_STATES = [
  "indexed",
  "binary",
  "oversize",
  "encoding",
  "lfs",
  "symlink",
  "submodule",
  "excluded",
  "unreadable",
] as const;

/** `/api/v1/repositories` and what lies below. */
export function createRepositoryRoutes(connection: Connection): Hono {
  const { db } = connection;
  const routes = new Hono();

  async function requireRepository(c: Context) {
    const repository = await readRepository(db, c.var.viewer, idParameter(c, "id"));
    if (!repository) throw notFound("repository");
    return repository;
  }

  routes.get("/", async (c) => {
    const limit = limitParameter(c);
    const repositories = await listRepositories(db, c.var.viewer, {
      q: textParameter(c, "q"),
      state: oneOf(c, "state", REPOSITORY_STATES),
      after: readCursor(c, isId),
      limit: limit + 1,
    });
    const ids = repositories.map(({ id }) => id);
    const active = await listActiveRuns(db, c.var.viewer, ids);
    return c.json(
      page(repositories, { limit, key: ({ id }) => id, json: (row) => repositoryJson(row, active) }),
    );
  });

  routes.get("/:id", async (c) => {
    const repository = await requireRepository(c);
    return c.json(repositoryJson(repository, await listActiveRuns(db, c.var.viewer, [repository.id])));
  });

  routes.get("/:id/files", async (c) => {
    const { id } = await requireRepository(c);
    const limit = limitParameter(c);
    const files = await listFiles(db, c.var.viewer, {
      repository_id: id,
      state: oneOf(c, "state", FILE_STATES),
      language: textParameter(c, "language"),
      path: globParameter(c, "path"),
      after: readCursor(c, isFilePosition),
      limit: limit + 1,
    });
    const key = ({ path, path_base64 }: FilePosition) => ({ path, path_base64 });
    return c.json(page(files, { limit, key, json: fileJson }));
  });

  routes.get("/:id/files/content", async (c) => {
    const { id } = await requireRepository(c);
    const name = nameParameters(c);
    const lines = linesParameter(c);
    const file = await readFile(db, c.var.viewer, { repository_id: id, ...name, lines });
    if (!file) throw notFound("file in the indexed commit");
    if (file.state !== "indexed") {
      throw new Problem(422, "Not indexed", {
        detail: `${file.path} is not indexed: ${file.reason ?? `${file.state}.`}`,
      });
    }
    const { text, state: _, reason: __, language: ___, ...rest } = file;
    const { start, end } = lines ?? { start: 1, end: file.total_lines };
    if (start > Math.max(1, file.total_lines)) {
      throw badRequest(`start_line must be a line of the file, which has ${file.total_lines}.`);
    }
    return c.json({ ...rest, start_line: start, end_line: Math.min(end, file.total_lines), content: text });
  });

  routes.post("/:id/rescan", async (c) => {
    // A removed repository is hidden; only who may see all is told why it cannot be scanned.
    const { repositories } = c.var.viewer;
    const id = repositories === "all" ? idParameter(c, "id") : (await requireRepository(c)).id;
    const mode = await readMode(c);
    const rescan = await transaction(connection, ({ trx }) =>
      requestRescan(trx, { repository_id: id, mode, requested_by: c.var.actor }),
    );
    if (rescan.kind === "refused" && rescan.why === "unknown_repository") throw notFound("repository");
    if (rescan.kind === "refused") throw new Problem(422, "Cannot scan", { detail: rescan.message });
    const run = await readRun(db, c.var.viewer, rescan.run_id);
    if (!run) throw notFound("run");
    c.header("Location", `/api/v1/runs/${run.id}`);
    const { outcome, cooldown } = rescan;
    if (cooldown)
      c.header("Retry-After", String(Math.max(1, Math.ceil((cooldown.until.getTime() - Date.now()) / 1000))));
    return c.json({ run_id: run.id, outcome, run: runJson(run), ...(cooldown && { cooldown }) }, 202);
  });

  routes.get("/:id/rescan/status", async (c) => {
    const { id } = await requireRepository(c);
    const { running, queued, last_finished } = await readStatus(db, c.var.viewer, id);
    return c.json({
      running: running && runJson(running),
      queued: queued && runJson(queued),
      last_finished: last_finished && runJson(last_finished),
    });
  });

  routes.get("/:id/runs", async (c) => {
    const { id } = await requireRepository(c);
    const limit = limitParameter(c);
    const before = readCursor(c, isId);
    const runs = await listRuns(db, c.var.viewer, { repository_id: id, before, limit: limit + 1 });
    return c.json(page(runs, { limit, key: (run) => run.id, json: runJson }));
  });

  return routes;
}

function isFilePosition(value: unknown): value is FilePosition {
  return (
    typeof value === "object" &&
    value !== null &&
    "path" in value &&
    typeof value.path === "string" &&
    !value.path.includes("\0") &&
    "path_base64" in value &&
    (value.path_base64 === null || (typeof value.path_base64 === "string" && isBase64(value.path_base64)))
  );
}

const MAX_LINE = 2_147_483_647;

/** The lines that are asked for, or null for all; the file may end before. */
function linesParameter(c: Context): LineRange | null {
  const bounds = { least: 1, most: MAX_LINE };
  const start = numberParameter(c, "start_line", bounds);
  const end = numberParameter(c, "end_line", bounds);
  if (start === null && end === null) return null;
  const lines = { start: start ?? 1, end: end ?? MAX_LINE };
  if (lines.start > lines.end) throw badRequest("start_line must not be above end_line.");
  return lines;
}

/** No body means an incremental scan. */
async function readMode(c: Context): Promise<"incremental" | "full"> {
  const text = await c.req.text();
  if (text.trim() === "") return "incremental";
  const body = parseObject(text);
  if (!body) throw badRequest('The body must be a JSON object, such as { "mode": "full" }.');
  const { mode = "incremental" } = body;
  if (mode !== "incremental" && mode !== "full") throw badRequest('mode must be "incremental" or "full".');
  return mode;
}

function parseObject(text: string): { mode?: unknown } | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}
