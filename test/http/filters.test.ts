import { describe, expect, test } from "vitest";
import { caseToggle, filtersOf, narrowed } from "../../src/http/pages/filters.ts";
import { parseQuery } from "../../src/search/query.ts";

describe("the filters of a query", () => {
  test.each<[string, [string, string][]]>([
    ["foo", []],
    ["foo lang:ts", [["lang:ts", "foo"]]],
    [
      "lang:ts  foo repo:a/b",
      [
        ["lang:ts", "foo repo:a/b"],
        ["repo:a/b", "lang:ts  foo"],
      ],
    ],
    ['path:"a b" foo', [['path:"a b"', "foo"]]],
    ["foo -path:test/* bar", [["-path:test/*", "foo bar"]]],
    ["state:binary", [["state:binary", ""]]],
    ["content:foo case:yes", []],
    ["(lang:ts OR lang:c) foo", []],
    ["lang:ts OR foo", []],
    ["foo NOT lang:ts", []],
    ["foo AND lang:ts", []],
    ["foo OR bar lang:ts", [["lang:ts", "foo OR bar"]]],
    ['"not closed lang:ts', []],
  ])("%s can be taken out one by one", (text, expected) => {
    const filters = filtersOf(text);

    expect(filters.map(({ text: filter, without }) => [filter, without])).toEqual(expected);
    for (const { without } of filters) expect(() => parseQuery(without)).not.toThrow();
  });
});

test.each<[string, "lang" | "repo", string, string]>([
  ["foo", "lang", "TypeScript", "foo lang:TypeScript"],
  ["foo", "lang", "C++", "foo lang:C++"],
  ["foo", "lang", "Visual Basic .NET", 'foo lang:"Visual Basic .NET"'],
  ["foo case:yes", "repo", "octocat/hello", "foo repo:octocat/hello case:yes"],
  ["case:yes foo OR bar", "repo", "a/b", "(foo OR bar) repo:a/b case:yes"],
  ["foo (a OR b)", "lang", "C", "(foo (a OR b)) lang:C"],
  ["foo case:no", "lang", "C", "foo lang:C"],
])("%s is narrowed to %s:%s", (text, qualifier, value, expected) => {
  expect(narrowed(text, qualifier, value)).toBe(expected);
  expect(() => parseQuery(expected)).not.toThrow();
});

test.each<[string, boolean, string]>([
  ["foo", false, "foo case:yes"],
  ["foo case:yes", true, "foo"],
  ["case:yes foo lang:c", true, "foo lang:c"],
  ["foo case:no", false, "foo case:yes"],
  ["foo OR bar", false, "foo OR bar case:yes"],
])("whether capital letters matter in %s can be changed", (text, isCaseSensitive, other) => {
  expect(caseToggle(text)).toEqual({ isCaseSensitive, other });
  expect(parseQuery(other).case_sensitive).toBe(!isCaseSensitive);
});
