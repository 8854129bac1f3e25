import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { BadCursor } from "../../search/cursor.ts";
import { type ParsedQuery, parseQuery } from "../../search/query.ts";
import { QuerySyntaxError } from "../../search/query-error.ts";
import { type FoundFile, type SearchEngine, search } from "../../search/search.ts";
import { permalink } from "../permalink.ts";
import { badRequest, Problem } from "../problem.ts";
import { text, wholeNumber } from "./parameters.ts";
import { createRoutes, json, PROBLEMS, sendPage } from "./router.ts";
import { searchSchema } from "./schemas.ts";

/** What the search's routes need. */
export interface SearchAccess {
  engine: SearchEngine;
  /** Where GitHub's pages are, such as `https://github.com`. */
  githubWebUrl: string;
}

const SEARCH = createRoute({
  method: "get",
  path: "/",
  operationId: "search",
  summary: "Files that a query finds, with lines and the commit they are of",
  request: {
    query: z.object({
      q: z.string({ error: "q must be given once." }).default("").openapi({
        description: "What to look for: docs/query-language.md",
        example: "createServer lang:ts",
      }),
      limit: wholeNumber("limit", { least: 1, most: 100, fallback: 20, description: "Files a page" }),
      context: wholeNumber("context", {
        least: 0,
        most: 10,
        fallback: 1,
        description: "Lines shown before and after each",
      }),
      lines: wholeNumber("lines", { least: 1, most: 10_000, fallback: 10, description: "Lines of a file" }),
      cursor: text("cursor", "The `next_cursor` of an earlier answer"),
    }),
  },
  responses: { 200: json(searchSchema, "What was found"), ...PROBLEMS },
});

/** `/api/v1/search` */
export function createSearchRoutes({ engine, githubWebUrl }: SearchAccess): OpenAPIHono {
  const routes = createRoutes();

  routes.openapi(SEARCH, async (c) => {
    const { q, ...paging } = c.req.valid("query");
    const query = readQuery(q);
    const options = { ...paging, signal: c.req.raw.signal };
    const { data, ...answer } = await search(engine, c.var.viewer, query, options).catch((error: unknown) => {
      if (error instanceof BadCursor) throw badRequest(error.message);
      throw error;
    });
    return sendPage(c, { data: data.map((file) => fileJson(file, githubWebUrl)), ...answer });
  });

  return routes;
}

function readQuery(q: string): ParsedQuery {
  try {
    const query = parseQuery(q);
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
