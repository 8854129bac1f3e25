import type { Server } from "node:http";
import { createAdaptorServer } from "@hono/node-server";
import { Hono } from "hono";

/** Headers and body of any request must be in by then; the webhook route is stricter. */
const REQUEST_TIMEOUT_MS = 60_000;
/** Longer than proxies keep an idle connection: who is closed upon while sending must send again. */
const KEEP_ALIVE_MS = 65_000;
/** What streams may take to notice that the server stops. */
const CLOSE_GRACE_MS = 2_000;

export interface RunningServer {
  /** Its own address, without a trailing slash. */
  url: string;
  close(): Promise<void>;
}

/** Serves GitHub's webhooks and everything of ours on one port. Rejects when the port cannot be had. */
export async function startServer(options: {
  webhooks: Hono;
  /** `env` is what the adapter knows of the connection. */
  http: { fetch(request: Request, env?: object): Response | Promise<Response> };
  host: string;
  port: number;
}): Promise<RunningServer> {
  const app = new Hono();
  app.route("/api/github/webhooks", options.webhooks);
  app.on("TRACE", "*", (c) => c.body(null, 405)); // which no Request can be made of
  app.mount("/", (request, env: object) => options.http.fetch(request, env));
  const server = createAdaptorServer({ fetch: app.fetch }) as Server;
  server.requestTimeout = REQUEST_TIMEOUT_MS;
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port, options.host, resolve);
  });
  const address = server.address();
  const port = typeof address === "object" && address ? address.port : options.port;
  const host = options.host.includes(":") ? `[${options.host}]` : options.host;
  return { url: `http://${host}:${port}`, close: () => close(server) };
}

async function close(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const timer = setTimeout(() => server.closeAllConnections(), CLOSE_GRACE_MS);
  await closed;
  clearTimeout(timer);
}
