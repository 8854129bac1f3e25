import { existsSync } from "node:fs";
import { expect, test } from "vitest";
import { closeCheckedRequests, noteCheckedRequests, openCheckedRequests } from "./checked-requests.ts";

test("what the tests sent adds up to one sentence, and nothing is left of the notes", () => {
  const folder = openCheckedRequests();
  noteCheckedRequests(folder, { operations: [["GET /app", 2]], violations: [] });
  const operations = new Map([
    ["GET /app", 1],
    ["POST /graphql", 4],
  ]);
  noteCheckedRequests(folder, { operations, violations: [] });

  expect(closeCheckedRequests(folder)).toBe(
    "Checked against GitHub's description: 7 requests of 2 distinct operations; none was invalid.",
  );
  expect(existsSync(folder)).toBe(false);
});

test("what was invalid is counted, and where nothing was sent there is nothing to say", () => {
  const [folder, empty] = [openCheckedRequests(), openCheckedRequests()];
  noteCheckedRequests(folder, { operations: [["GET /app", 2]], violations: ["GET /app: no."] });

  expect(closeCheckedRequests(folder)).toMatch(/1 violations were found/);
  expect(closeCheckedRequests(empty)).toBeNull();
});
