import { expect, test, vi } from "vitest";
import { createRepository } from "../support/git.ts";
import { asApp, asInstallation, startTestSimulator } from "./test-client.ts";

const RATE_LIMIT = "{ rateLimit { limit remaining used resetAt } }";
const SPENT = { status: 403, json: { message: expect.stringMatching(/API rate limit exceeded/) } };

async function serve() {
  const git = await createRepository({ bare: true, files: { "a.txt": "a\n" } });
  const simulator = await startTestSimulator();
  const id = simulator.addInstallation();
  const { full_name } = simulator.addRepository({ installation_id: id, git_dir: git.dir, name: "hello" });
  return { simulator, id, at: `/repos/${full_name}`, client: await asInstallation(simulator, id) };
}

const inAMinute = () => Math.floor(Date.now() / 1000) + 60;

function numbersOf(headers: Headers) {
  const [remaining, used, resource] = ["remaining", "used", "resource"].map((name) =>
    headers.get(`x-ratelimit-${name}`),
  );
  return { remaining, used, resource };
}

test("REST and GraphQL have a budget each, and say so", async () => {
  const { simulator, id, at, client } = await serve();
  simulator.setBudget(id, { limit: 10, remaining: 1, reset: inAMinute() });

  const rest = [await client.get(at), await client.get(at)];
  const graphql = await client.graphql(RATE_LIMIT);
  const { json } = await client.get("/rate_limit");

  expect(rest).toMatchObject([{ status: 200 }, SPENT]);
  expect(rest.map(({ headers }) => numbersOf(headers))[1]).toEqual({
    remaining: "0",
    used: "10",
    resource: "core",
  });
  expect(numbersOf(graphql.headers)).toEqual({ remaining: "4999", used: "1", resource: "graphql" });
  expect(graphql.json).toMatchObject({ data: { rateLimit: { limit: 5_000, remaining: 4_999, used: 1 } } });
  const resources = { core: { remaining: 0, limit: 10 }, graphql: { remaining: 4_999 } };
  expect(json).toMatchObject({ resources, rate: resources.core });
  expect(simulator.violations).toEqual([]);
});

test("a spent GraphQL budget leaves REST alone", async () => {
  const { simulator, id, at, client } = await serve();
  simulator.setBudget(id, { limit: 10, remaining: 0, reset: inAMinute() }, "graphql");

  const graphql = await client.graphql(RATE_LIMIT);

  expect(graphql).toMatchObject({ status: 200, json: { errors: [{ type: "RATE_LIMITED" }] } });
  expect(await client.get(at)).toMatchObject({ status: 200 });
});

test("the App itself has a budget apart from its installations'", async () => {
  const { simulator, at, client } = await serve();
  simulator.setBudget(null, { limit: 10, remaining: 0, reset: inAMinute() });

  expect(await asApp(simulator).get("/app")).toMatchObject(SPENT);
  expect(await client.get(at)).toMatchObject({ status: 200 });
});

test("budgets fill again in windows of the given length, and each window's use is remembered", async () => {
  const { simulator, id, at, client } = await serve();
  const at0 = Math.floor(Date.now() / 1000) * 1000;
  vi.spyOn(Date, "now").mockImplementation(() => at0);
  simulator.setBudgetWindow({ limit: 2, seconds: 60 });

  const first = [await client.get(at), await client.get(at), await client.get(at)];
  await client.graphql(RATE_LIMIT);
  vi.spyOn(Date, "now").mockImplementation(() => at0 + 59_000);
  const late = await client.get(at);
  vi.spyOn(Date, "now").mockImplementation(() => at0 + 60_000);
  const second = await client.get(at).finally(() => vi.restoreAllMocks());

  expect(first.map(({ status }) => status)).toEqual([200, 200, 403]);
  expect([late.status, second.status]).toEqual([403, 200]);
  expect(Number(second.headers.get("x-ratelimit-reset"))).toBe(at0 / 1000 + 120);
  const start = at0 / 1000;
  const byRoute = (count: number) => ({ "GET /repos/{owner}/{repo}": count });
  expect(simulator.budgetUse(id)).toEqual([
    { resource: "core", windowStart: start, limit: 2, used: 2, byRoute: byRoute(2) },
    { resource: "graphql", windowStart: start, limit: 2, used: 1, byRoute: { "POST /graphql": 1 } },
    { resource: "core", windowStart: start + 60, limit: 2, used: 1, byRoute: byRoute(1) },
  ]);
});

test("the App's own budget follows the windows, with its own limit", async () => {
  const { simulator } = await serve();
  simulator.setBudgetWindow({ limit: 2, seconds: 60 });

  const { headers } = await asApp(simulator).get("/app");

  expect(headers.get("x-ratelimit-limit")).toBe("5000");
  expect(Number(headers.get("x-ratelimit-reset"))).toBeLessThanOrEqual(inAMinute());
});
