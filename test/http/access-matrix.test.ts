import { sql } from "kysely";
import { beforeEach, describe, expect, test } from "vitest";
import { createToken } from "../../src/access/tokens.ts";
import { useDatabase } from "../support/database.ts";
import { API_TOKEN } from "../support/repodex.ts";
import { seedRepository, seedUser } from "../support/seed.ts";
import { signInAccess } from "../support/sign-in.ts";
import { INDEXED, seedFiles, seedRun, updateRepository } from "./seed.ts";
import { type HttpServer, serve } from "./server.ts";

const database = useDatabase();

/** Everybody who may come: people by their browsers, programs by tokens. */
const ROLES = [
  "nobody",
  "reader",
  "writer",
  "operator",
  "other tenant",
  "read token",
  "write token",
  "expired token",
  "revoked token",
  "operator's token",
] as const;
type Role = (typeof ROLES)[number];

/** Statuses of those who are known; everybody else gets 401. */
type Expected = Partial<Record<Role, number>>;

const IS_UNKNOWN: Role[] = ["nobody", "expired token", "revoked token"];
const of = (status: number): Expected => Object.fromEntries(ROLES.map((role) => [role, status]));
/** What needs no more than being somebody. */
const KNOWN = { ...of(200), ...of401() };
/** What is about a repository that another tenant does not see. */
const readable = (status: number): Expected => ({ ...of(status), ...of401(), "other tenant": 404 });
/** What changes a repository, with the status of whoever may. */
const writable = (status: number): Expected => ({
  ...of(403),
  ...of401(),
  "other tenant": 404,
  writer: status,
  "write token": status,
  "operator's token": status,
});
const OPERATORS_ONLY = { ...of(404), ...of401(), operator: 200, "operator's token": 200 };
/** A person's own, in a browser. */
const own = (status: number): Expected => ({
  ...of(404),
  ...of401(),
  reader: status,
  writer: status,
  operator: status,
  "other tenant": status,
});

function of401(): Expected {
  return Object.fromEntries(IS_UNKNOWN.map((role) => [role, 401]));
}

const MATRIX: Record<string, { path?: string; body?: string; expected: Expected }> = {
  "GET /": { expected: KNOWN },
  "GET /api/openapi.json": { expected: of(200) },
  "GET /api/v1/events": { expected: KNOWN },
  "GET /api/v1/repositories": { expected: KNOWN },
  "GET /api/v1/repositories/:id": { expected: readable(200) },
  "GET /api/v1/repositories/:id/events": { expected: readable(200) },
  "GET /api/v1/repositories/:id/files": { expected: readable(200) },
  "GET /api/v1/repositories/:id/files/content": {
    path: "/api/v1/repositories/100/files/content?path=a.txt",
    expected: readable(422),
  },
  "GET /api/v1/repositories/:id/rescan/status": { expected: readable(200) },
  "GET /api/v1/repositories/:id/runs": { expected: readable(200) },
  "POST /api/v1/repositories/:id/rescan": { expected: writable(202) },
  "GET /api/v1/runs/:id": { expected: readable(200) },
  "GET /api/v1/runs/:id/events": { expected: readable(204) },
  "GET /api/v1/runs/:id/log": { expected: readable(200) },
  "POST /api/v1/runs/:id/cancel": { expected: writable(422) },
  "GET /api/v1/search": { path: "/api/v1/search?q=a", expected: KNOWN },
  "GET /api/v1/deliveries": { expected: OPERATORS_ONLY },
  "GET /deliveries": { expected: OPERATORS_ONLY },
  "GET /healthz": { expected: of(200) },
  "GET /metrics": { expected: OPERATORS_ONLY },
  "GET /readyz": { expected: of(200) },
  "GET /repositories/:id": { expected: readable(200) },
  "GET /repositories/:id/file": { path: "/repositories/100/file?path=a.txt", expected: readable(200) },
  "GET /repositories/:id/files": { expected: readable(200) },
  "GET /repositories/:id/problems": { expected: readable(200) },
  "POST /repositories/:id/rescan": { expected: writable(303) },
  "POST /runs/:id/cancel": { expected: writable(303) },
  "GET /runs/:id": { expected: readable(200) },
  "GET /search": { expected: KNOWN },
  "GET /settings": { expected: own(200) },
  "POST /settings/sessions/:id/end": { path: "/settings/sessions/987654321/end", expected: own(404) },
  "POST /settings/tokens": { body: "name=ci&scope=read&days=7", expected: own(201) },
  "POST /settings/tokens/:id/revoke": {
    path: "/settings/tokens/TOKEN/revoke", // the reader's
    expected: { ...of(404), ...of401(), reader: 303, operator: 303 },
  },
  "GET /sign-in": { expected: of(200) },
  "GET /sign-in/github": { expected: of(302) },
  "GET /sign-in/callback": { expected: of(400) },
  "POST /sign-out": { expected: of(303) },
  "GET /static/icon.svg": { expected: of(200) },
  "GET /static/live.js": { expected: of(200) },
  "GET /static/repodex.schema.json": { expected: of(200) },
  "GET /static/style.css": { expected: of(200) },
};

