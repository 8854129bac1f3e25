import http from "node:http";
import { text } from "node:stream/consumers";
import { describe, expect, test } from "vitest";
import { useDatabase } from "../support/database.ts";
import { API_TOKEN } from "../support/repodex.ts";
import { request, seedRepository, statesOf } from "../support/seed.ts";
import { expectProblem, serve } from "./server.ts";

const database = useDatabase();
const basic = (credentials: string) => `Basic ${Buffer.from(credentials).toString("base64")}`;

/** Unlike fetch, this sends any header: also Host and Origin. */
async function send(
  { url }: { url: string },
  options: { path?: string; method?: string; headers?: Record<string, string> },
): Promise<{ status: number; headers: http.IncomingHttpHeaders; body: string }> {
  const { path = "/api/v1/repositories", method = "GET", headers = {} } = options;
  return await new Promise((resolve, reject) => {
    const request = http.request(url, { path, method, headers, agent: false }, (response) => {
      text(response).then(
        (body) => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }),
        reject,
      );
    });
    request.on("error", reject).end();
  });
}

const READ = [
  "/",
  "/repositories/100",
  "/runs/1",
  "/nowhere",
  "/api/v1/repositories",
  "/api/v1/repositories/100",
  "/api/v1/repositories/100/files",
  "/api/v1/repositories/100/files/content?path=a",
  "/api/v1/repositories/100/runs",
  "/api/v1/repositories/100/rescan/status",
  "/api/v1/runs/1",
  "/api/v1/runs/1/log",
  "/api/v1/runs/1/events",
  "/api/v1/nowhere",
];
const ACT = ["/api/v1/repositories/100/rescan", "/api/v1/runs/1/cancel"];

/** How browsers say that a request was sent by something else than a page of this site. */
const FOREIGN: Record<string, string>[] = [
  { origin: "https://evil.example" },
  { origin: "null" },
  { "sec-fetch-site": "cross-site" },
  { "sec-fetch-site": "same-site" },
  { "sec-fetch-site": "none" },
];

describe("access by token", () => {
  async function setUp() {
    await seedRepository(database.db);
    return await serve(database);
  }

  test.each<[string, string | undefined]>([
    ["no token", undefined],
    ["an empty header", ""],
    ["no scheme", API_TOKEN],
    ["an empty token", "Bearer "],
    ["another token", "Bearer another-token-of-the-tests"],
    ["the token and more", `Bearer ${API_TOKEN}x`],
    ["the token's beginning", `Bearer ${API_TOKEN.slice(0, -1)}`],
    ["the token in capitals", `Bearer ${API_TOKEN.toUpperCase()}`],
    ["another scheme", `Digest ${API_TOKEN}`],
    ["the token as a Bearer's base64", basic(`:${API_TOKEN}`).replace("Basic", "Bearer")],
    ["another password", basic("octocat:another-token-of-the-tests")],
    ["the token as a user's name", basic(`${API_TOKEN}:`)],
    ["the token with no user", basic(API_TOKEN)],
    ["broken base64", "Basic %%%"],
  ])("with %s is refused everywhere, with a sentence", async (_what, authorization) => {
    const server = await setUp();
    const headers = authorization === undefined ? {} : { authorization };

    for (const [method, paths] of [
      ["GET", READ],
      ["POST", ACT],
    ] as const) {
      for (const path of paths) {
        const response = await fetch(`${server.url}${path}`, { method, headers });
        expect(response.headers.get("www-authenticate"), path).toBe('Basic realm="Repodex", charset="UTF-8"');
        expect(await expectProblem(response, 401), path).toMatch(/Authorization: Bearer/);
      }
    }
    expect(await statesOf(database.db)).toEqual([]);
  });

  test.each(["Bearer", "bearer", "BEARER"])("with the token under %s reads and acts", async (scheme) => {
    const server = await setUp();
    const headers = { authorization: `${scheme} ${API_TOKEN}` };

    const read = await fetch(`${server.url}/api/v1/repositories/100`, { headers });
    const acted = await fetch(`${server.url}/api/v1/repositories/100/rescan`, { method: "POST", headers });

    expect([read.status, acted.status]).toEqual([200, 202]);
    expect(read.headers.get("cache-control")).toBe("no-store");
  });

  test("with the token as a browser's password reads, and acts from pages of its own alone", async () => {
    const server = await setUp();
    await request(database.connection);

    for (const user of ["", "octocat"]) {
      const headers = { authorization: basic(`${user}:${API_TOKEN}`) };
      expect((await fetch(`${server.url}/`, { headers })).status).toBe(200);
      expect((await fetch(`${server.url}/api/v1/runs/1`, { headers })).status).toBe(200);
      expect((await fetch(`${server.url}/`, { method: "HEAD", headers })).status).toBe(200);
      for (const path of ACT) {
        for (const method of ["POST", "PUT", "DELETE"]) {
          await expectProblem(await fetch(`${server.url}${path}`, { method, headers }), 403);
          for (const from of FOREIGN) {
            const { status, body } = await send(server, { path, method, headers: { ...headers, ...from } });
            expect(status, body).toBe(403);
          }
        }
      }
    }
    expect(await statesOf(database.db)).toEqual(["queued"]);
    const headers = { authorization: basic(`:${API_TOKEN}`) };
    for (const from of [{ origin: server.url }, { "sec-fetch-site": "same-origin" }]) {
      const { status } = await send(server, {
        path: ACT[0] ?? "",
        method: "POST",
        headers: { ...headers, ...from },
      });
      expect(status).toBe(202);
    }
  });

  test("that is refused tells a person so on a page", async () => {
    const server = await setUp();

    const response = await fetch(`${server.url}/`, { headers: { accept: "text/html" } });

    expect(response.status).toBe(401);
    expect(response.headers.get("content-type")).toMatch(/^text\/html/);
    expect(response.headers.get("www-authenticate")).toMatch(/^Basic/);
    expect(await response.text()).toContain("<h1>Unauthorized</h1>");
  });

  test("is not asked for by the probes, the stylesheet and the schema of configurations, which tell nothing", async () => {
    const server = await setUp();

    for (const path of ["/healthz", "/readyz", "/static/style.css", "/static/repodex.schema.json"]) {
      expect((await fetch(`${server.url}${path}`)).status, path).toBe(200);
    }
  });
});

