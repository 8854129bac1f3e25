import { describe, expect, test } from "vitest";
import { useDatabase } from "../support/database.ts";
import { startJourney } from "../support/journey.ts";
import { startSearcher } from "./engine.ts";

const database = useDatabase();

const LONG = `${"x".repeat(8_100)}needle in the first piece ${"y".repeat(300)}${"z".repeat(9_000)} across ${"w".repeat(600)}`;

const FILES: Record<string, string | Buffer> = {
  "README.md": "# Hello\n\nThe quick brown fox.\r\nA second LINE with Quick words\r\n",
  "src/server.ts": "export function createServer() {\n  return listen(8080);\n}\n",
  "src/client.ts": "import { createServer } from './server';\nconst server = createServer();\n",
  "src/server.test.ts": "test('server', () => {\n  createServer();\n});\n",
  "src/same.ts": "const one = 1;\n",
  "lib/same.ts": "const one = 1;\n",
  "docs/한국어.md": "코드 검색은 빠르다\n検索する\n",
  "docs/russian.md": "Привет, МИР\nстрока без конца",
  "long.js": `short\n${LONG}\nafter the long line\n`,
  "many.txt": Array.from(
    { length: 3_000 },
    (_, i) => `line ${i} of many${i % 1_000 === 7 ? " special" : ""}\n`,
  ).join(""),
  "logo.png": Buffer.from([0x89, 0x50, 0x4e, 0x47, 0, 1, 2, 3]),
  "empty.txt": "",
};

async function setUp() {
  const journey = await startJourney(database, { files: FILES });
  await journey.install();
  return startSearcher(database.connection);
}

