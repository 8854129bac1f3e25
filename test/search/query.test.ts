import fc from "fast-check";
import { expect, test } from "vitest";
import { languageNamed } from "../../src/search/languages.ts";
import { compilePattern } from "../../src/search/match.ts";
import { needOf } from "../../src/search/pattern.ts";
import {
  MAX_DEPTH,
  MAX_FILTERS,
  MAX_LENGTH,
  MAX_TEXTS,
  parseQuery,
  type Query,
} from "../../src/search/query.ts";
import { QuerySyntaxError } from "../../src/search/query-error.ts";

/** A query in short: [and a b], not, words as they are, texts in quotes, patterns in slashes. */
function brief(query: Query | null): string {
  if (query === null) return "";
  switch (query.kind) {
    case "and":
    case "or":
      return `[${query.kind} ${query.of.map(brief).join(" ")}]`;
    case "not":
      return `!${brief(query.of)}`;
    case "text": {
      const { pattern, scope, word } = query;
      if (pattern.kind === "regex") return `/${pattern.source}/`;
      return word ? (scope === "content" ? "content:" : "") + pattern.text : `"${pattern.text}"`;
    }
    case "language":
      return `lang:${query.language}`;
    case "state":
      return `state:${query.state}`;
    default:
      return `${query.kind}:${query.pattern.source}`;
  }
}

test.each([
  ["", ""],
  [" \n\t ", ""],
  ["case:yes", ""],
  ["foo", "foo"],
  ["foo bar", "[and foo bar]"],
  ["foo\nbar\u3000baz", "[and foo bar baz]"],
  ["foo AND bar", "[and foo bar]"],
  ["foo and or not", "[and foo and or not]"],
  ["foo OR bar baz", "[or foo [and bar baz]]"],
  ["(foo OR bar) baz", "[and [or foo bar] baz]"],
  ["a OR b OR c", "[or a b c]"],
  ["a (b (c d))", "[and a b c d]"],
  ["((foo))", "foo"],
  ["(foo)bar", "[and foo bar]"],
  ["-foo", "!foo"],
  ["NOT foo bar", "[and !foo bar]"],
  ["NOT(foo OR bar)", "![or foo bar]"],
  ["-(foo bar)", "![and foo bar]"],
  ["a -NOT b", "[and a !!b]"],
  ['-"a b"', '!"a b"'],
  ["NOT NOT a", "!!a"],
  ["- -- --force -> ->next -= a-b", "[and - -- --force -> ->next -= a-b]"],
  ['"foo bar"', '"foo bar"'],
  ['"say \\"hi\\" to C:\\\\ and \\d"', '"say "hi" to C:\\ and \\d"'],
  ['print("x") a"b"', '[and print("x") a"b"]'],
  ["main() f(a)(b) (g())", "[and main() f(a)(b) g()]"],
  ["f( x", "[and f( x]"],
  ["/fo+/", "/fo+/"],
  ["/a b/ c", "[and /a b/ c]"],
  ["/a\\/b/", "/a\\/b/"],
  ["/[/]x/", "/[/]x/"],
  ["(/a/)", "/a/"],
  ["(/a(b)/ OR c)", "[or /a(b)/ c]"],
  ["/ // /usr/bin /usr/bin/ /api/v1/{id}?x=1", "[and / // /usr/bin /usr/bin/ /api/v1/{id}?x=1]"],
  ["/usr or/", "/usr or/"],
  ["a/b/c", "a/b/c"],
  ["std::vector http://x.y/z foo:bar Path:x", "[and std::vector http://x.y/z foo:bar Path:x]"],
  [":x x: ::", "[and :x x: ::]"],
  ["content:foo", "content:foo"],
  ['content:"a b"', '"a b"'],
  ["content:/a+/", "/a+/"],
  ["content:-x", "content:-x"],
  ["content:path:x", "content:path:x"],
  ["lang:js", "lang:JavaScript"],
  ["language:c++ lang:GO lang:visual-basic-6.0", "[and lang:C++ lang:Go lang:Visual Basic 6.0]"],
  ['lang:"common lisp"', "lang:Common Lisp"],
  ["state:binary", "state:binary"],
  ["path:src/**/*.ts", "path:src/**/*.ts"],
  ["path:/src/main", "path:/src/main"],
  ['path:"a b"', "path:a b"],
  ["path:/x$/", "path:x$"],
  ["repo:octocat/hello -repo:*-api", "[and repository:octocat/hello !repository:*-api]"],
  ["foo case:yes -path:test", "[and foo !path:test]"],
])("%s", (text, expected) => {
  const parsed = parseQuery(text);

  expect(brief(parsed.query)).toBe(expected);
  expect(parsed.text).toBe(text);
});

