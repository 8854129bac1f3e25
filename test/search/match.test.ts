import fc from "fast-check";
import { expect, test } from "vitest";
import { compilePattern, type LineMatch, MAX_RANGES } from "../../src/search/match.ts";
import type { Pattern } from "../../src/search/pattern.ts";
import { escapeRegex } from "../../src/search/regex.ts";
import { literalPatterns, regexPatterns, texts, unixTexts } from "./patterns.ts";

/** What matching means, said as plainly as can be: each line alone. */
function matchPlainly(pattern: Pattern, text: string): LineMatch[] {
  const source = pattern.kind === "literal" ? escapeRegex(pattern.text) : pattern.source;
  const regex = new RegExp(source, pattern.case_sensitive ? "gsu" : "gisu");
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  return lines
    .map((line, index) => ({
      line: index,
      ranges: [...line.replace(/\r$/, "").matchAll(regex)].map((match): [number, number] => [
        match.index,
        match.index + match[0].length,
      ]),
    }))
    .filter(({ ranges }) => ranges.length > 0);
}

test("any pattern matches in a text what it matches in each of its lines", () => {
  fc.assert(
    fc.property(fc.oneof(regexPatterns, literalPatterns), fc.oneof(texts, unixTexts), (pattern, text) => {
      const compiled = compilePattern(pattern);
      const expected = matchPlainly(pattern, text);

      expect(compiled.matchLines(text, 1_000)).toEqual(expected);
      expect(compiled.matchLines(text, 2)).toEqual(expected.slice(0, 2));
      expect(compiled.test(text)).toBe(expected.length > 0);
    }),
    { numRuns: 6_000 },
  );
});

const regex = (source: string, case_sensitive = false): Pattern => ({
  kind: "regex",
  source,
  case_sensitive,
});
const literal = (text: string, case_sensitive = false): Pattern => ({
  kind: "literal",
  text,
  case_sensitive,
});

test.each<[string, Pattern, string, [number, [number, number][]][]]>([
  [
    "a word",
    literal("foo"),
    "x foo\nFOO foo\n",
    [
      [0, [[2, 5]]],
      [
        1,
        [
          [0, 3],
          [4, 7],
        ],
      ],
    ],
  ],
  [
    "a word, with case",
    literal("foo", true),
    "x foo\nFOO foo\n",
    [
      [0, [[2, 5]]],
      [1, [[4, 7]]],
    ],
  ],
  [
    "matches that would overlap",
    literal("aa", true),
    "aaaaa",
    [
      [
        0,
        [
          [0, 2],
          [2, 4],
        ],
      ],
    ],
  ],
  ["the sign for kelvin", literal("k"), "5 \u212a", [[0, [[2, 3]]]]],
  ["a line's end before \\r\\n", regex("o$"), "foo\r\nbar", [[0, [[2, 3]]]]],
  [
    "the ends of every line",
    regex("^a$"),
    "a\na\r\nb\na",
    [
      [0, [[0, 1]]],
      [1, [[0, 1]]],
      [3, [[0, 1]]],
    ],
  ],
  ["an empty line", regex("^$"), "a\n\nb\n", [[1, [[0, 0]]]]],
  ["no line behind the last \\n", regex("^$"), "a\n", []],
  ["no line in nothing", regex("^$"), "", []],
  ["white space, not the line's end", regex("a\\s+b"), "a\nb\na  b", [[2, [[0, 4]]]]],
  [
    "what is not a letter, within the line",
    regex("[^a]+"),
    "ab\nba",
    [
      [0, [[1, 2]]],
      [1, [[0, 1]]],
    ],
  ],
  [
    "any character, also one that JavaScript takes for a line's end",
    regex("a.b"),
    "a\u2028b",
    [[0, [[0, 3]]]],
  ],
  ["columns in UTF-16", literal("b"), "😀b", [[0, [[2, 3]]]]],
  [
    "empty matches",
    regex("a*"),
    "ba",
    [
      [
        0,
        [
          [0, 0],
          [1, 2],
          [2, 2],
        ],
      ],
    ],
  ],
  ["nothing across lines", literal("a\nb"), "a\nb", []],
])("%s", (_, pattern, text, expected) => {
  const found = compilePattern(pattern).matchLines(text, 100);

  expect(found).toEqual(expected.map(([line, ranges]) => ({ line, ranges })));
});

test.each([literal("a"), literal("a", true), regex("a"), regex("a|^b")])(
  "a line has no more than so many ranges, and the lines behind it are found: %o",
  (pattern) => {
    const found = compilePattern(pattern).matchLines(`${"a".repeat(1_000)}\nxa\n`, 10);

    expect(found.map(({ line, ranges }) => [line, ranges.length])).toEqual([
      [0, MAX_RANGES],
      [1, 1],
    ]);
  },
);
