import { createConfig, lintFromString } from "@redocly/openapi-core";
import { describe, expect, test } from "vitest";
import { checkAnswer } from "../support/checked-answers.ts";
import { useDatabase } from "../support/database.ts";
import { seedRepository } from "../support/seed.ts";
import { serve } from "./server.ts";

const database = useDatabase();

interface Document {
  openapi: string;
  paths: Record<string, Record<string, { operationId: string }>>;
}

async function readDocument(url: string): Promise<Document> {
  const answer = await fetch(`${url}/api/openapi.json`);
  expect(answer.status).toBe(200);
  return (await answer.json()) as Document;
}

describe("the API's description", () => {
  test("is OpenAPI 3.1 in which a linter finds nothing", async () => {
    const server = await serve(database);
    const document = await readDocument(server.url);

    const problems = await lintFromString({
      source: JSON.stringify(document),
      config: await createConfig({ extends: ["recommended"] }),
    });

    expect(document.openapi).toMatch(/^3\.1\./);
    expect(problems.map(({ ruleId, message, location }) => [ruleId, message, location[0]?.pointer])).toEqual(
      [],
    );
  });

  test("names each operation once, and all that the API has", async () => {
    const server = await serve(database);
    const { paths } = await readDocument(server.url);

    const named = Object.entries(paths).flatMap(([path, operations]) =>
      Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
    );
    const operations = Object.values(paths).flatMap((of) =>
      Object.values(of).map(({ operationId }) => operationId),
    );

    expect(named.sort()).toEqual([
      "GET /api/v1/deliveries",
      "GET /api/v1/events",
      "GET /api/v1/repositories",
      "GET /api/v1/repositories/{id}",
      "GET /api/v1/repositories/{id}/events",
      "GET /api/v1/repositories/{id}/files",
      "GET /api/v1/repositories/{id}/files/content",
      "GET /api/v1/repositories/{id}/rescan/status",
      "GET /api/v1/repositories/{id}/runs",
      "GET /api/v1/runs/{id}",
      "GET /api/v1/runs/{id}/events",
      "GET /api/v1/runs/{id}/log",
      "GET /api/v1/search",
      "POST /api/v1/repositories/{id}/rescan",
      "POST /api/v1/runs/{id}/cancel",
    ]);
    expect(new Set(operations).size).toBe(operations.length);
  });

  test("is what each answer of the tests is held against: a field or an answer too many is told", async () => {
    await seedRepository(database.db);
    const server = await serve(database);
    const path = "/api/v1/repositories/100";
    const repository = await server.get<Record<string, unknown>>(path);
    const check = (body: unknown, of = path) =>
      checkAnswer(server.url, { method: "GET", path: of, response: Response.json(body) });

    await check(repository);
    await expect(check({ ...repository, secret: 1 })).rejects.toThrow(/additional properties.*secret/);
    await expect(check({ ...repository, id: 100 })).rejects.toThrow("/id must be string");
    await expect(check({}, "/api/v1/nothing")).rejects.toThrow("GET /api/v1/nothing is not described.");
  });
});
