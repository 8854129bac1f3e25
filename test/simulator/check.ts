import type { Validator } from "./openapi.ts";
import type { createRouter, Matched } from "./router.ts";

/** What was found in a request before anything else was done with it. */
export interface Checked {
  /** "METHOD /template" of GitHub's description; null where nothing of it was held against the request. */
  operation: string | null;
  violations: string[];
}

interface Sent {
  method: string;
  /** Path and query below the API's root. */
  path: string;
  body: unknown;
}

/** Holds a request against GitHub's description; without a validator only that the address is known. */
export function checkRest(
  { method, path, body }: Sent,
  { match, validator }: { match: ReturnType<typeof createRouter>; validator: Validator | null },
): Checked & { matched: Matched | null } {
  const [pathname = "", query] = path.split("?");
  const matched = match(method, pathname);
  if (!matched) {
    const violations = [`${method} ${path}: the simulator has no such route.`];
    return { matched, operation: null, violations };
  }
  const { route, params } = matched;
  const known = validator?.describes(route) ? validator : null;
  return {
    matched,
    operation: known && `${route.method} ${route.template}`,
    violations: known?.checkRequest(route, { params, query: new URLSearchParams(query), body }) ?? [],
  };
}
