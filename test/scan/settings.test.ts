import { readFileSync } from "node:fs";
import path from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { DEFAULT_SETTINGS, settingsJsonSchema } from "../../src/scan/settings.ts";
import { parseSettings } from "../../src/scan/settings-file.ts";

const PUBLISHED = path.join(import.meta.dirname, "../../docs/repodex.schema.json");

function settingsOf(text: string) {
  const parsed = parseSettings(Buffer.from(text));
  return "settings" in parsed ? parsed.settings : parsed.faults;
}

function faultsOf(content: string | Buffer): string[] {
  const parsed = parseSettings(Buffer.from(content as string));
  return "faults" in parsed
    ? parsed.faults.map(({ line, column, message }) => `${line}:${column} ${message}`)
    : [];
}

const ALL = `# everything
branch: release/2
include:
  - src/
  - "*.md"
exclude: [ "**/testdata/**", '\\#odd' ]
max_file_bytes: 500000
index_generated: false
check_run: errors-only
`;

describe("a configuration", () => {
  test("says all that it may say", () => {
    expect(settingsOf(ALL)).toEqual({
      branch: "release/2",
      include: ["src/", "*.md"],
      exclude: ["**/testdata/**", "\\#odd"],
      max_file_bytes: 500_000,
      index_generated: false,
      check_run: "errors-only",
    });
    expect(settingsOf(ALL.replaceAll("\n", "\r\n"))).toEqual(settingsOf(ALL));
  });

  test.each(["", "\n", "# nothing\n", "---\n", "~", "{}", "\uFEFF"])("%j means the defaults", (text) => {
    expect(settingsOf(text)).toEqual(DEFAULT_SETTINGS);
  });

  test.each([
    ["check_run: on", { check_run: "on" }],
    ["check_run: off", { check_run: "off" }],
    ["check_run: 'on'", { check_run: "on" }],
    ["index_generated: False", { index_generated: false }],
    ["branch: on", { branch: "on" }],
    ["branch: 1.0.x", { branch: "1.0.x" }],
    ["max_file_bytes: 0x10", { max_file_bytes: 16 }],
    ["max_file_bytes: 1e3", { max_file_bytes: 1_000 }],
    ["include: []", { include: [] }],
    ["exclude:\n- a b \n- '!x'", { exclude: ["a b", "!x"] }],
  ])("%j is read as YAML 1.2 has it", (text, some) => {
    expect(settingsOf(text)).toEqual({ ...DEFAULT_SETTINGS, ...some });
  });

  test("says where it names the branch, for who finds that there is none", () => {
    expect(parseSettings(Buffer.from("exclude: [a]\n\nbranch:   trunk\n"))).toMatchObject({
      branchAt: { line: 3, column: 11 },
    });
  });
});

const SETTINGS = "There are branch, include, exclude, max_file_bytes, index_generated, check_run.";

