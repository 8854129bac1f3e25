import fc from "fast-check";
import { expect, test } from "vitest";
import { type Need, needOf } from "../../src/search/pattern.ts";
import { escapeRegex } from "../../src/search/regex.ts";
import { densePatterns, holds, literalPatterns, regexPatterns, texts } from "./patterns.ts";

/** A need in short: all parts joined by "&", choices by "|", "*" for anything. */
function brief(need: Need): string {
  if (need.kind === "anything") return "*";
  if (need.kind === "literal") return need.text;
  const parts = need.of.map(brief);
  return need.kind === "all" ? parts.join(" & ") : `(${parts.join("|")})`;
}

test.each([
  ["foo", "foo"],
  ["foo.*bar", "foo & bar"],
  ["(foo|bar)baz", "(foobaz|barbaz)"],
  ["[ab]cdef", "(acdef|bcdef)"],
  ["[abc-]x", "(ax|bx|cx|-x)"],
  ["colou?r", "(color|colour)"],
  ["foo(bar)?", "foo"],
  ["a+b", "ab"],
  ["x{2,}y", "xxy"],
  ["(ab){3}", "ababab"],
  ["(ab){2,5}c", "ababc"],
  ["x(ab){2,5}c", "xabab & ababc"],
  ["ab+c", "ab & bc"],
  ["ab{0,2}c", "a & c"],
  ["(?:foo.*|bar)(?:foobaz.*x|bar)", "(foobaz & x|bar)"],
  ["z([a-h]([0-7]x.*))", "(0x|1x|2x|3x|4x|5x|6x|7x) & (za|zb|zc|zd|ze|zf|zg|zh)"],
  ["x{100}", "x".repeat(16)],
  ["^import .* from$", "import  &  from"],
  ["\\bfoo\\b", "foo"],
  ["foo|.*", "*"],
  ["foo|bar.*qux", "(foo|bar & qux)"],
  ["(foo)(?:|bar)", "foo"],
  ["\\w+\\(", "("],
  ["\\w+", "*"],
  ["a*", "*"],
  ["", "*"],
  ["\\u{1f600}x", "😀x"],
  ["v\\d\\.rc", "(v0.rc|v1.rc|v2.rc|v3.rc|v4.rc|v5.rc|v6.rc|v7.rc|v8.rc|v9.rc)"],
  ["[a-z]foo[^x]bar", "foo & bar"],
  ["(?:a|b)+foo", "(afoo|bfoo)"],
  ["(foo.*|bar.*)end", "(foo|bar) & end"],
  ["create(Server|Client)\\(opts", "(createServer(opts|createClient(opts)"],
])("/%s/ needs %s", (source, expected) => {
  expect(brief(needOf({ kind: "regex", source, case_sensitive: true }))).toBe(expected);
});

test.each([
  ["[Ff][Oo]o", "foo"],
  ["FOO|foo", "foo"],
  ["\u212aelvin[éÉ]", "kelviné"],
])("without case /%s/ needs %s", (source, expected) => {
  expect(brief(needOf({ kind: "regex", source, case_sensitive: false }))).toBe(expected);
});

test("a word needs itself", () => {
  expect(needOf({ kind: "literal", text: "Foo", case_sensitive: true })).toEqual({
    kind: "literal",
    text: "Foo",
  });
  expect(needOf({ kind: "literal", text: "Foo", case_sensitive: false })).toEqual({
    kind: "literal",
    text: "foo",
  });
  expect(needOf({ kind: "literal", text: "", case_sensitive: true })).toEqual({ kind: "anything" });
});

test("a line that a pattern matches has what the pattern needs", () => {
  let needed = 0;
  fc.assert(
    fc.property(
      fc.oneof({ arbitrary: regexPatterns, weight: 4 }, literalPatterns),
      texts,
      (pattern, text) => {
        const need = needOf(pattern);
        const source = pattern.kind === "regex" ? pattern.source : escapeRegex(pattern.text);
        const regex = new RegExp(source, pattern.case_sensitive ? "su" : "isu");

        for (const line of text.split("\n").filter((each) => regex.test(each))) {
          expect(holds(need, line, pattern.case_sensitive), `${source} in ${line}`).toBe(true);
          if (need.kind !== "anything") needed += 1;
        }
      },
    ),
    { numRuns: 10_000 },
  );
  expect(needed).toBeGreaterThan(500); // or the law has proved nothing
});

const WORDS_OF_TWO = Array.from({ length: 510 }, (_, i) =>
  (i + 2).toString(2).slice(1).replaceAll("0", "a").replaceAll("1", "b"),
);

test("of all short words of two letters, those that a pattern matches have what it needs", () => {
  fc.assert(
    fc.property(densePatterns, (pattern) => {
      if (pattern.kind !== "regex") return;
      const need = needOf(pattern);
      const regex = new RegExp(pattern.source, pattern.case_sensitive ? "su" : "isu");

      const lacking = WORDS_OF_TWO.filter(
        (word) => regex.test(word) && !holds(need, word, pattern.case_sensitive),
      );
      expect(lacking, pattern.source).toEqual([]);
    }),
    { numRuns: 2_000 },
  );
});

test("what a long pattern needs is known soon", () => {
  const started = performance.now();

  for (const source of [
    "(a|b)".repeat(200),
    "(a|b.)".repeat(160),
    "(((((a{9}){9}){9})b?)+)+",
    "[a-h]x?".repeat(140),
  ])
    needOf({ kind: "regex", source, case_sensitive: false });

  expect(performance.now() - started).toBeLessThan(1_000);
});
