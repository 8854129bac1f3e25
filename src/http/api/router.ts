import { OpenAPIHono, type RouteConfig, type z } from "@hono/zod-openapi";
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

const PROBLEM = {
  description: "What is wrong, and what to do (RFC 9457)",
  content: { "application/problem+json": { schema: problemSchema } },
};

/** What any route may answer beside what it is for. */
export const PROBLEMS = { "4XX": PROBLEM, "5XX": PROBLEM } satisfies RouteConfig["responses"];

/** The parameters of a page's request; throws a Problem with the sentence of what does not fit. */
export function readParameters<Schema extends z.ZodType>(c: Context, schema: Schema): z.output<Schema> {
  const result = schema.safeParse({ ...c.req.query(), ...c.req.param() });
  if (!result.success) throw badRequest(firstSentence(result.error));
  return result.data;
}

function firstSentence(error: { issues: { message: string }[] }): string {
  return error.issues[0]?.message ?? "The request does not fit.";
}
