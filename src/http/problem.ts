import type { Context } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";

/** An answer that ends a request: RFC 9457. `detail` says what to do about it. */
export class Problem extends Error {
  override readonly name = "Problem";
  readonly status: ContentfulStatusCode;
  readonly title: string;
  readonly headers: Record<string, string>;
  /** Members beside those of RFC 9457. */
  readonly more: Record<string, unknown>;

  constructor(
    status: ContentfulStatusCode,
    title: string,
    options: { detail?: string; headers?: Record<string, string>; more?: Record<string, unknown> } = {},
  ) {
    super(options.detail ?? title);
    this.status = status;
    this.title = title;
    this.headers = options.headers ?? {};
    this.more = options.more ?? {};
  }
}

export function notFound(what: string): Problem {
  return new Problem(404, "Not found", { detail: `There is no such ${what}, or you may not see it.` });
}

export function badRequest(detail: string): Problem {
  return new Problem(400, "Bad request", { detail });
}

export function sendProblem(c: Context, { status, title, message, headers, more }: Problem): Response {
  return c.body(JSON.stringify({ type: "about:blank", title, status, detail: message, ...more }), status, {
    "content-type": "application/problem+json",
    ...headers,
  });
}