test("words are sought anywhere and ranked, texts and patterns in the content alone", () => {
  const { query } = parseQuery('a content:b "c" /d/');

  expect(query).toEqual({
    kind: "and",
    of: [
      {
        kind: "text",
        pattern: { kind: "literal", text: "a", case_sensitive: false },
        scope: "anywhere",
        word: true,
        span: { start: 0, end: 1 },
      },
      {
        kind: "text",
        pattern: { kind: "literal", text: "b", case_sensitive: false },
        scope: "content",
        word: true,
        span: { start: 2, end: 11 },
      },
      {
        kind: "text",
        pattern: { kind: "literal", text: "c", case_sensitive: false },
        scope: "content",
        word: false,
        span: { start: 12, end: 15 },
      },
      {
        kind: "text",
        pattern: { kind: "regex", source: "d", case_sensitive: false },
        scope: "content",
        word: false,
        span: { start: 16, end: 19 },
      },
    ],
  });
});

test.each([
  ["a path:b", false],
  ["a path:b case:no", false],
  ["case:yes a path:b", true],
  ["a case:yes path:b", true],
  ["(a) (path:b) case:yes", true],
])("case holds for all of %s", (text, expected) => {
  const { query, case_sensitive } = parseQuery(text);

  expect(case_sensitive).toBe(expected);
  expect(query).toMatchObject({
    of: [{ pattern: { case_sensitive: expected } }, { pattern: { case_sensitive: expected } }],
  });
});

test.each(["//", "/", "/usr/bin", "/usr/bin/"])("%s is a word, not a pattern", (text) => {
  expect(parseQuery(text).query).toMatchObject({ word: true, pattern: { kind: "literal", text } });
});

test("groups beside each other are not deep", () => {
  expect(refusalOf("-(a) ".repeat(MAX_TEXTS))).toBeNull();
});

test("repositories are the same in any case", () => {
  const { query } = parseQuery("repo:Octocat/Hello case:yes");

  expect(query).toMatchObject({ kind: "repository", pattern: { case_sensitive: false } });
  expect(query?.kind === "repository" && new RegExp(query.pattern.regex, "u").test("octocat/hello")).toBe(
    true,
  );
});

/** The part of the query that the message points at stands between « and ». */
test.each([
  ['a «"b c»', "not closed"],
  ['a «""»', "nothing between"],
  ['"a«"»b', "white space must follow"],
  ['«"a\nb"»', "within a line"],
  ["«/a\nb/»", "within a line"],
  ["x «/a(b»", "not closed"],
  ["«/a.*b/i» x", "takes no flags"],
  ["/a«(»b/", "\\("],
  ["/a«)»b/", "\\)"],
  ["/«*»a/", "nothing to repeat"],
  ["/a«{»/", "\\{"],
  ["«/a[b/»", "not closed"],
  ["/(a)x«(»b[)]\\)/", "\\("],
  ["/a«\\q»/", "no such escape"],
  ["/«\\p{Foo}»/", "no property"],
  ["/a{2,1«}»/", "smaller number"],
  ["/[b-«a»]/", "range"],
  ["/(«?»i)a/", "case:yes"],
  ["/a«\\n»b/", "within a line"],
  ["/a«[\\n]»b/", "within a line"],
  ["/x«(?=a)»/", "ahead or behind"],
  ["/«(?<!a)»x/", "ahead or behind"],
  ["/(a)«\\1»/", "refer back"],
  ["/(?<n>a)«\\k<n>»/", "refer back"],
  ["/«(?i:a)»/", "modifiers"],
  ["/«[]»a/", "matches nothing"],
  ["/«(?:a{200}){200}»/", "repeats too much"],
  ["path:/«a{256}»/", "255"],
  ["path:/«\\p{L}»/", "properties"],
  ["foo «path:»", 'write "path:"'],
  ["(«repo:»)", 'write "repo:"'],
  ["«content:» x", 'write "content:"'],
  ["lang:«phyton»", "lang:"],
  ["lang:«/a/»", "lang:python"],
  ["state:«open»", "indexed, binary"],
  ["case:«maybe»", "yes or no"],
  ["case:yes a «case:yes»", "once"],
  ["(a «case:yes»)", "whole query"],
  ["a -«case:yes»", "whole query"],
  ["a OR «case:yes»", "whole query"],
  ["«case:yes» OR a", "whole query"],
  ["«(»a b", "not closed"],
  ["a «(»", "not closed"],
  ["a«)»", "no ( for"],
  ["«)»", "no ( for"],
  ["a «()» b", "nothing in these"],
  ["a «OR»", "after it"],
  ["«OR» a", "before it"],
  ["«AND»", "before it"],
  ["a «OR» AND b", "after it"],
  ["«NOT»", "after it"],
  ["(a «OR») b", "after it"],
  ["a «\0»b", "Leave it out"],
  ["a «\ud800»b", "Leave it out"],
])("%s is refused", (marked, message) => {
  const text = marked.replace(/[«»]/g, "");

  const error = refusalOf(text);

  const { start, end } = error?.span ?? { start: 0, end: 0 };
  expect(`${text.slice(0, start)}«${text.slice(start, end)}»${text.slice(end)}`).toBe(marked);
  expect(error?.message).toMatch(/\.$/);
  expect(error?.message.toLowerCase()).toContain(message.toLowerCase());
});

