import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { foldUnit, toUnits } from "../../src/grams/fold.ts";
import { GRAMS, GramReader, gramsOfLiteral } from "../../src/grams/gram.ts";
import { keysOfWord, WORDS, WordReader, wordsOf } from "../../src/grams/word.ts";

const grams = new GramReader();
const words = new WordReader();

function gramsOf(text: string): Set<number> {
  const into = new Uint32Array(text.length * 2 + 8);
  return new Set(into.slice(0, grams.read(toUnits(text), into, 0)));
}

function wordKeysOf(text: string): Set<number> {
  const into = new Uint32Array(text.length * 2 + 8);
  return new Set(into.slice(0, words.read(toUnits(text), into, 0, 0)));
}

/** True where the index lets through a text for a literal. */
function mayContain(text: string, literal: string): boolean {
  const found = gramsOf(text);
  return (gramsOfLiteral(literal) ?? []).every((set) => set.some((gram) => found.has(gram)));
}

const ALPHABETS = [
  ..."abcXYZ019_ .-/\"'(){}[]=,;:*<>&|#@$%!?+~^\\`\t",
  ..."äÖßéİıſKÅµ",
  ..."жЖщЩёЁσςΣΩω",
  ..."漢字かなカナ한글ﬅﬆ",
  ..."\u{10400}\u{10428}\u{1f600}\u{1e900}\u{1e922}",
];
const text = fc.string({ unit: fc.constantFrom(...ALPHABETS), maxLength: 60 });

function escapeRegex(literal: string): string {
  return literal.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
}

describe("grams", () => {
  test("of a literal are in every text that contains it", () => {
    const law = fc.property(text, text, text, (before, literal, after) => {
      expect(mayContain(before + literal + after, literal)).toBe(true);
    });
    fc.assert(law, { numRuns: 2_000 });
  });

  test("of a literal are in every text that contains it in another case", () => {
    const law = fc.property(text, text, text, (before, literal, after) => {
      const lines = before + literal + after;
      const isThere = (other: string) => new RegExp(escapeRegex(other), "iu").test(lines);
      for (const other of [
        literal.toUpperCase(),
        literal.toLowerCase(),
        literal.toUpperCase().toLowerCase(),
      ]) {
        if (isThere(other)) expect(mayContain(lines, other), other).toBe(true);
      }
    });
    fc.assert(law, { numRuns: 2_000 });
  });

  test("fold at least what Unicode's simple case folding does", () => {
    const cased = Array.from({ length: 65_536 }, (_, unit) => String.fromCharCode(unit)).filter((character) =>
      /[\p{Changes_When_Casemapped}\p{Changes_When_Casefolded}]/u.test(character),
    );
    const all = cased.join("");
    const apart: string[] = [];
    for (const character of cased) {
      for (const [same] of all.matchAll(new RegExp(escapeRegex(character), "giu"))) {
        if (foldUnit(same.charCodeAt(0)) !== foldUnit(character.charCodeAt(0))) apart.push(character + same);
      }
    }
    expect(cased.length).toBeGreaterThan(2_000);
    expect(apart).toEqual([]);
  });

  test("tell apart most texts of two ideographs", () => {
    expect(mayContain("検索する", "検索")).toBe(true);
    expect(mayContain("索引を作る", "検索")).toBe(false);
  });

  test("of three characters are looked for with every character that may follow, and the end", () => {
    expect(mayContain("a foo", "foo")).toBe(true);
    expect(mayContain("foo(bar)", "foo")).toBe(true);
    expect(mayContain("a fob", "foo")).toBe(false);
    expect(gramsOfLiteral("fo")).toBe(null);
  });

  test("are within their range, and none twice", () => {
    const law = fc.property(text, (of) => {
      const into = new Uint32Array(of.length * 2 + 8);
      const found = [...into.slice(0, grams.read(toUnits(of), into, 0))];
      expect(new Set(found).size).toBe(found.length);
      expect(found.every((gram) => gram < GRAMS)).toBe(true);
    });
    fc.assert(law);
  });
});

describe("words", () => {
  test("are listed of every text, whatever was read before, even if a part's hash is that of a word", () => {
    const parts = Array.from({ length: 3_000 }, (_, i) => `part${i.toString(36)}`.replace(/\d/g, "q"));
    const byHash = new Map(parts.map((part) => [keysOfWord(part).part, part]));
    const word = Array.from(
      { length: 3_000 },
      (_, i) => `wordOf${"abcdefghij"[i % 10]}${i.toString(36)}`,
    ).find((of) => byHash.has(keysOfWord(of).identifier)) as string;
    const part = byHash.get(keysOfWord(word).identifier) as string;
    const { part: expected } = keysOfWord("word");

    expect(wordKeysOf(word).has(expected as number)).toBe(true);
    expect(wordKeysOf(`other_${part} ${word}`).has(expected as number)).toBe(true);
  });

  test.each([
    ["createHTTPServer2", ["create", "HTTP", "Server", "2"]],
    ["foo_bar", ["foo", "bar"]],
    ["__init__", ["init"]],
    ["x86_64", ["x", "86", "64"]],
    ["naïveCafé", ["naïve", "Café"]],
    ["URL", []],
  ])("%s has the parts %j", (identifier, parts) => {
    const found = wordsOf(identifier);

    expect(found.identifiers).toEqual([{ start: 0, end: identifier.length }]);
    expect(found.parts.map(({ start, end }) => identifier.slice(start, end))).toEqual(parts);
  });

  test("are listed as identifiers and as parts, whatever their case", () => {
    const listed = wordKeysOf("const x = createHTTPServer(42);\n");

    const { identifier } = keysOfWord("CREATEHTTPSERVER");
    expect(listed.has(identifier as number)).toBe(true);
    const { identifier: whole, part } = keysOfWord("http");
    expect([listed.has(whole as number), listed.has(part as number)]).toEqual([false, true]);
    expect(keysOfWord("42")).toEqual({ identifier: null, part: null });
    expect(keysOfWord("foo.bar").identifier).toBe(null);
  });

  test("of a text are those that are looked for", () => {
    const law = fc.property(text, (of) => {
      const listed = wordKeysOf(of);
      const { identifiers, parts } = wordsOf(of);
      for (const { start, end } of identifiers) {
        const { identifier } = keysOfWord(of.slice(start, end));
        if (identifier !== null) expect(listed.has(identifier)).toBe(true);
      }
      for (const { start, end } of parts) {
        const { part } = keysOfWord(of.slice(start, end));
        if (part !== null) expect(listed.has(part)).toBe(true);
      }
      for (const key of listed) expect(key).toBeLessThan(WORDS);
    });
    fc.assert(law);
  });
});