describe("a mistake is told at its place, with what to write", () => {
  test.each([
    ["excludes: []", '1:1 There is no setting "excludes". Did you mean exclude?'],
    ["maxFileBytes: 1", '1:1 There is no setting "maxFileBytes". Did you mean max_file_bytes?'],
    ["check-run: on", '1:1 There is no setting "check-run". Did you mean check_run?'],
    ["brnach: x", '1:1 There is no setting "brnach". Did you mean branch?'],
    ["<<: {}", `1:1 There is no setting "<<". ${SETTINGS}`],
    ["__proto__: 1", `1:1 There is no setting "__proto__". ${SETTINGS}`],
    ["branch: a\n\nbranch: b", '3:1 "branch" stands here a second time: keep one of them.'],
    ["branch:", "1:8 branch has no value: give it one, or leave the line out."],
    ["branch: 1.0", "1:9 branch takes the name of a branch, as text: put it in quotes. Here it is 1.0."],
    ["branch: a..b", "1:9 git allows no branch of this name. Here it is a..b."],
    ["branch: x.lock", "1:9 git allows no branch of this name. Here it is x.lock."],
    ['branch: "\\ud800"', '1:9 git allows no branch of this name. Here it is "\\ud800".'],
    ["branch: |\n  x", "1:9 A value stands on one line: indent the items of a list alike."],
    [
      "include: src/",
      '1:10 include takes a list of patterns, each on a line of its own after "- ". Here it is src/.',
    ],
    ["include: {a: b}", '1:10 include takes a list of patterns, each on a line of its own after "- ".'],
    ["include:\n  - 1", "2:5 A pattern is text: put it in quotes. Here it is 1."],
    ["include:\n  - [a]", "2:5 A pattern is text: put it in quotes."],
    ["include:\n  -\n  - a", "2:4 This item is empty: give it a pattern, or leave it out."],
    ["include:\n- a\n - b", "2:3 A value stands on one line: indent the items of a list alike."],
    ["exclude:\n  - *.log", '2:5 YAML takes "*" for an alias: put the text in quotes, as in "*.log".'],
    ["exclude:\n  - *", '2:5 YAML takes "*" for an alias: put the pattern in quotes, such as "*.log".'],
    ["exclude:\n  - !src/", '2:10 YAML takes "!" for a tag: put the text in quotes, as in "!src/".'],
    ["exclude: ['[a']", /^1:11 The pattern can match nothing: .* Here it is '\[a'\.$/],
    ["exclude: ['#a']", /^1:11 A pattern that begins with "#" is a comment to git: /],
    ["exclude: [' ']", /^1:11 The pattern can match nothing: it is blank, /],
    ['exclude: ["a\\nb"]', /^1:11 A pattern has no line ends/],
    ['exclude: ["a\\0b"]', /^1:11 A pattern has no line ends and no control characters/],
    ["exclude: ['']", /^1:11 An empty pattern matches nothing/],
    [`exclude: [${"a".repeat(251)}]`, /^1:11 A pattern has at most 250 characters\. Here it is a+…\.$/],
    ['include:\n  - "a\\*b"', /^2:7 Double quotes give "\\" a meaning: use single quotes/],
    [
      "include:\n  - @x",
      /^2:5 YAML gives the first character a meaning of its own: put the value in quotes\./,
    ],
    ["include:\n  - [ab].c", /^2:9 This is no YAML: .* A pattern that begins with "\[" must be in quotes\.$/],
    ["branch: &x a", '1:12 YAML takes "&" for an anchor: put the text in quotes, as in "&x".'],
    ["branch: !!str a", "1:15 Leave out the tag: settings are plain values."],
    ["exclude:\n\t- a", "2:1 YAML cannot be indented with tabs: use spaces."],
    [
      "max_file_bytes: 10KB",
      /^1:17 max_file_bytes takes a whole number of bytes, such as 500000\. Here it is 10KB\.$/,
    ],
    ["max_file_bytes: 1_000", /^1:17 max_file_bytes takes a whole number/],
    ["max_file_bytes: 1.5", /^1:17 max_file_bytes takes a whole number/],
    ["max_file_bytes: 0", "1:17 max_file_bytes is 1 at least. Here it is 0."],
    ["index_generated: yes", "1:18 index_generated takes true or false. Here it is yes."],
    ["check_run: true", "1:12 check_run takes on, errors-only or off. Here it is true."],
    ["check_run: no", "1:12 check_run takes on, errors-only or off. Here it is no."],
    ["- a", '1:1 Settings are written as "name: value", each on a line of its own.'],
    ["branch:main", '1:1 Settings are written as "name: value", each on a line of its own.'],
    [
      "branch: a\n---\nbranch: b",
      '2:1 The file may hold one document only: remove this "---" and what follows.',
    ],
    ["%YAML 1.1\n---\nbranch: a", '1:1 A line cannot begin with "%": directives are not needed here.'],
    ["? [a]\n: b", "1:3 The name of a setting is one plain word."],
    ["branch: a: b", /^1:9 This is no YAML: /],
    ["branch: 'a", /^1:11 This is no YAML: Missing closing 'quote\.$/],
    ["# ok\nbranch: a\u0007", "2:10 The file has a control character here (U+0007): remove it."],
  ])("%j", (text, fault) => {
    const faults = faultsOf(text);

    expect(faults).toHaveLength(1);
    if (typeof fault === "string") expect(faults[0]).toBe(fault);
    else expect(faults[0]).toMatch(fault);
  });

  test("and all of them at once, in their order", () => {
    expect(
      faultsOf("check_run: yes\nfoo: 1\nexclude: [1, a, 2]\nmax_file_bytes: x\n").map((fault) =>
        fault.slice(0, 4),
      ),
    ).toEqual(["1:12", "2:1 ", "3:11", "3:17", "4:17"]);
  });
});

const FULL = 16_000;

describe("a hostile file", () => {
  const bomb = [
    "a: &a [x]",
    ...[..."bcdefghi"].map((key, i) => `${key}: &${key} [${`*${"abcdefgh"[i]},`.repeat(9)}]`),
  ];

  test.each<[string, string | Buffer, RegExp]>([
    ["an alias bomb", bomb.join("\n"), /^1:7 YAML takes "&" for an anchor/],
    ["a file of 1 MB", "a".repeat(2 ** 20), /^1:1 The file has 1,048,576 bytes: at most 16,384 are read/],
    ["lists in lists", "[".repeat(FULL), /nested too deeply/],
    ["closed lists in lists", `include: ${"[".repeat(7_000)}${"]".repeat(7_000)}`, /nested too deeply/],
    ["lists in lists on a line", "- ".repeat(FULL / 2), /nested too deeply/],
    ["maps in maps", "{a: ".repeat(FULL / 4), /nested too deeply/],
    ["too many patterns", `include:\n${"- a\n".repeat(4_000)}`, /^2:1 include takes at most 100 patterns\.$/],
    ["too many settings", Array.from({ length: 1_800 }, (_, i) => `k${i}: 1\n`).join(""), /no setting "k0"/],
    ["closing brackets", "]".repeat(FULL), /^1:1 This is no YAML/],
    ["latin1", Buffer.from("branch: a\n# caf\xe9\n", "latin1"), /^2:1 The file is not UTF-8/],
    ["UTF-16", Buffer.from("\uFEFFbranch: a\n", "utf16le"), /^1:1 The file is not UTF-8/],
    ["zeros", Buffer.alloc(FULL), /^1:1 The file has a control character here \(U\+0000\)/],
  ])("of %s is refused at once", (_, content, fault) => {
    const startedAt = performance.now();

    const faults = faultsOf(content);

    expect(performance.now() - startedAt).toBeLessThan(5_000);
    expect(faults[0]).toMatch(fault);
    expect(faults.length).toBeLessThanOrEqual(50);
  });

  test("of any bytes is read or refused, in words that a database takes", () => {
    const words = [
      ..."abx \n\t:-?[]{}#&*!|>'\"%@`,.\\/~\r\0\u0085é",
      "branch",
      "include",
      "exclude",
      ": ",
      "\n- ",
      "\\ud800",
      "on",
    ];
    const text = fc
      .array(fc.constantFrom(...words), { maxLength: 40 })
      .map((parts) => Buffer.from(parts.join("")));
    const bytes = fc.uint8Array({ maxLength: 60 }).map((array) => Buffer.from(array));
    fc.assert(
      fc.property(fc.oneof(text, bytes), (content) => {
        const parsed = parseSettings(content);
        const json = JSON.stringify(parsed);
        expect(json).not.toMatch(/(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f])/);
        for (const { line, column } of "faults" in parsed ? parsed.faults : []) {
          expect(line).toBeGreaterThanOrEqual(1);
          expect(line).toBeLessThanOrEqual(content.toString("latin1").split("\n").length);
          expect(column).toBeGreaterThanOrEqual(1);
        }
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("the schema for editors", () => {
  const published = JSON.parse(readFileSync(PUBLISHED, "utf8"));
  const validate = new Ajv2020({ allErrors: true }).compile(published);

  test("is published as the code has it", () => {
    expect(published).toEqual(settingsJsonSchema());
  });

  test("takes the example of the README, and so does the code", () => {
    const readme = readFileSync(path.join(import.meta.dirname, "../../README.md"), "utf8");
    const example = /```yaml\n(# yaml-language-server[^`]*)```/.exec(readme)?.[1] ?? "";

    expect(validate(parse(example))).toBe(true);
    expect(settingsOf(example)).toMatchObject({ include: ["src/", "*.md"], check_run: "errors-only" });
  });

  test.each([
    [ALL, true],
    ["{}", true],
    ["check_run: true", false],
    ["excludes: []", false],
    ["include: [1]", false],
    [`include: [${"a,".repeat(101)}]`, false],
    ["branch: a..b", false],
    ["max_file_bytes: 0", false],
    ["index_generated: yes", false],
  ])("agrees of %j", (text, is) => {
    expect(validate(parse(text))).toBe(is);
    expect(faultsOf(text).length === 0).toBe(is);
  });
});
