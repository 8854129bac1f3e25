import { afterEach, beforeEach, expect, test } from "vitest";
import { UnitIndexer } from "../../src/grams/unit.ts";
import { type ParseRequest, parseBlobs } from "../../src/scan/parse.ts";
import { Parser } from "../../src/scan/parser.ts";

let parser: Parser;
beforeEach(() => {
  parser = new Parser({ threads: 2 });
});
afterEach(() => parser.close());

/** A request for these texts, by SHA "01…", "02…" and so on. */
function request(texts: string[]): ParseRequest {
  const contents = texts.map((text) => Buffer.from(text));
  let end = 0;
  const blobs = contents.map(({ length }, i) => {
    end += length;
    return { sha: String(i + 1).padStart(40, "0"), start: end - length, end, hints: [".h"] };
  });
  return {
    repository_id: "1",
    run_id: "2",
    first_chunk: 1,
    content: Uint8Array.from(Buffer.concat(contents)),
    blobs,
  };
}

test("a thread answers what parsing here does, to the last byte", async () => {
  const texts = ["class A {\n public:\n};\n", "", "\0binary", "int x;\n".repeat(5_000)];

  const batch = await parser.parse(request(texts));

  expect(batch.blobs.map(({ state, languages }) => [state, languages[".h"]])).toEqual([
    ["indexed", "C++"],
    ["indexed", null],
    ["binary", null],
    ["indexed", null],
  ]);
  expect(batch.blobs[3]?.chunks).toBe(5);
  const here = parseBlobs(request(texts), new UnitIndexer());
  expect(batch.rows.chunks.map((piece) => Buffer.from(piece))).toEqual(
    here.rows.chunks.map((piece) => Buffer.from(piece)),
  );
  expect(Buffer.concat(batch.rows.blobs)).toEqual(Buffer.concat(here.rows.blobs));
});

test("the loop turns while a thread works", async () => {
  const parsing = parser.parse(request(Array.from({ length: 300 }, (_, i) => `line ${i}\n`.repeat(4_000))));
  let turns = 0;
  const timer = setInterval(() => {
    turns += 1;
  }, 1);

  const { blobs } = await parsing;
  clearInterval(timer);

  expect(blobs).toHaveLength(300);
  expect(turns).toBeGreaterThan(3);
});

test("more requests than threads are answered all, each with its own", async () => {
  const batches = await Promise.all(
    Array.from({ length: 7 }, (_, i) => parser.parse(request([`${"x".repeat(i)}\n`]))),
  );

  expect(batches.map(({ blobs }) => blobs[0]?.size)).toEqual([1, 2, 3, 4, 5, 6, 7]);
});

test("a request that ends its thread is refused, and the next one is answered", async () => {
  const broken = { ...request(["a"]), blobs: null } as unknown as ParseRequest;

  await expect(parser.parse(broken)).rejects.toThrow(/not iterable/);

  expect((await parser.parse(request(["b"]))).blobs).toHaveLength(1);
});

test("what a thread has at hand when the parser is closed is refused, not left open", async () => {
  const parsing = parser.parse(request(["x\n".repeat(2_000_000)]));
  const refused = expect(parsing).rejects.toThrow("the thread that parses files ended");
  await Promise.resolve();

  await parser.close();

  await refused;
});
