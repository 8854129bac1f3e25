import { OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import { bodyLimit } from "hono/body-limit";
import { etag } from "hono/etag";
import { requestId } from "hono/request-id";
import { secureHeaders } from "hono/secure-headers";
import { sql } from "kysely";
import type { Logger } from "pino";
import type { Connection } from "../database/connect.ts";
import { isMigrated } from "../database/migrate.ts";
import { type AccessOptions, requireAccess, requireOperator } from "./access.ts";
import { createDeliveryRoutes } from "./api/deliveries.ts";
import { createDescription } from "./api/description.ts";
import { createEventRoutes } from "./api/events.ts";
import { createRepositoryRoutes } from "./api/repositories.ts";
import { createRunRoutes } from "./api/runs.ts";
import { createSearchRoutes, type SearchAccess } from "./api/search.ts";
import { unanswered } from "./methods.ts";
import type { Metrics } from "./metrics.ts";
import { createStaticRoutes } from "./pages/assets.ts";
import { problemPage } from "./pages/problem.ts";
import { createPageRoutes } from "./pages/routes.ts";
import { createView } from "./pages/view.ts";
import { Problem, sendProblem } from "./problem.ts";
import { type RateLimitOptions, rateLimit } from "./rate-limit.ts";
import type { RunChanges } from "./run-changes.ts";
import { RunFeed } from "./run-feed.ts";
import { createSettingsRoutes } from "./settings.ts";
import { createSignInRoutes, signInAddress } from "./sign-in.ts";

export interface HttpOptions {
  connection: Connection;
  access: AccessOptions;
  changes: RunChanges;
  search: SearchAccess;
  metrics: Metrics;
  /** Where people install the App; null while GitHub does not say. */
  installLink(): Promise<string | null>;
  log: Logger;
  /** Undefined: nobody is held back. */
  limits?: RateLimitOptions | undefined;
}

/** The API, the pages and the two probes. */
export function createHttpApp({
  connection,
  access,
  changes,
  search,
  metrics,
  installLink,
  log,
  limits,
}: HttpOptions): OpenAPIHono {
  const app = new OpenAPIHono();
  app.use(secureHeaders({ contentSecurityPolicy: CONTENT_SECURITY_POLICY, referrerPolicy: "same-origin" }));
  app.use(requestId());
  app.get("/healthz", (c) => c.json({ status: "ok" }));
  app.get("/readyz", async (c) => {
    const fault = await findFault(connection);
    return fault
      ? sendProblem(c, new Problem(503, "Not ready", { detail: fault }))
      : c.json({ status: "ready" });
  });
  app.route("/static", createStaticRoutes());
  const description = createDescription(app);
  app.get("/api/openapi.json", (c) => c.json(description(), 200, { "cache-control": "max-age=300" }));
  app.use(async (c, next) => {
    await next();
    if (!c.res.headers.has("cache-control")) c.header("cache-control", "no-store");
  });
  if (access.kind === "github") app.route("/", createSignInRoutes(access, log));
  app.use(requireAccess(access, changes));
  if (limits) app.use(rateLimit(limits));
  app.use(bodyLimit({ maxSize: MAX_BODY_BYTES, onError: (c) => answer(c, tooLarge) }));
  const tagged = etag({ weak: true }); // for programs, which keep what they read all the same
  app.use("/api/v1/*", (c, next) => (isStream(c) ? next() : tagged(c, next)));
  const live = { changes, feed: new RunFeed({ db: connection.db, changes, log }) };
  app.route("/api/v1/deliveries", createDeliveryRoutes(connection));
  app.route("/api/v1/events", createEventRoutes(connection, live));
  app.route("/api/v1/repositories", createRepositoryRoutes(connection, live));
  app.route("/api/v1/search", createSearchRoutes(search));
  app.route("/api/v1/runs", createRunRoutes(connection, changes));
  app.get("/metrics", async (c) => {
    requireOperator(c);
    return c.body(await metrics.read(), 200, { "content-type": metrics.contentType });
  });
  app.route("/", createPageRoutes(connection, { ...search, installLink }));
  app.route("/", createSettingsRoutes(connection));
  app.notFound((c) => answer(c, unanswered(c, app)));
  app.onError((error, c) => {
    if (error instanceof Problem) {
      const mayCome =
        access.kind === "github" && error.status === 401 && c.req.method === "GET" && wantsPage(c);
      return mayCome ? c.redirect(signInAddress(c), 302) : answer(c, error);
    }
    if (isDatabaseAway(error)) {
      log.warn({ err: error, path: c.req.path }, "the database is away");
      return answer(c, databaseAway);
    }
    const request_id = c.var.requestId;
    log.error({ err: error, method: c.req.method, path: c.req.path, request_id }, "request failed");
    const detail = `Something failed here; the server's log says what, at request ${request_id}.`;
    return answer(c, new Problem(500, "Internal error", { detail }));
  });
  return app;
}

/** Streams have no end to be hashed. */
function isStream(c: Context): boolean {
  return !["GET", "HEAD"].includes(c.req.method) || c.req.path.endsWith("/events");
}

/** The API's bodies are a few words. */
const MAX_BODY_BYTES = 64 * 1024;
const tooLarge = new Problem(413, "Too large", { detail: "The body must not be over 64 KB." });

/** Pages load nothing from elsewhere; their one script is a file of ours. */
const CONTENT_SECURITY_POLICY = {
  defaultSrc: ["'none'"],
  scriptSrc: ["'self'"],
  connectSrc: ["'self'"],
  styleSrc: ["'self'"],
  imgSrc: ["'self'"],
  formAction: ["'self'"],
  frameAncestors: ["'none'"],
  baseUri: ["'none'"],
};

const databaseAway = new Problem(503, "Not available", {
  detail: "The database does not answer. Try again in a moment.",
  headers: { "retry-after": "5" },
});

/** Connection exceptions, shutdowns, too many clients (classes 08, 57P, 53), and what sockets and the pool say. */
function isDatabaseAway(error: Error): boolean {
  const code = "code" in error ? String(error.code) : "";
  if (/^(08|57P|53)/.test(code)) return true;
  if (["ECONNREFUSED", "ECONNRESET", "ENOENT", "EPIPE", "ETIMEDOUT"].includes(code)) return true;
  return /Connection terminated|not currently accepting connections|timeout exceeded when trying to connect/i.test(
    error.message,
  );
}

async function findFault({ db }: Connection): Promise<string | null> {
  try {
    await sql`select 1`.execute(db);
    return (await isMigrated(db)) ? null : "The database is not migrated yet.";
  } catch {
    return "The database does not answer.";
  }
}

function wantsPage(c: Context): boolean {
  return !c.req.path.startsWith("/api/") && (c.req.header("accept") ?? "").includes("text/html");
}

/** Problems as JSON to programs, as a page to people. */
function answer(c: Context, problem: Problem): Response | Promise<Response> {
  return wantsPage(c)
    ? c.html(problemPage(createView(c), problem), problem.status, problem.headers)
    : sendProblem(c, problem);
}
