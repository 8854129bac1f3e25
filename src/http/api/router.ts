import { OpenAPIHono, type RouteConfig, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { badRequest } from "../problem.ts";
import { problemSchema } from "./schemas.ts";

/** Routes that are described and checked by the same schemas. What does not fit is answered by the schema's sentence. */
export function createRoutes(): OpenAPIHono {
  return new OpenAPIHono({
    defaultHook: (result) => {
      if (!result.success) throw badRequest(firstSentence(result.error));
    },
  });
}

/** An answer's content for a route's description. */
export function json<Schema extends z.ZodType>(schema: Schema, description: string) {
  return { description, content: { "application/json": { schema } } };
}

/** An answer of server-sent events. */
export function events(description: string) {
  return { description, content: { "text/event-stream": { schema: z.string() } } };
}

const PROBLEM = {
  description: "What is wrong, and what to do (RFC 9457)",
  content: { "application/problem+json": { schema: problemSchema } },
};

/** What any route may answer beside what it is for. */
export const PROBLEMS = { "4XX": PROBLEM, "5XX": PROBLEM } satisfies RouteConfig["responses"];

/** Answers a page of a list; where there is a next one, `Link` (RFC 8288) leads to it as well. */
export function sendPage<Page extends { next_cursor: string | null }>(c: Context, page: Page) {
  if (page.next_cursor !== null) {
    const next = new URL(c.req.url);
    next.searchParams.set("cursor", page.next_cursor);
    c.header("Link", `<${next.pathname}${next.search}>; rel="next"`);
  }
  return c.json(page, 200);
}

/** The parameters of a page's request; throws a Problem with the sentence of what does not fit. */
export function readParameters<Schema extends z.ZodType>(c: Context, schema: Schema): z.output<Schema> {
  const result = schema.safeParse({ ...c.req.query(), ...c.req.param() });
  if (!result.success) throw badRequest(firstSentence(result.error));
  return result.data;
}

function firstSentence(error: { issues: { message: string }[] }): string {
  return error.issues[0]?.message ?? "The request does not fit.";
}
