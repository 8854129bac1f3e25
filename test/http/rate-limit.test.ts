import { expect, onTestFinished, test } from "vitest";
import { useDatabase } from "../support/database.ts";
import { request, seedRepository } from "../support/seed.ts";
import { until } from "../support/wait.ts";
import { expectProblem, serve } from "./server.ts";

const database = useDatabase();

const limitsOf = ({ headers }: Response) =>
  ["ratelimit-limit", "ratelimit-remaining", "ratelimit-reset", "retry-after"].map((name) =>
    headers.get(name),
  );

test("what is asked beyond the minute's share is answered with 429 and when to come back", async () => {
  const server = await serve(database, { limits: { perMinute: 1 } }); // ten times that with the token
  const ask = (path = "/api/v1/repositories") => server.ask(path);

  const answers = [await ask(), await ask("/api/v1/runs/1"), await ask("/"), await ask("/api/v1/search?q=x")];
  for (let i = 0; i < 2; i += 1) answers.push(await ask());
  const refused = await ask();

  expect(answers.map(({ status }) => status)).toEqual([200, 404, 200, 200, 200, 200]);
  expect(answers.map((answer) => limitsOf(answer)[1])).toEqual(["9", "8", "7", "2", "1", "0"]);
  expect(limitsOf(refused)).toEqual(["10", "0", expect.stringMatching(/^[1-9]\d?$/), expect.anything()]);
  expect(refused.headers.get("retry-after")).toBe(refused.headers.get("ratelimit-reset"));
  expect(await expectProblem(refused, 429)).toMatch(/^That is more than 10 requests within a minute/);
});

test("a search that is more than what is left is refused, while a cheaper question is answered", async () => {
  const server = await serve(database, { limits: { perMinute: 1 } });
  for (let i = 0; i < 6; i += 1) await server.ask("/api/v1/repositories");

  const search = await server.ask("/api/v1/search?q=x");
  const cheaper = await server.ask("/api/v1/repositories");

  await expectProblem(search, 429);
  expect([cheaper.status, limitsOf(cheaper)[1]]).toEqual([200, "3"]);
});

test("people who are held back get a page", async () => {
  const server = await serve(database, { limits: { perMinute: 1 } });
  for (let i = 0; i < 10; i += 1) await server.ask("/");

  const page = await server.ask("/", { headers: { accept: "text/html" } });

  expect([page.status, page.headers.get("content-type")]).toEqual([429, "text/html; charset=UTF-8"]);
  expect(page.headers.get("retry-after")).not.toBeNull();
});

test("probes and what needs no token are not counted, and nobody without one is told of limits", async () => {
  const server = await serve(database, { limits: { perMinute: 1 } });
  for (let i = 0; i < 12; i += 1) await fetch(`${server.url}/healthz`);

  const stranger = await fetch(`${server.url}/api/v1/repositories`);
  const answer = await server.ask("/api/v1/repositories");

  expect([stranger.status, limitsOf(stranger)[0]]).toEqual([401, null]);
  expect(limitsOf(answer).slice(0, 2)).toEqual(["10", "9"]);
});

test("so many streams may be open at once, and one that ends makes room", async () => {
  await seedRepository(database.db);
  const { run_id } = await request(database.connection);
  const server = await serve(database, { limits: { perMinute: 1_000, streams: 0.2 } }); // two with the token
  const paths = ["/api/v1/events", `/api/v1/runs/${run_id}/events`];
  const leaving = new AbortController();
  onTestFinished(() => leaving.abort());

  const open = await Promise.all(paths.map((path) => server.ask(path, { signal: leaving.signal })));
  const refused = await server.ask("/api/v1/repositories/100/events");
  leaving.abort();
  const again = await until(
    async () => {
      const last = new AbortController();
      onTestFinished(() => last.abort());
      const answer = await server.ask("/api/v1/events", { signal: last.signal });
      return answer.status === 200 ? answer : null;
    },
    { what: "room for a stream" },
  );

  expect(open.map(({ status }) => status)).toEqual([200, 200]);
  expect(await expectProblem(refused, 429)).toBe(
    "2 event streams are open, which is the most: close one that is not needed.",
  );
  expect(limitsOf(again)[0]).toBe("10000");
});
