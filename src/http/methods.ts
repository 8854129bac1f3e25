import type { Context, Hono } from "hono";
import { notFound, Problem } from "./problem.ts";

/** Why nothing answers: there is no such address, or it answers other methods, which `Allow` then names. */
export function unanswered(c: Context, { routes }: Pick<Hono, "routes">): Problem {
  const allowed = new Set<string>();
  for (const { method, path } of routes) {
    if (method === "ALL" || !isAddressOf(path, c.req.path)) continue;
    allowed.add(method);
    if (method === "GET") allowed.add("HEAD");
  }
  if (allowed.size === 0) return notFound("address");
  const allow = [...allowed].sort().join(", ");
  return new Problem(405, "Method not allowed", {
    detail: `${c.req.method} is none of what this address answers: ${allow}.`,
    headers: { allow },
  });
}

function isAddressOf(pattern: string, path: string): boolean {
  const parts = path.split("/");
  const expected = pattern.split("/");
  return (
    expected.length === parts.length &&
    expected.every((part, i) => (part.startsWith(":") ? parts[i] !== "" : part === parts[i]))
  );
}