let server: HttpServer;
let run: string;
let credentials: Record<Role, Record<string, string>>;
let readersId: string;

beforeEach(async () => {
  const { db } = database;
  await seedRepository(db, { id: "100" });
  await seedRepository(db, { id: "200" });
  await updateRepository(db, INDEXED);
  await seedFiles(db, [{ path: "a.txt", state: "binary", reason: "It is binary." }]);
  run = await seedRun(db, { state: "succeeded" });
  server = await serve(database, { access: signInAccess(database, { operators: ["operator"] }) });
  const browser = async (id: string, login: string, seen: { read?: string[]; write?: string[] }) => {
    const { session } = await seedUser(db, { id, login, ...seen });
    return { cookie: `repodex-session=${session}`, origin: server.url };
  };
  const token = async (scope: "read" | "write") =>
    (await createToken(db, { userId: "2", name: scope, scope, days: 7 })) ?? "";
  const bearer = (text: string) => ({ authorization: `Bearer ${text}` });
  readersId = "1";
  credentials = {
    nobody: {},
    reader: await browser(readersId, "reader", { read: ["100"] }),
    writer: await browser("2", "writer", { write: ["100"] }),
    operator: await browser("3", "Operator", { read: ["100"] }),
    "other tenant": await browser("4", "other", { write: ["200"] }),
    "read token": bearer(await token("read")),
    "write token": bearer(await token("write")),
    "expired token": bearer(await token("write")),
    "revoked token": bearer(await token("write")),
    "operator's token": bearer(API_TOKEN),
  };
  const [, expired, revoked] = await db
    .selectFrom("api_tokens")
    .select("id")
    .where("user_id", "=", "2")
    .where("scope", "=", "write")
    .where("name", "=", "write")
    .orderBy("id")
    .execute();
  await db
    .updateTable("api_tokens")
    .set({ expires_at: sql<Date>`clock_timestamp()` })
    .where("id", "=", expired?.id ?? "")
    .execute();
  await db
    .deleteFrom("api_tokens")
    .where("id", "=", revoked?.id ?? "")
    .execute();
});

async function statusOf(role: Role, { method, path, body }: { method: string; path: string; body?: string }) {
  const aborter = new AbortController();
  const response = await fetch(`${server.url}${path}`, {
    method,
    redirect: "manual",
    signal: aborter.signal,
    headers: {
      ...(method === "POST" && { origin: server.url }),
      ...(body !== undefined && { "content-type": "application/x-www-form-urlencoded" }),
      ...credentials[role],
    },
    ...(body !== undefined && { body }),
  });
  aborter.abort(); // streams do not end by themselves
  return response.status;
}

async function readersToken(): Promise<string> {
  await createToken(database.db, { userId: readersId, name: "to be revoked", scope: "read", days: 7 });
  const { id } = await database.db
    .selectFrom("api_tokens")
    .select("id")
    .where("user_id", "=", readersId)
    .orderBy("id", "desc")
    .limit(1)
    .executeTakeFirstOrThrow();
  return id;
}

describe("the access matrix", () => {
  test("has every route", () => {
    expect(server.routes.toSorted()).toEqual(Object.keys(MATRIX).toSorted());
  });

  test("answers everybody on every route as it says", async () => {
    for (const [route, { path, body, expected }] of Object.entries(MATRIX)) {
      const [method = "", pattern = ""] = route.split(" ");
      const id = pattern.includes("/runs/") ? run : "100";
      const found: Expected = {};
      for (const role of ROLES) {
        const plain = path ?? pattern.replace(":id", id);
        const address = plain.includes("TOKEN") ? plain.replace("TOKEN", await readersToken()) : plain;
        found[role] = await statusOf(role, { method, path: address, ...(body !== undefined && { body }) });
      }
      expect(found, route).toEqual(expected);
    }
  });

  test("lets no page of another site act by anybody's browser", async () => {
    const posts = Object.entries(MATRIX).filter(([route]) => route.startsWith("POST "));
    for (const role of ["reader", "writer", "operator", "other tenant"] as const) {
      const { cookie = "" } = credentials[role];
      for (const [route, { path, body }] of posts) {
        const address = (path ?? route.split(" ")[1] ?? "").replace(":id", "100").replace("TOKEN", "1");
        for (const from of [{ origin: "https://evil.example" }, { "sec-fetch-site": "cross-site" }, {}]) {
          const headers: Record<string, string> = { cookie, ...from };
          const { status } = await fetch(`${server.url}${address}`, {
            method: "POST",
            headers,
            body: body ?? null,
          });
          expect(status, `${role} ${route}`).toBe(403);
        }
      }
    }
    expect(await database.db.selectFrom("run_requests").select("id").execute()).toEqual([]);
  });
});
