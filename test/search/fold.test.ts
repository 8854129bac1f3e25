import { expect, test } from "vitest";
import { casesOf, foldCharacter, foldText } from "../../src/search/fold.ts";

test("characters fold together iff a RegExp with the flags iu takes them for each other", () => {
  const cased: string[] = [];
  for (let character = 0; character <= 0x10ffff; character += 1) {
    const text = String.fromCodePoint(character);
    if (/[\p{Changes_When_Casemapped}\p{Changes_When_Casefolded}\p{LC}]/u.test(text)) cased.push(text);
  }
  const all = cased.join("");

  const differing = cased.filter((text) => {
    const expected = [...all.matchAll(new RegExp(text, "giu"))].map(([found]) => found);
    const found = casesOf(text.codePointAt(0) ?? 0).map((character) => String.fromCodePoint(character));
    return expected.sort().join() !== found.sort().join();
  });

  expect(cased.length).toBeGreaterThan(2_900);
  expect(differing).toEqual([]);
});

test("a text folds character by character", () => {
  expect(foldText("ÉCOLE 5\u212a ſ 😀")).toBe("école 5k s 😀");
  expect(foldCharacter(0x41)).toBe(0x61);
});
