import { beforeEach, expect, inject, onTestFinished } from "vitest";
import { checkRest } from "../simulator/check.ts";
import { checkGraphql } from "../simulator/graphql/check.ts";
import { loadValidator } from "../simulator/openapi.ts";
import { createRouter } from "../simulator/router.ts";
import { routes } from "../simulator/routes.ts";
import { noteCheckedRequests } from "./checked-requests.ts";

/**
 * Holds what the tests of a file send to a GitHub that only nock plays against GitHub's description, as the simulator
 * does. Call it at the top of the file, after whatever else replaces `fetch`.
 */
export function checkRequestsTo(origin: string): void {
  beforeEach(async () => {
    const folder = inject("checkedRequests");
    const validator = await loadValidator(routes);
    const rules = { match: createRouter(routes), validator };
    const operations = new Map<string, number>();
    const violations: string[] = [];
    const real = globalThis.fetch;
    globalThis.fetch = async (input, init) => {
      const url = new URL(input instanceof Request ? input.url : input);
      if (url.origin === origin) note(url, init);
      return await real(input, init);
    };
    onTestFinished(() => {
      globalThis.fetch = real;
      noteCheckedRequests(folder, { operations, violations });
      expect(violations, "requests that GitHub does not describe so").toEqual([]);
    });

    function note(url: URL, { method = "GET", body }: RequestInit = {}): void {
      const sent = typeof body === "string" ? JSON.parse(body) : undefined;
      const path = url.pathname.replace("/api/v3", "") + url.search;
      const isGraphql = url.pathname === "/api/graphql";
      const checked = isGraphql
        ? { operation: "POST /graphql", violations: checkGraphql(sent) }
        : checkRest({ method, path, body: sent }, rules);
      violations.push(...checked.violations);
      if (checked.operation) operations.set(checked.operation, (operations.get(checked.operation) ?? 0) + 1);
    }
  });
}
