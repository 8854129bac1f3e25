import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { chunkText, joinChunks, lineCount, MAX_CHUNK_BYTES } from "../../src/scan/chunk.ts";

/** Texts whose lines go from empty to far beyond a chunk, in one to four bytes a character. */
const anyText = fc
  .array(
    fc.record({
      unit: fc.constantFrom("a", "é", "한", "🦊", "\r", " "),
      length: fc.oneof(fc.nat(40), fc.nat(20_000)),
    }),
    { maxLength: 12 },
  )
  .chain((lines) =>
    fc
      .boolean()
      .map((ends) => lines.map(({ unit, length }) => unit.repeat(length)).join("\n") + (ends ? "\n" : "")),
  );

describe("chunkText", () => {
  test("joins back to the exact text", () => {
    fc.assert(
      fc.property(anyText, (text) => {
        expect(joinChunks(chunkText(text))).toBe(text);
      }),
    );
  });

  test("makes no chunk larger than its limit, and none empty", () => {
    fc.assert(
      fc.property(anyText, (text) => {
        for (const chunk of chunkText(text)) {
          expect(Buffer.byteLength(chunk.text)).toBeLessThanOrEqual(MAX_CHUNK_BYTES);
          expect(chunk.text.length).toBeGreaterThan(0);
        }
      }),
    );
  });

  test("says the line and column that each chunk starts at", () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const lines = text.split("\n");

        for (const chunk of chunkText(text)) {
          const rest = lines.slice(chunk.start_line - 1).join("\n");

          expect(rest.slice(chunk.start_column).startsWith(chunk.text)).toBe(true);
        }
      }),
    );
  });

  test("cuts no surrogate pair", () => {
    const chunks = chunkText("🦊".repeat(30_000));

    expect(chunks.length).toBeGreaterThan(1);
    expect(chunks.every((chunk) => chunk.text.isWellFormed())).toBe(true);
  });

  test("lets the pieces of a long line overlap, so that a match across a cut stands whole in one of them", () => {
    const text = Array.from({ length: 5_000 }, (_, i) => `w${i}`).join(" ");

    const chunks = chunkText(text);

    for (let i = 0; i < text.length - 100; i += 50) {
      expect(chunks.some((chunk) => chunk.text.includes(text.slice(i, i + 100)))).toBe(true);
    }
  });

  test("ends whole-line chunks at line ends", () => {
    const text = `${"x".repeat(99)}\n`.repeat(1_000);

    const chunks = chunkText(text);

    expect(chunks.every((chunk) => chunk.text.endsWith("\n") && chunk.start_column === 0)).toBe(true);
    expect(chunks.map((chunk) => chunk.start_line).slice(0, 3)).toEqual([1, 82, 163]);
  });

  test("makes no chunk of an empty text", () => {
    expect(chunkText("")).toEqual([]);
  });
});

test.each([
  ["", 0],
  ["a", 1],
  ["a\n", 1],
  ["a\nb", 2],
  ["\n\n", 2],
  ["a\r\nb\r\n", 2],
])("lineCount counts %j as %i lines", (text, lines) => {
  expect(lineCount(text)).toBe(lines);
});
