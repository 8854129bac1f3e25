import { sql } from "kysely";
import { describe, expect, inject, test } from "vitest";
import { type Database, useDatabase } from "../support/database.ts";
import { administer } from "../support/databases.ts";
import { captureLog } from "../support/log.ts";
import { until } from "../support/wait.ts";
import { expectProblem, serve } from "./server.ts";

const database = useDatabase();

/** Takes a database away, as a stopped server would, or gives it back. */
async function allowConnections(of: Database, allowed: boolean): Promise<void> {
  const name = new URL(of.url).pathname.slice(1);
  await administer(
    inject("server").url,
    `alter database "${name}" with allow_connections ${allowed}`,
    ...(allowed ? [] : [`select pg_terminate_backend(pid) from pg_stat_activity where datname = '${name}'`]),
  );
}

describe("the probes", () => {
  test("say that the process lives and is ready", async () => {
    const server = await serve(database);

    const [healthy, ready] = await Promise.all([
      fetch(`${server.url}/healthz`),
      fetch(`${server.url}/readyz`),
    ]);

    expect([healthy.status, await healthy.json()]).toEqual([200, { status: "ok" }]);
    expect([ready.status, await ready.json()]).toEqual([200, { status: "ready" }]);
  });

  test("say while the database is away that it lives but is not ready, and recover by themselves", async () => {
    const away = await database.createDatabase();
    const server = await serve(away);
    await server.get("/api/v1/repositories");

    await allowConnections(away, false);
    const detail = await expectProblem(await fetch(`${server.url}/readyz`), 503);
    const healthy = await fetch(`${server.url}/healthz`);
    await allowConnections(away, true);
    await until(async () => (await fetch(`${server.url}/readyz`)).status === 200, { what: "it to be ready" });

    expect(detail).toBe("The database does not answer.");
    expect(healthy.status).toBe(200);
    await server.get("/api/v1/repositories");
  });

  test("say that a database that lacks a migration is not ready", async () => {
    const old = await database.createDatabase();
    const server = await serve(old);

    await sql`delete from kysely_migration where name = (select max(name) from kysely_migration)`.execute(
      old.db,
    );

    const detail = await expectProblem(await fetch(`${server.url}/readyz`), 503);
    expect(detail).toBe("The database is not migrated yet.");
  });
});

describe("a failure inside", () => {
  test("is a problem that tells nothing of it, and a line in the log that tells all", async () => {
    const broken = await database.createDatabase();
    const { log, lines } = captureLog();
    const server = await serve(broken, { log });
    await sql`alter table repositories rename to elsewhere`.execute(broken.db);

    const failed = await server.ask("/api/v1/repositories", { headers: { "x-request-id": "asked-by-me" } });
    const detail = await expectProblem(failed, 500);
    const page = await server.ask("/", { headers: { accept: "text/html" } });

    expect(detail).toBe("Something failed here; the server's log says what, at request asked-by-me.");
    expect(failed.headers.get("x-request-id")).toBe("asked-by-me");
    expect([page.status, page.headers.get("content-type")]).toEqual([500, "text/html; charset=UTF-8"]);
    expect(await page.text()).not.toContain("relation");
    const logged = lines.filter(({ msg }) => msg === "request failed");
    expect(logged.map(({ path, method, request_id }) => [method, path, request_id])).toEqual([
      ["GET", "/api/v1/repositories", "asked-by-me"],
      ["GET", "/", page.headers.get("x-request-id")],
    ]);
    expect(JSON.stringify(logged[0])).toContain('relation \\"repositories\\" does not exist');
  });

  test("while the database is away ends a request, and is over when it is back", async () => {
    const away = await database.createDatabase();
    const server = await serve(away);

    await allowConnections(away, false);
    const failed = await Promise.all(
      ["/api/v1/repositories", "/api/v1/runs/1", "/api/v1/runs/1/events"].map((path) => server.ask(path)),
    );
    await allowConnections(away, true);

    for (const response of failed) {
      expect(await expectProblem(response, 503)).toBe("The database does not answer. Try again in a moment.");
    }
    await until(async () => (await server.ask("/api/v1/repositories")).status === 200, { what: "an answer" });
  });
});
