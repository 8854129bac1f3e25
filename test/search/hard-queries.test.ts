import { monitorEventLoopDelay } from "node:perf_hooks";
import { expect, test } from "vitest";
import { needOf } from "../../src/search/pattern.ts";
import { parseQuery } from "../../src/search/query.ts";
import { useDatabase } from "../support/database.ts";
import { createRepository } from "../support/git.ts";
import { startJourney } from "../support/journey.ts";
import { startSearcher } from "./engine.ts";

const database = useDatabase();
const PNG = Buffer.from([0x89, 0x50, 0, 1]);
async function setUp(files: Record<string, string | Buffer>) {
  const journey = await startJourney(database, { files });
  await journey.install();
  return { ...startSearcher(database.connection), journey };
}
const many = (count: number, name: (i: number) => string, text: (i: number) => string | Buffer) =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [name(i), text(i)]));
async function longestStall(work: () => Promise<unknown>) {
  const h = monitorEventLoopDelay({ resolution: 5 });
  h.enable();
  await work();
  h.disable();
  return Math.round(h.max / 1e6);
}

test("many lines with what stands around them do not hold the event loop", async () => {
  const s = await setUp({ "one.txt": "foo bar x y z\n".repeat(3_000) }); // 42 KB; 10,000 lines: 15 s
  expect(await longestStall(() => s.ask('"foo"', { limit: 100, lines: 10_000, context: 10 }))).toBeLessThan(
    300,
  );
});

test("a pattern of many parts is soon understood", () => {
  const two = (i: number) => String.fromCharCode(97 + (i % 26), 97 + Math.floor(i / 26));
  const source = Array.from({ length: 120 }, (_, i) => `\\d${two(i)}.`).join(""); // 195: 8 s
  const startedAt = performance.now();
  needOf({ kind: "regex", source, case_sensitive: false });
  expect(performance.now() - startedAt).toBeLessThan(300);
});

test("a word boundary in path: narrows a text", async () => {
  const { ask, journey } = await setUp({ "src/foo.ts": "needle\n" });
  const q = encodeURIComponent('"needle" path:/\\bfoo\\b/');
  expect
    .soft(await journey.get(`/api/v1/search?q=${q}`).catch((e: Error) => e.message))
    .toMatchObject({ data: [{}] });
  expect.soft((await ask("path:/\\bfoo\\b/")).data).toHaveLength(1);
});

test("a word finds all of many files that have it in their paths and no text", async () => {
  const s = await setUp(
    many(
      400,
      (i) => `logo${i}.png`,
      () => PNG,
    ),
  );
  expect(await s.paths("logo", { limit: 100 })).toHaveLength(400);
});

test("a word finds all of more paths than are looked at at once", async () => {
  const s = await setUp(
    many(
      500,
      (i) => `logo/${"d".repeat(200)}/${"e".repeat(200)}/${"f".repeat(200)}/${i}.png`,
      () => PNG,
    ),
  );
  expect(await s.paths("logo", { limit: 100 })).toHaveLength(500);
});

test("three letters find all of many files that have them within their names", async () => {
  const s = await setUp(
    many(
      400,
      (i) => `xfoobar${i}.txt`,
      (i) => `t ${i}\n`,
    ),
  );
  expect(await s.paths("foo", { limit: 100 })).toHaveLength(400);
});

test("pages of a word of three letters neither skip nor repeat a file", async () => {
  const s = await setUp({
    ...many(
      10,
      (i) => `xquxy${i}.txt`,
      (i) => (i % 2 ? `t ${i}\n` : `xquxy ${i}\n`),
    ),
    ...many(
      40,
      (i) => `other${i}.txt`,
      (i) => `other ${i}\n`,
    ),
  });
  const whole = await s.paths("qux", { limit: 100 });
  expect(whole).toHaveLength(10);
  for (const limit of [1, 3]) expect.soft(await s.paths("qux", { limit })).toEqual(whole);
});

