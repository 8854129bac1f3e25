import fc from "fast-check";
import { sql } from "kysely";
import { expect, test } from "vitest";
import {
  type PathPattern,
  pathLikeGlob,
  pathLikeRegex,
  pathWithText,
  repositoryLikeGlob,
} from "../../src/search/path-pattern.ts";
import { useDatabase } from "../support/database.ts";
import { regexPatterns, unixTexts } from "./patterns.ts";

const database = useDatabase();

const found = (pattern: PathPattern, path: string) => new RegExp(pattern.regex, "u").test(path);

test.each<[string, string[], string[]]>([
  ["src/main", ["src/main.ts", "lib/SRC/main/a.c", "xsrc/main"], ["src/a/main.ts"]],
  ["/src/main", ["src/main.ts", "src/mainly/b"], ["lib/src/main.ts"]],
  ["*.ts", ["a.ts", "src/a.ts", ".ts", "src/a.TS"], ["a.tsx", "a.ts/b", "ats"]],
  ["/*.ts", ["a.ts"], ["src/a.ts"]],
  ["src/*.ts", ["src/a.ts", "app/src/a.ts"], ["src/b/a.ts", "xsrc/a.ts"]],
  ["/src/**/*.ts", ["src/a.ts", "src/b/c/a.ts"], ["app/src/a.ts", "srca.ts"]],
  ["src/**", ["src/a", "x/src/b/c"], ["src", "xsrc/a"]],
  ["**/test/**", ["test/a", "a/test/b/c"], ["atest/b", "test"]],
  ["test?.py", ["test1.py", "a/testé.py", "test😀.py"], ["test.py", "test12.py", "test/.py"]],
  ["a**b", ["ab", "a/x/b", "x/a/b"], ["xab"]],
  ["src/*/", ["src/a/b", "x/src/a/b/c"], ["src/a"]],
  ["[id].tsx", ["pages/[id].tsx"], ["pages/i.tsx"]],
  ["{a,b}*", ["{a,b}c"], ["ac"]],
  ["a\\*b", ["xa*bx"], ["aab"]],
  ["a\\b", ["a\\b"], ["ab"]],
  ["a+b(c)|$", ["x/a+b(c)|$"], ["aab(c)|$"]],
])("path:%s", (glob, paths, others) => {
  const pattern = pathLikeGlob(glob, false);

  expect(paths.filter((path) => !found(pattern, path))).toEqual([]);
  expect(others.filter((path) => found(pattern, path))).toEqual([]);
});

test.each<[string, string[], string[]]>([
  ["octocat/hello", ["octocat/hello", "Octocat/Hello"], ["octocat/hello-world", "xoctocat/hello"]],
  ["octocat/*", ["octocat/hello"], ["octocatx/hello"]],
  ["octocat/", ["octocat/hello"], ["octocatx/hello"]],
  ["/hello", ["octocat/hello"], ["hello/octocat", "octocat/hellos"]],
  ["hello", ["octocat/hello-world", "hello-org/x"], ["octocat/x"]],
  ["*-api", ["octocat/my-api"], ["my-api/octocat", "octocat/my-api2"]],
  ["*/web", ["octocat/web"], ["octocat/web2"]],
])("repo:%s", (glob, names, others) => {
  const pattern = repositoryLikeGlob(glob);

  expect(names.filter((name) => !found(pattern, name))).toEqual([]);
  expect(others.filter((name) => found(pattern, name))).toEqual([]);
});

test("a text is found as it is, with case if that counts", () => {
  expect(found(pathWithText("*.T", true), "a*.Ts")).toBe(true);
  expect(found(pathWithText("*.T", true), "a*.ts")).toBe(false);
  expect(found(pathWithText("*.Kſ", false), "a*.\u212aS")).toBe(true);
});

/** Whether it is found; V8 finds `\\B` within a character of two units too, where there is no place for anything. */
function isFound(regex: RegExp, text: string): boolean {
  const isWithin = (index: number) => (text.codePointAt(index - 1) ?? 0) > 0xffff;
  return text.matchAll(regex).some(({ index }) => index === 0 || !isWithin(index));
}

test("a regular expression is what it was, and PostgreSQL finds the same", async () => {
  const cases: { source: string; regex: string; path: string; expected: boolean }[] = [];
  const patterns = fc.record({
    pattern: regexPatterns,
    paths: fc.array(unixTexts, { minLength: 6, maxLength: 6 }),
  });
  for (const { pattern, paths } of fc.sample(patterns, 1_500)) {
    if (pattern.kind !== "regex" || pattern.source.includes("\\p") || pattern.source.includes("\\P"))
      continue;
    const { regex } = pathLikeRegex(pattern.source, pattern.case_sensitive);
    const original = new RegExp(pattern.source, pattern.case_sensitive ? "gsu" : "gisu");
    for (const each of paths) {
      const path = each.replaceAll("\n", "/");
      cases.push({ source: pattern.source, regex, path, expected: isFound(original, path) });
    }
  }

  const { rows } = await sql<{ found: boolean }>`
    select path ~ regex as found
    from unnest(
      ${cases.map(({ path }) => path)}::text[], ${cases.map(({ regex }) => regex)}::text[]
    ) with ordinality as given (path, regex, place)
    order by place
  `.execute(database.db);

  expect(rows).toHaveLength(cases.length);
  expect(
    cases.filter(({ regex, path, expected }) => isFound(new RegExp(regex, "gu"), path) !== expected),
  ).toEqual([]);
  expect(cases.filter(({ expected }, index) => rows[index]?.found !== expected)).toEqual([]);
  expect(cases.filter(({ expected }) => expected).length).toBeGreaterThan(500);
});

test("PostgreSQL compiles the largest patterns soon", async () => {
  const sources = [
    "[^x]{200}[^y]{200}",
    "(?:(?:a|b){9}){9}c",
    "\\W{250}\\w{250}",
    "(?:.*a){100}",
    "(?:[^a]*b){100}",
  ];
  for (const source of sources) {
    const { regex } = pathLikeRegex(source, false);
    const started = performance.now();

    await sql`select ${"src/some/path/of/a/file.ts".repeat(5)} ~ ${regex}`.execute(database.db);

    expect(performance.now() - started, source).toBeLessThan(500);
  }
});

test.each(["\\p{Lu}", "a{256}", "(?:a{100}){100}", "[^\\s\\S]", "\\0"])(
  "a path cannot be like /%s/",
  (source) => {
    expect(() => pathLikeRegex(source, false)).toThrow(/\.$/);
  },
);
