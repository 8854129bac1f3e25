import { readdirSync } from "node:fs";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Matcher, TimedOut } from "../../src/search/matcher.ts";
import type { Pattern } from "../../src/search/pattern.ts";

const catastrophe: Pattern = { kind: "regex", source: "(a+)+$", case_sensitive: true };
const longLine = `${"a".repeat(5_000)}!`;
const regex = (source: string): Pattern => ({ kind: "regex", source, case_sensitive: false });
const literal = (text: string): Pattern => ({ kind: "literal", text, case_sensitive: false });

let matcher: Matcher;
beforeEach(() => {
  matcher = new Matcher({ threads: 1 });
});
afterEach(() => matcher.close());

const within = (ms: number) => ({ deadline: performance.now() + ms, limit: 10 });

test("literals and regular expressions are answered in their places, text by text", async () => {
  const patterns = [regex("^b"), literal("A"), regex("c$"), literal("nothing")];

  const found = await matcher.match(["a\nb c", "", "bac"], patterns, within(10_000));

  expect(found).toEqual([
    [[{ line: 1, ranges: [[0, 1]] }], [{ line: 0, ranges: [[0, 1]] }], [{ line: 1, ranges: [[2, 3]] }], []],
    [[], [], [], []],
    [[{ line: 0, ranges: [[0, 1]] }], [{ line: 0, ranges: [[1, 2]] }], [{ line: 0, ranges: [[2, 3]] }], []],
  ]);
});

test("no more lines than wanted are answered", async () => {
  const found = await matcher.match(["a\na\na"], [regex("a"), literal("a")], { ...within(10_000), limit: 2 });

  expect(found[0]?.map(({ length }) => length)).toEqual([2, 2]);
});

test("a pattern without end is given up at its deadline, and the next one is answered", async () => {
  await matcher.match(["a"], [regex("a")], within(10_000)); // the thread is there
  const started = performance.now();

  await expect(matcher.match([longLine], [catastrophe], within(300))).rejects.toThrow(TimedOut);

  const took = performance.now() - started;
  expect(took).toBeGreaterThan(290);
  expect(took).toBeLessThan(500);
  expect(await matcher.match(["xa"], [regex("a$")], within(10_000))).toEqual([
    [[{ line: 0, ranges: [[1, 2]] }]],
  ]);
});

test.runIf(process.platform === "linux")("threads that were given up are gone", async () => {
  await matcher.match(["a"], [regex("a")], within(10_000));
  const threads = readdirSync("/proc/self/task").length;

  for (let i = 0; i < 4; i += 1)
    await expect(matcher.match([longLine], [catastrophe], within(100))).rejects.toThrow(TimedOut);
  await matcher.match(["a"], [regex("a")], within(10_000));

  expect(readdirSync("/proc/self/task").length).toBeLessThan(threads + 3);
});

test("the loop turns while a pattern without end runs", async () => {
  let turns = 0;
  const timer = setInterval(() => {
    turns += 1;
  }, 1);

  await expect(matcher.match([longLine], [catastrophe], within(300))).rejects.toThrow(TimedOut);
  clearInterval(timer);

  expect(turns).toBeGreaterThan(20);
});

test("who waits in line behind a pattern without end is answered after it", async () => {
  const endless = matcher.match([longLine], [catastrophe], within(200));
  const waiting = matcher.match(["a"], [regex("a")], within(20_000));

  await expect(endless).rejects.toThrow(TimedOut);
  expect(await waiting).toHaveLength(1);
});

test("who waits in line is given up at the own deadline, not when the line has moved", async () => {
  const endless = matcher.match([longLine], [catastrophe], within(1_500));
  const refused = expect(endless).rejects.toThrow(TimedOut);
  const started = performance.now();

  await expect(matcher.match(["a"], [regex("a")], within(100))).rejects.toThrow(TimedOut);

  expect(performance.now() - started).toBeLessThan(700);
  await refused;
});

test("literals do not wait for threads", async () => {
  const endless = matcher.match([longLine], [catastrophe], within(1_000));
  const refused = expect(endless).rejects.toThrow(TimedOut);
  const started = performance.now();

  await matcher.match(["a"], [literal("a")], within(10_000));

  expect(performance.now() - started).toBeLessThan(500);
  await refused;
});

test("a request that is not wanted any more ends at once, with the reason, and frees its thread", async () => {
  const controller = new AbortController();
  const endless = matcher.match([longLine], [catastrophe], { ...within(60_000), signal: controller.signal });
  const next = matcher.match(["a"], [regex("a")], within(30_000));

  controller.abort(new Error("the reader has left"));

  await expect(endless).rejects.toThrow("the reader has left");
  expect(await next).toHaveLength(1);
  const late = matcher.match(["a"], [literal("a")], { ...within(1_000), signal: controller.signal });
  await expect(late).rejects.toThrow("the reader has left");
});

test("many texts with literals leave the loop its turns, and end at the deadline", async () => {
  const texts = new Array<string>(40_000).fill("a line.with some words\n".repeat(300));
  let last = performance.now();
  let longest = 0;
  const timer = setInterval(() => {
    longest = Math.max(longest, performance.now() - last);
    last = performance.now();
  }, 1);

  await matcher.match(texts, [literal("words.with"), literal(".nothing")], within(60_000));
  clearInterval(timer);
  longest = Math.max(longest, performance.now() - last); // the timer had no turn since

  expect(longest).toBeLessThan(100);
  await expect(matcher.match(texts, [literal("nothing")], within(2))).rejects.toThrow(TimedOut);
});

test("long literals in a long text, which may compare without end, are no burden on the loop", async () => {
  let last = performance.now();
  let longest = 0;
  const timer = setInterval(() => {
    longest = Math.max(longest, performance.now() - last);
    last = performance.now();
  }, 1);
  const text = "a".repeat(1_000_000);
  const many = "a".repeat(400);

  await matcher
    .match([text, text, text], [literal(`${many}b${many}`), literal(`b${many}`)], within(1_000))
    .catch((error: unknown) => expect(error).toBeInstanceOf(TimedOut));
  clearInterval(timer);
  longest = Math.max(longest, performance.now() - last); // the timer had no turn since

  expect(longest).toBeLessThan(100);
});

test("a pattern that takes all its thread's memory has run out of time, and the next is answered", async () => {
  const hungry = matcher.match(["ab".repeat(20_000_000)], [regex("^(?:a|b|cd)*e")], within(30_000));

  await expect(hungry).rejects.toThrow(TimedOut);

  expect(await matcher.match(["a"], [regex("a")], within(10_000))).toHaveLength(1);
});

test("a closed matcher refuses what it has at hand, and what comes", async () => {
  const endless = matcher.match([longLine], [catastrophe], within(60_000));
  const refused = expect(endless).rejects.toThrow("ended");
  await matcher.match(["a"], [literal("a")], within(1_000));

  await matcher.close();

  await refused;
  await expect(matcher.match(["a"], [regex("a")], within(1_000))).rejects.toThrow("closed");
});