function refusalOf(text: string): QuerySyntaxError | null {
  try {
    parseQuery(text);
    return null;
  } catch (error) {
    if (error instanceof QuerySyntaxError) return error;
    throw error;
  }
}

test.each([
  ["length", "x".repeat(MAX_LENGTH), "x".repeat(MAX_LENGTH + 1)],
  ["texts", "x ".repeat(MAX_TEXTS), "x ".repeat(MAX_TEXTS + 1)],
  ["filters", "path:x ".repeat(MAX_FILTERS), "path:x ".repeat(MAX_FILTERS + 1)],
  [
    "parentheses",
    `${"(".repeat(MAX_DEPTH)}x${")".repeat(MAX_DEPTH)}`,
    `${"(".repeat(MAX_DEPTH + 1)}x${")".repeat(MAX_DEPTH + 1)}`,
  ],
  ["negations", `${"NOT ".repeat(MAX_DEPTH)}x`, `${"NOT ".repeat(MAX_DEPTH + 1)}x`],
])("a query is bounded: %s", (_, most, tooMuch) => {
  expect(refusalOf(most)).toBeNull();
  expect(refusalOf(tooMuch)?.message).toMatch(/at most/);
});

const PIECES = [
  ..."abkſ \n\r()[]{}\"'/\\-+*?|^$.:,<>=!&#0😀é\0\u3000",
  ..." AND , OR , NOT ,repo:,path:,lang:,language:,case:,content:,state:,yes,\\b,\\p{L},(?=,(?:,/x/,{2,},**,\\u".split(
    ",",
  ),
];

test("any text is a query, or is refused at a place within it, soon", () => {
  let read = 0;
  let longest = 0;
  fc.assert(
    fc.property(
      fc.oneof(
        { arbitrary: fc.string({ unit: fc.constantFrom(...PIECES), maxLength: 40 }), weight: 4 },
        fc.string({ unit: "binary", maxLength: 1_100 }),
        fc.string({ unit: fc.constantFrom(...PIECES), maxLength: 600 }),
      ),
      (text) => {
        const started = performance.now();
        try {
          visit(parseQuery(text).query);
          read += 1;
        } catch (error) {
          if (!(error instanceof QuerySyntaxError)) throw error;
          const { start, end } = error.span;
          expect(start).toBeGreaterThanOrEqual(0);
          expect(end).toBeGreaterThan(start);
          expect(end).toBeLessThanOrEqual(text.length);
        }
        longest = Math.max(longest, performance.now() - started);
      },
    ),
    { numRuns: 10_000 },
  );
  expect(read).toBeGreaterThan(1_000);
  expect(longest).toBeLessThan(500);
});

/** What was read can be used. */
function visit(query: Query | null): void {
  if (query === null) return;
  if (query.kind === "and" || query.kind === "or") query.of.forEach(visit);
  if (query.kind === "not") visit(query.of);
  if (query.kind === "path" || query.kind === "repository")
    new RegExp(query.pattern.regex, "u").test("src/a.ts");
  if (query.kind === "text") {
    needOf(query.pattern);
    compilePattern(query.pattern).test("a line");
  }
}

test("any text in quotes is found as it is", () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...PIECES), minLength: 1, maxLength: 20 }), (text) => {
      fc.pre(!/[\0\r\n]/.test(text));

      const { query } = parseQuery(`"${text.replaceAll(/["\\]/g, "\\$&")}"`);

      expect(query).toMatchObject({ kind: "text", pattern: { kind: "literal", text } });
    }),
  );
});

test("a word that no operator or filter begins is itself", () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[a-z][a-z0-9_.,;:'#@!<>=&|[\]{}*+?^$\\"/-]{0,20}$/), (text) => {
      fc.pre(!/^(?:content|repo|path|lang|language|case|state):/.test(text));

      expect(brief(parseQuery(text).query)).toBe(text);
    }),
  );
});

test("languages go by all the names that GitHub knows", () => {
  const names = ["js", "JavaScript", "cpp", "golang", "sh", "objective-c", "c#", "csharp", "nothing"];

  expect(names.map(languageNamed)).toEqual([
    "JavaScript",
    "JavaScript",
    "C++",
    "Go",
    "Shell",
    "Objective-C",
    "C#",
    "C#",
    null,
  ]);
});