test("files without a text are found where the query needs none", async () => {
  const s = await setUp({ "a.txt": "needle\n", "logo.png": PNG, "empty.txt": "" });
  expect.soft(await s.paths('"needle" OR state:binary')).toEqual(["a.txt", "logo.png"]);
  expect.soft(await s.paths('state:binary -"needle"')).toEqual(["logo.png"]);
  expect.soft(await s.paths("path:empty -needle")).toEqual(["empty.txt"]);
  expect.soft(await s.paths("needle OR path:logo")).toEqual(["a.txt", "logo.png"]);
});

test("globs that are tied to the root are no patterns", () => {
  for (const q of [
    "path:/src/*.ts",
    "path:/*.ts",
    "path:/src/**",
    "path:/[id].tsx",
    "path:/docs/(a)/x.ts",
    "repo:/*-api",
    "repo:/hello*",
  ])
    expect.soft(() => parseQuery(q), q).not.toThrow();
  expect(parseQuery("path:/src/*.ts").query).toMatchObject({
    pattern: { regex: expect.stringMatching(/^\^/) },
  });
  expect(() => parseQuery("path:/a|b")).toThrow("This regular expression is not closed.");
});

test("a pattern that nearly everything matches finds something, or its cursor goes on", async () => {
  const line = (i: number) =>
    `export function createServer${i}(options: Options, more: string): Promise<Server> { return start(options, ${i}); }\n`;
  const s = await setUp(
    many(
      64,
      (i) => `src/f${i}.ts`,
      (i) => Array.from({ length: 1000 }, (_, j) => line(i * 1000 + j)).join(""),
    ),
  );
  for (const q of ["/./", "/[a-z]/", "/\\S/"]) {
    const { data, next_cursor, incomplete } = await s.ask(q, { lines: 10, timeBoxMs: 2_000 });
    expect.soft(data.length > 0 || next_cursor !== null, `${q} ${incomplete?.reason}`).toBe(true);
  }
});

test("a page that is cut off gives its cursor back", async () => {
  const s = await setUp(
    many(
      10,
      (i) => `f${i}.txt`,
      (i) => `e ${i}\n`,
    ),
  );
  for (const q of ['"e"', "e"]) {
    const first = await s.ask(q, { limit: 3 });
    const cut = await s.ask(q, { limit: 3, cursor: first.next_cursor, timeBoxMs: 0.01 });
    expect.soft([cut.incomplete?.reason, cut.next_cursor !== null], q).toEqual(["time_box", true]);
  }
});

test("what was looked at without a match is not looked at again", async () => {
  const text = Array.from(
    { length: 8000 },
    (_, i) =>
      `export function createServer${i}(options: Options, more: string): Promise<Server> { return start(options, ${i}); }\n`,
  ).join("");
  const s = await setUp(
    many(
      32,
      (i) => `src/f${i}.ts`,
      (i) => text + i,
    ),
  );
  const q = ["Q", "W", "Z", "Y"].map((c) => `/[a-z]+ [0-9]+${c}/`).join(" OR ");
  const { incomplete, next_cursor } = await s.ask(q, { timeBoxMs: 1_000 });
  expect([incomplete?.reason, next_cursor !== null]).toEqual(["time_box", true]);
});

test("few statements are prepared for many queries", async () => {
  const s = await setUp({ "a.txt": "abc\n" });
  for (let n = 1; n <= 19; n += 1)
    for (let at = 0; at <= n; at += 1) {
      const parts = Array.from({ length: n }, () => '"abc"');
      parts.splice(at, 0, "path:a");
      await s.ask(parts.join(" "));
    }
  const { rows } = await database.connection.pool.query(
    "select count(*)::int as n, (select sum(total_bytes) from pg_backend_memory_contexts)::float8 / 1e6 as mb from pg_prepared_statements",
  );
  expect(rows[0].n).toBeLessThan(50);
});

test("pages skip no file of those whose names are not UTF-8", async () => {
  const git = await createRepository({ bare: true });
  const head =
    "commit refs/heads/main\nmark :1\nauthor a <a@a> 1700000000 +0000\ncommitter a <a@a> 1700000000 +0000\ndata 1\nx\n";
  const names = ["\\377.txt", "\\376.txt"];
  await git.git("fast-import", "--quiet", "--force", {
    input: `${head}${names.map((n) => `M 100644 inline "${n}"\ndata 7\nsame x\n\n`).join("")}\n`,
  });
  const journey = await startJourney(database, { git });
  await journey.install();
  const s = startSearcher(database.connection);
  expect.soft(await s.paths('"same"', { limit: 10 })).toHaveLength(2);
  expect.soft(await s.paths('"same"', { limit: 1 })).toHaveLength(2);
});

