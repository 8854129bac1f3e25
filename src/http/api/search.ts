import { type Context, Hono } from "hono";
import { BadCursor } from "../../search/cursor.ts";
import { type ParsedQuery, parseQuery } from "../../search/query.ts";
import { QuerySyntaxError } from "../../search/query-error.ts";
import { type FoundFile, type SearchEngine, search } from "../../search/search.ts";
import { permalink } from "../permalink.ts";
import { badRequest, Problem } from "../problem.ts";
import { numberParameter, textParameter } from "./parameters.ts";

/** What the search's routes need. */
export interface SearchAccess {
  engine: SearchEngine;
  /** Where GitHub's pages are, such as `https://github.com`. */
  githubWebUrl: string;
}

const DEFAULT_LIMIT = 20;
const DEFAULT_CONTEXT = 1;
const DEFAULT_LINES = 10;

/** `/api/v1/search` */
export function createSearchRoutes({ engine, githubWebUrl }: SearchAccess): Hono {
  const routes = new Hono();

  routes.get("/", async (c) => {
    const query = readQuery(c);
    const options = {
      limit: numberParameter(c, "limit", { least: 1, most: 100 }) ?? DEFAULT_LIMIT,
      context: numberParameter(c, "context", { least: 0, most: 10 }) ?? DEFAULT_CONTEXT,
      lines: numberParameter(c, "lines", { least: 1, most: 10_000 }) ?? DEFAULT_LINES,
      cursor: textParameter(c, "cursor"),
      signal: c.req.raw.signal,
    };
    const { data, ...answer } = await search(engine, c.var.viewer, query, options).catch((error: unknown) => {
      if (error instanceof BadCursor) throw badRequest(error.message);
      throw error;
    });
    return c.json({ data: data.map((file) => fileJson(file, githubWebUrl)), ...answer });
  });

  return routes;
}

function readQuery(c: Context): ParsedQuery {
  const text = c.req.query("q") ?? "";
  try {
    const query = parseQuery(text);
    if (query.query !== null) return query;
  } catch (error) {
    if (!(error instanceof QuerySyntaxError)) throw error;
    const { start, end } = error.span;
    throw new Problem(400, "Bad request", { detail: error.message, more: { span: [start, end] } });
  }
  throw badRequest('q must say what to look for, such as q=createServer or q="exact text" path:*.ts.');
}

function fileJson({ path_base64, lines, ...file }: FoundFile, githubWebUrl: string) {
  const first = lines.find(({ match }) => match)?.number ?? null;
  return {
    ...file,
    ...(path_base64 !== null && { path_base64 }),
    url: permalink(githubWebUrl, { ...file, path_base64 }, first),
    lines,
  };
}