describe("open access", () => {
  async function setUp() {
    await seedRepository(database.db);
    const server = await serve(database, { access: { kind: "open" } });
    return { server, port: new URL(server.url).port };
  }

  test("answers this machine by any of its own names, and its own pages", async () => {
    const { server, port } = await setUp();
    const hosts = [
      `127.0.0.1:${port}`,
      `localhost:${port}`,
      `LOCALHOST:${port}`,
      `[::1]:${port}`,
      "localhost",
    ];

    for (const host of hosts) {
      expect((await send(server, { headers: { host } })).status, host).toBe(200);
      const origin = `http://${host.toLowerCase()}`;
      expect((await send(server, { headers: { host, origin } })).status, origin).toBe(200);
    }
    const acted = await send(server, {
      method: "POST",
      path: ACT[0] as string,
      headers: { origin: server.url },
    });
    expect(acted.status).toBe(202);
  });

  test.each<[string, Record<string, string>]>([
    ["under another Host", { host: "evil.example" }],
    ["under a Host that begins like ours", { host: "127.0.0.1.evil.example" }],
    ["under a Host that ends like ours", { host: "evil.localhost" }],
    ["under a Host of the network", { host: "192.168.0.1:3000" }],
    ["under the address of all", { host: "0.0.0.0" }],
    ["with Forwarded", { forwarded: "for=192.0.2.1" }],
    ["with X-Forwarded-For", { "x-forwarded-for": "127.0.0.1" }],
    ["with X-Forwarded-Host", { "x-forwarded-host": "localhost" }],
    ["with X-Forwarded-Proto", { "x-forwarded-proto": "http" }],
    ["with X-Forwarded-Port", { "x-forwarded-port": "3000" }],
    ["with X-Real-IP", { "x-real-ip": "127.0.0.1" }],
    ["with an empty X-Forwarded-For", { "x-forwarded-for": "" }],
    ["from another site", { origin: "https://evil.example" }],
    ["from another port of this machine", { origin: "http://127.0.0.1:1" }],
    ["from a page without an origin", { origin: "null" }],
  ])("refuses what comes %s, with a sentence", async (_how, headers) => {
    const { server } = await setUp();

    for (const [method, path] of [
      ["GET", "/api/v1/repositories"],
      ["GET", "/"],
      ["POST", ACT[0]],
    ] as const) {
      const {
        status,
        body,
        headers: answered,
      } = await send(server, { method, path: path as string, headers });
      expect([status, answered["content-type"]], path).toEqual([403, "application/problem+json"]);
      expect(JSON.parse(body).detail).toBe(
        "ACCESS=open answers only this machine itself. Set ACCESS=token to be reached from elsewhere.",
      );
    }
    expect(await statesOf(database.db)).toEqual([]);
  });

  test("never lets another site's page read an answer", async () => {
    const { server } = await setUp();

    const { headers } = await send(server, { headers: { origin: server.url } });
    const preflight = await send(server, {
      method: "OPTIONS",
      headers: { origin: "https://evil.example", "access-control-request-method": "POST" },
    });

    expect(Object.keys(headers).filter((name) => name.startsWith("access-control"))).toEqual([]);
    expect(preflight.status).toBe(403);
  });
});