test("what stands around a line comes from further than the next chunk", async () => {
  const s = await setUp({
    "wide.txt": Array.from(
      { length: 30 },
      (_, i) => `${i === 15 ? "middle" : "other"} ${"x".repeat(3000)}\n`,
    ).join(""),
  });
  const { data } = await s.ask('"middle"', { context: 10 });
  expect(data[0]?.lines.map(({ number }) => number)).toEqual(Array.from({ length: 21 }, (_, i) => 6 + i));
});

test("names with line ends and separators are found, with the right columns", async () => {
  const s = await setUp({ "a\nfoobar.txt": "x\n", "rs\u001ename.txt": "same\n" });
  expect.soft((await s.ask("foobar")).data[0]?.path_ranges).toEqual([[2, 8]]);
  expect.soft(await s.paths("name")).toHaveLength(1);
  expect.soft(await s.paths('"same" path:name')).toHaveLength(1);
});

test("globs that would backtrack are soon matched", async () => {
  const s = await setUp({ [`long/${"a".repeat(240)}`]: "same\n" });
  const { incomplete } = await s.ask('"same" path:*aaa*a*a*a*a*a*a*a*a*aaa*b', { timeBoxMs: 2_000 });
  expect(incomplete).toBeNull();
});

test("patterns that take long hold up no one else's path:", async () => {
  const s = await setUp({ "a.txt": `${"a".repeat(5_000)}!\nfound\n` });
  const evil = Array.from({ length: 4 }, () => s.ask("/(a+)+$/", { timeBoxMs: 2_000 }));
  const answer = await s.ask('"found" path:a.txt', { timeBoxMs: 1_900 });
  await Promise.all(evil);
  expect([answer.data.length, answer.incomplete?.reason]).toEqual([1, undefined]);
});

test("totals of names are those of all pages", async () => {
  const s = await setUp(
    many(
      300,
      (i) => `f${i}.txt`,
      (i) => `e ${i}\n`,
    ),
  );
  expect((await s.ask("path:txt", { limit: 3 })).estimated_total).toBeGreaterThan(100);
});

test("very long lines with many hits are soon scored", async () => {
  const s = await setUp(
    many(
      20,
      (i) => `min${i}.js`,
      (i) => `var q${i}=${"a+b*c/d,e;f(g)h[i]j{k}l<m>n:o=p?r!s&t|u^v%w~x@y#z ".repeat(19_000)}\nend ${i}\n`,
    ),
  );
  expect(
    await longestStall(() => s.ask("a b c d e f g h i j k l m n o p q r s t", { lines: 1 })),
  ).toBeLessThan(200);
});

test("what begins where a long line is cut off has no range", async () => {
  const s = await setUp({
    "cut.txt": `${"-".repeat(300)}needle${"-".repeat(794)}needle${"-".repeat(500)}\n`,
  });
  expect.soft((await s.ask('"needle"')).data[0]?.lines[0]?.ranges).toEqual([[200, 206]]);
});

test("a path of more than 8 KB is found by a word", async () => {
  const s = await setUp({
    [[...Array(45).fill("d".repeat(200)), "needle.txt"].join("/")]: "x\n",
    "a.txt": "y\n",
  });
  expect.soft(await s.paths("path:needle")).toHaveLength(1);
  expect.soft(await s.paths("needle")).toHaveLength(1);
});

test("patterns that take long to compile are refused: nothing can interrupt that", () => {
  for (const source of ["(?:\\p{L}|\\p{N})".repeat(4), "\\P{L}".repeat(8), "[^\\s\\p{L}\\p{N}]{3}".repeat(2)])
    expect(() => parseQuery(`/${source}/`), source).toThrow("A pattern has at most 7 properties");
  expect(() => parseQuery("/\\p{Lu}\\p{Ll}{2,10}\\p{L}+/")).not.toThrow();
});
