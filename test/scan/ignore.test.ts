import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findIgnored, isPattern } from "../../src/scan/ignore.ts";

/** Directories end in a slash. */
const PATHS = [
  ...["a", "b.c", "ab", "A", "*", "[", "a b", "a ", "!a", "#a", "\\", "é", "a-b", "]", "x**", "한"],
  ...["d/a", "d/b.c", "d/ab", "d/e/a", "d/e/b.c", "d/e/f/a", "d/e/f/ab", "d/aa/b", "d/[/a", "d/é/b"],
  ...["e/d/a", "e/a/d/b", "foo/bar", "foobar", "fooxy/bar", "foo/a/b/bar", "lib/x.js", "lib/y/x.js"],
  ...["d/", "d/e/", "d/e/f/", "d/aa/", "d/[/", "d/é/", "e/", "e/d/", "e/a/", "e/a/d/", "foo/", "foo/a/"],
  ...["foo/a/b/", "fooxy/", "lib/", "lib/y/"],
];
const root = mkdtempSync(path.join(tmpdir(), "repodex-ignore-"));

function git(args: string[], input = "", okay = [0]): string {
  try {
    return execFileSync("git", args, { cwd: root, input, encoding: "utf8", env: ENVIRONMENT });
  } catch (error) {
    const { status, stdout } = error as { status: number; stdout: string };
    if (okay.includes(status)) return stdout;
    throw error;
  }
}

const ENVIRONMENT = {
  PATH: process.env.PATH,
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_CONFIG_SYSTEM: "/dev/null",
};

/** What git itself ignores of PATHS. */
function ignoredByGit(lines: string[]): string[] {
  writeFileSync(path.join(root, ".git/info/exclude"), `${lines.join("\n")}\n`);
  const input = PATHS.map((one) => one.replace(/\/$/, "")).join("\0");
  const printed = git(["check-ignore", "--no-index", "-z", "--stdin"], input, [0, 1]).split("\0");
  return PATHS.filter((one) => printed.includes(one.replace(/\/$/, "")));
}

/** A submodule stands for a directory by itself. */
function entryOf(name: string): { path: string; mode: string } {
  const path = Buffer.from(name.replace(/\/$/, "")).toString("latin1");
  return { path, mode: name.endsWith("/") ? "160000" : "100644" };
}

async function ignoredByUs(lines: string[]): Promise<string[]> {
  const entries = PATHS.map(entryOf);
  const ignored = await findIgnored(entries, lines);
  return PATHS.filter((_, i) => ignored.has(entries[i] as never));
}

async function matches(lines: string[], path: string): Promise<boolean> {
  return (await findIgnored([{ path, mode: "100644" }], lines)).size === 1;
}

beforeAll(() => {
  git(["init", "--quiet"]);
  for (const one of PATHS.filter((name) => name.endsWith("/")))
    mkdirSync(path.join(root, one), { recursive: true });
  for (const one of PATHS.filter((name) => !name.endsWith("/"))) {
    mkdirSync(path.dirname(path.join(root, one)), { recursive: true });
    writeFileSync(path.join(root, one), "");
  }
});

afterAll(() => rmSync(root, { recursive: true, force: true }));

const PIECES = [
  ...["a", "b", "c", "d", "e", "f", ".", "*", "*", "**", "***", "?", "/", "/", "/", "\\", "!", "#", " ", "-"],
  ...[
    "[",
    "]",
    "[a-e]",
    "[!a]",
    "[^b]",
    "[]a]",
    "[a/b]",
    "[[:alpha:]]",
    "[[:x:]]",
    "[\\]]",
    "[a-",
    "[[:",
    "é",
    "é",
  ],
  ...["foo", "bar", "lib", "**/", "/**", "/**/", "\\/", "한", "x", "A"],
];
const line = fc.array(fc.constantFrom(...PIECES), { maxLength: 6 }).map((pieces) => pieces.join(""));

describe("what a matcher matches is what git ignores", () => {
  test.each([
    [["a"]],
    [["/a"]],
    [["d/"]],
    [["d/*", "!d/e"]],
    [["d", "!d/e/a"]],
    [["*", "!*/", "!*.c"]],
    [["*.c", "!b.c"]],
    [["**/e"]],
    [["d/**"]],
    [["d/**/a"]],
    [["foo**/bar"]],
    [["foo/***/bar"]],
    [["**\\/bar"]],
    [["a\\ ", "a "]],
    [["\\!a", "\\#a", "#a"]],
    [["?", "[[:punct:]]"]],
    [["??"]],
    [["[\\]]", "\\\\"]],
    [["é", "[é]"]],
    [["d/[[]/a"]],
    [["lib", "!lib/"]],
    [["/", "//", "!", "\\", "[", "", "  "]],
    [["\uFEFFa", "a"]],
  ])("%j", async (lines) => {
    expect(await ignoredByUs(lines)).toEqual(ignoredByGit(lines));
  });

  test("for any lines", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(line, { maxLength: 4 }), async (lines) => {
        expect(await ignoredByUs(lines)).toEqual(ignoredByGit(lines));
      }),
      { numRuns: Number(process.env.IGNORE_RUNS ?? 300) },
    );
  });
});

test("a path that is not UTF-8 is matched by its bytes", async () => {
  expect(await matches(["caf?.txt"], "caf\xe9.txt")).toBe(true);
  expect(await matches(["caf??.txt"], "caf\xe9.txt")).toBe(false);
});

test("patterns made to send a matcher back and forth are matched in time, and let others have a turn", async () => {
  const kinds = [
    `*${"a".repeat(248)}b`,
    `${"**/a/".repeat(49)}b`,
    `/${"a*".repeat(120)}b`,
    `[${"b-z".repeat(80)}]`,
  ];
  const lines = Array.from({ length: 100 }, (_, i) => kinds[i % kinds.length] ?? "");
  const delay = monitorEventLoopDelay({ resolution: 5 });
  delay.enable();
  const startedAt = performance.now();

  expect(await matches(lines, "a".repeat(4_000))).toBe(false);
  expect(await matches(lines, `${"a/".repeat(300)}a`)).toBe(false);

  delay.disable();
  expect(performance.now() - startedAt).toBeLessThan(20_000);
  expect(delay.max / 1e6).toBeLessThan(1_000);
});

test.each([
  ["a", true],
  ["!a/", true],
  ["", false],
  ["   ", false],
  ["# a", false],
  ["!", false],
  ["/", false],
  ["[a", false],
  ["a/[[:x:]]", false],
  ["a\\", false],
])("%j is a pattern: %s", (text, is) => {
  expect(isPattern(text)).toBe(is);
});