describe("a search", () => {
  test("finds every line with a text, and only those", async () => {
    const searcher = await setUp();

    expect(await searcher.lines('"createServer"')).toEqual(
      ["src/client.ts:1", "src/client.ts:2", "src/server.test.ts:2", "src/server.ts:1"].sort(),
    );
    expect(await searcher.lines('"quick"')).toEqual(["README.md:3", "README.md:4"]);
    expect(await searcher.lines('"검색"')).toEqual(["docs/한국어.md:1"]);
    expect(await searcher.lines('"検索"')).toEqual(["docs/한국어.md:2"]);
    expect(await searcher.lines('"мир"')).toEqual(["docs/russian.md:1"]);
    expect(await searcher.lines('"конца"')).toEqual(["docs/russian.md:2"]);
    expect(await searcher.lines('"special"')).toEqual(["many.txt:1008", "many.txt:2008", "many.txt:8"]);
    expect(await searcher.lines('"nowhere at all"')).toEqual([]);
    expect(await searcher.lines('"one"')).toContain("lib/same.ts:1");
  });

  test("finds what stands across the pieces of a very long line", async () => {
    const searcher = await setUp();

    expect(await searcher.lines('"needle in the first piece"')).toEqual(["long.js:2"]);
    const crossing = `"${"z".repeat(500)} across ${"w".repeat(450)}"`;
    expect(await searcher.lines(crossing)).toEqual(["long.js:2"]);
    const { data } = await searcher.ask('"across"');
    const [line] = data[0]?.lines ?? [];
    expect(line?.text.length).toBeLessThanOrEqual(1_000);
    const [start = 0, end = 0] = line?.ranges[0] ?? [];
    expect(line?.text.slice(start, end)).toBe("across");
    expect(LONG.slice((line?.offset ?? 0) + start, (line?.offset ?? 0) + end)).toBe("across");
  });

  test("shows the lines around, from the chunks before and after too", async () => {
    const searcher = await setUp();

    const { data } = await searcher.ask('"special"', { context: 2, lines: 2 });

    const file = data[0];
    expect(file?.lines.map(({ number, match }) => [number, match])).toEqual(
      [6, 7, 8, 9, 10, 1006, 1007, 1008, 1009, 1010].map((number) => [
        number,
        number === 8 || number === 1008,
      ]),
    );
    expect(file?.more_lines).toBe(1);
    expect(file?.lines[0]?.text).toBe("line 5 of many");
    const every = await searcher.ask('"of many"', { context: 1, lines: 10_000 });
    expect(every.data[0]?.lines.map(({ number }) => number)).toEqual(
      Array.from({ length: 3_000 }, (_, i) => i + 1),
    );
    const near = await searcher.ask('"line 300 of"', { context: 10 });
    expect(near.data[0]?.lines.map(({ number }) => number)).toEqual(
      Array.from({ length: 21 }, (_, i) => 291 + i),
    );
  });

  test("of plain words has files first in which they stand alone, and tests after them", async () => {
    const searcher = await setUp();

    expect(await searcher.paths("server")).toEqual(["src/server.ts", "src/client.ts", "src/server.test.ts"]);
    expect(await searcher.paths("logo")).toEqual(["logo.png"]);
    expect(await searcher.paths("createServer listen")).toEqual(["src/server.ts"]);
    expect(await searcher.paths("createServer -listen")).toEqual(["src/client.ts", "src/server.test.ts"]);
    expect(new Set(await searcher.paths("one"))).toEqual(new Set(["src/same.ts", "lib/same.ts"]));
  });

  test("looks only where it is told to", async () => {
    const searcher = await setUp();

    expect(await searcher.paths('"one" path:lib')).toEqual(["lib/same.ts"]);
    expect(await searcher.paths("one path:src/*.ts")).toEqual(["src/same.ts"]);
    expect(await searcher.paths('"one" -path:lib')).toEqual(["src/same.ts"]);
    expect(await searcher.paths('"createServer" path:/test\\.ts$/')).toEqual(["src/server.test.ts"]);
    expect(await searcher.paths('"createServer" path:nowhere')).toEqual([]);
    expect(await searcher.paths('"quick" lang:markdown')).toEqual(["README.md"]);
    expect(await searcher.paths('"quick" lang:typescript')).toEqual([]);
    expect(await searcher.paths('"quick" repo:octocat/hello')).toEqual(["README.md"]);
    expect(await searcher.paths('"quick" repo:other')).toEqual([]);
    expect(await searcher.paths("state:binary")).toEqual(["logo.png"]);
    expect(await searcher.paths("path:*.ts -path:src")).toEqual(["lib/same.ts"]);
    expect(await searcher.paths('"Quick" case:yes')).toEqual(["README.md"]);
    expect(await searcher.lines('"Quick" case:yes')).toEqual(["README.md:4"]);
    expect(await searcher.lines("/^a second|конца$/")).toEqual(["README.md:4", "docs/russian.md:2"]);
    expect(await searcher.lines("/words$/")).toEqual(["README.md:4"]);
    expect(await searcher.paths('"one" OR "listen"')).toEqual(await searcher.paths('"listen" OR "one"'));
    expect((await searcher.paths('-"e" path:*.md')).sort()).toEqual(["docs/russian.md", "docs/한국어.md"]);
  });

  test("pages through all files in one order, whatever the page's size", async () => {
    const searcher = await setUp();

    for (const query of ['"e"', "e", "s", "path:src", "/[a-z]+/"]) {
      const whole = await searcher.paths(query, { limit: 100 });
      expect(new Set(whole).size, query).toBe(whole.length);
      expect(whole.length, query).toBeGreaterThan(2);
      for (const limit of [1, 2, 3]) expect(await searcher.paths(query, { limit }), query).toEqual(whole);
      const { estimated_total, total_is_exact } = await searcher.ask(query, { limit: 100 });
      expect([estimated_total, total_is_exact], query).toEqual([whole.length, true]);
    }
  });
});

test("searches that have no end leave room for others, and those that wait in vain say so", async () => {
  const journey = await startJourney(database, { files: { "a.txt": `${"a".repeat(5_000)}!\nfound\n` } });
  await journey.install();
  const searcher = startSearcher(database.connection);

  const endless = Array.from({ length: 20 }, () => searcher.ask("/(a+)+$/", { timeBoxMs: 700 }));
  const status = await journey.status();
  const answers = await Promise.all(endless);

  expect(status.last_finished?.state).toBe("succeeded");
  expect(answers.map(({ incomplete }) => incomplete?.reason)).toEqual(Array(20).fill("time_box"));
  expect(await searcher.lines('"found"')).toEqual(["a.txt:2"]);
});
