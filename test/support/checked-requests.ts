import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

declare module "vitest" {
  export interface ProvidedContext {
    /** A folder in which the workers write down what requests to GitHub they have checked. */
    checkedRequests: string;
  }
}

/** What one test sent: how many requests of each operation, and what was wrong with them. */
export interface CheckedRequests {
  operations: Iterable<[operation: string, count: number]>;
  violations: string[];
}

interface Line {
  operations: [operation: string, count: number][];
  violations: number;
}

/** An empty folder for one run of the suite. */
export function openCheckedRequests(): string {
  return mkdtempSync(path.join(tmpdir(), "repodex-checked-"));
}

/** Writes down what a test sent, for the count at the end. Each worker has a file of its own. */
export function noteCheckedRequests(folder: string, { operations, violations }: CheckedRequests): void {
  const line: Line = { operations: [...operations], violations: violations.length };
  appendFileSync(path.join(folder, `${process.pid}.jsonl`), `${JSON.stringify(line)}\n`);
}

/** One sentence about all that was noted, or null where nothing was sent; removes the folder. */
export function closeCheckedRequests(folder: string): string | null {
  const texts = readdirSync(folder).map((name) => readFileSync(path.join(folder, name), "utf8"));
  rmSync(folder, { recursive: true });
  const lines = texts.flatMap((text) =>
    text
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Line),
  );
  const operations = new Set(lines.flatMap((line) => line.operations.map(([operation]) => operation)));
  if (operations.size === 0) return null;
  const requests = sum(lines.flatMap((line) => line.operations.map(([, count]) => count)));
  const violations = sum(lines.map((line) => line.violations));
  const found = violations === 0 ? "none was invalid" : `${violations} violations were found`;
  return `Checked against GitHub's description: ${requests} requests of ${operations.size} distinct operations; ${found}.`;
}

function sum(numbers: number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
