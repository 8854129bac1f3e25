import { request } from "node:http";
import { expect, test } from "vitest";
import { useDatabase } from "../support/database.ts";
import { API_TOKEN } from "../support/repodex.ts";
import { seedRepository } from "../support/seed.ts";
import { signInAccess } from "../support/sign-in.ts";
import { expectProblem, serve } from "./server.ts";

const database = useDatabase();

test.each([
  ["POST", "/api/v1/repositories", "GET, HEAD"],
  ["DELETE", "/api/v1/runs/1", "GET, HEAD"],
  ["GET", "/api/v1/repositories/100/rescan", "POST"],
  ["OPTIONS", "/api/v1/events", "GET, HEAD"],
  ["PUT", "/", "GET, HEAD"],
])("%s %s is told what the address answers", async (method, path, allow) => {
  const server = await serve(database);

  const answer = await server.ask(path, { method });

  expect(answer.headers.get("allow")).toBe(allow);
  expect(await expectProblem(answer, 405)).toBe(`${method} is none of what this address answers: ${allow}.`);
});

test.each(["/api/v1/nothing", "/api/v1/repositories/", "/api/v1/runs//log", "/api/v1"])(
  "%s answers no method",
  async (path) => {
    const server = await serve(database);
    await expectProblem(await server.ask(path, { method: "PATCH" }), 404);
  },
);

test("who has no token learns of no method", async () => {
  const server = await serve(database, { access: signInAccess(database) });
  const answer = await fetch(`${server.url}/api/v1/repositories`, { method: "PATCH" });
  await expectProblem(answer, 401);
});

test("TRACE, of which nothing can be made here, is refused", async () => {
  const server = await serve(database);
  const status = await new Promise((resolve, reject) => {
    request(`${server.url}/api/v1/repositories`, { method: "TRACE" }, (answer) => {
      answer.resume();
      resolve(answer.statusCode);
    })
      .on("error", reject)
      .end();
  });
  expect(status).toBe(405);
});

test("HEAD tells of a list what GET does", async () => {
  await seedRepository(database.db);
  const server = await serve(database);

  const get = await server.ask("/api/v1/repositories");
  const head = await fetch(`${server.url}/api/v1/repositories`, {
    method: "HEAD",
    headers: { authorization: `Bearer ${API_TOKEN}` },
  });

  expect(head.status).toBe(200);
  expect(head.headers.get("etag")).toBe(get.headers.get("etag"));
  expect(await head.text()).toBe("");
});
