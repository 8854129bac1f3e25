import { Hono } from "hono";
import type { Logger } from "pino";
import { expect, onTestFinished } from "vitest";
import type { AccessOptions } from "../../src/http/access.ts";
import { createHttpApp } from "../../src/http/app.ts";
import { Metrics } from "../../src/http/metrics.ts";
import type { RateLimitOptions } from "../../src/http/rate-limit.ts";
import { RunChanges } from "../../src/http/run-changes.ts";
import { createLogger } from "../../src/log.ts";
import { createSearchEngine } from "../../src/search/search.ts";
import { startServer } from "../../src/server.ts";
import type { Database } from "../support/database.ts";
import { API_TOKEN, api } from "../support/repodex.ts";

/** RFC 3339, in UTC, as JSON.stringify writes a Date. */
export const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

export interface Page<Row> {
  data: Row[];
  next_cursor: string | null;
}

export interface HttpServer {
  url: string;
  /** All that it answers, such as `GET /runs/:id`. */
  routes: string[];
  /** Whose bearer token asks: the operator's, unless a test sets another. */
  token: string;
  /** Asks with the token; with `json`, by POST. */
  ask(path: string, init?: Parameters<typeof api>[2]): Promise<Response>;
  /** The JSON of an answer that must be 200. */
  get<T>(path: string): Promise<T>;
  /** Follows next_cursor to the end, `limit` rows at a time. */
  readPages<Row>(path: string, limit: number): Promise<Row[]>;
  /** Resolves once it hears of changes: streams that begin afterwards miss nothing and begin once. */
  listening: Promise<void>;
  close(): Promise<void>;
}

/** Serves API and pages over HTTP with no worker beside them: seeded runs stay as they are. Ends with the test. */
export async function serve(
  { connection }: Pick<Database, "connection">,
  options: { access?: AccessOptions; log?: Logger; limits?: RateLimitOptions } = {},
): Promise<HttpServer> {
  const { access = { kind: "token", token: API_TOKEN }, log = createLogger("silent"), limits } = options;
  const changes = new RunChanges(connection);
  const engine = createSearchEngine(connection);
  const search = { engine, githubWebUrl: "https://github.com" };
  const metrics = new Metrics({ db: connection.db, budgets: { list: () => [] } });
  const http = createHttpApp({
    connection,
    access,
    changes,
    search,
    metrics,
    installLink: async () => null,
    log,
    limits,
  });
  const running = await startServer({
    webhooks: new Hono(),
    http,
    host: "127.0.0.1",
    port: 0,
  });
  let closed: Promise<void> | undefined;
  const close = () => {
    closed ??= changes
      .close()
      .then(() => engine.close())
      .then(() => metrics.close())
      .then(() => running.close());
    return closed;
  };
  onTestFinished(close);

  const server: HttpServer = {
    url: running.url,
    token: API_TOKEN,
    routes: http.routes
      .filter(({ method }) => method !== "ALL")
      .map(({ method, path }) => `${method} ${path}`)
      .filter((route, i, all) => all.indexOf(route) === i),
    listening: changes.listening,
    close,
    ask: (path, init) =>
      api(running, path, {
        ...init,
        headers: {
          authorization: `Bearer ${server.token}`,
          ...Object.fromEntries(new Headers(init?.headers)),
        },
      }),
    async get<T>(path: string) {
      const response = await server.ask(path);
      expect(response.status, path).toBe(200);
      return (await response.json()) as T;
    },
    async readPages<Row>(path: string, limit: number) {
      const rows: Row[] = [];
      let cursor: string | null = null;
      do {
        const query: string = cursor === null ? "" : `&cursor=${encodeURIComponent(cursor)}`;
        const separator = path.includes("?") ? "&" : "?";
        const page: Page<Row> = await server.get(`${path}${separator}limit=${limit}${query}`);
        expect(Object.keys(page).sort()).toEqual(["data", "next_cursor"]);
        if (page.next_cursor !== null) expect(page.data).toHaveLength(limit);
        rows.push(...page.data);
        cursor = page.next_cursor;
      } while (cursor !== null);
      return rows;
    },
  };
  return server;
}

/** Holds an answer against RFC 9457 and gives its detail. */
export async function expectProblem(response: Response, status: number): Promise<string> {
  const text = await response.text();
  expect([response.status, response.headers.get("content-type")], text).toEqual([
    status,
    "application/problem+json",
  ]);
  const problem = JSON.parse(text) as { detail: string };
  expect(problem).toEqual({
    type: "about:blank",
    title: expect.stringMatching(/^[A-Z][a-z ]+$/),
    status,
    detail: expect.stringMatching(/^\S.+[.…]$/s),
  });
  return problem.detail;
}

/** A cursor as the server makes them, around any key. */
export function cursorOf(key: unknown): string {
  return Buffer.from(JSON.stringify(key)).toString("base64url");
}
