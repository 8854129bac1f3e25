import { expect, test } from "vitest";
import { en } from "../../src/http/pages/messages/en.ts";
import { ko } from "../../src/http/pages/messages/ko.ts";

/** All texts of a language by where they are; those that take values, with some. */
function textsOf(messages: unknown, path = ""): [string, string][] {
  if (typeof messages === "string") return [[path, messages]];
  if (typeof messages === "function") return [[path, String(messages(3, 5, 7))]];
  return Object.entries(messages as object).flatMap(([name, value]) => textsOf(value, `${path}.${name}`));
}

test("each language says all that the other does", () => {
  const names = (messages: unknown) => textsOf(messages).map(([path]) => path);

  expect(names(ko)).toEqual(names(en));
  expect(names(en).length).toBeGreaterThan(200);
});

test("Korean is Korean, and English has no Korean in it", () => {
  const NEITHER = [".number", ".runList.by", ".fileList.states.lfs"];
  const isKorean = ([, text]: [string, string]) => /\p{Script=Hangul}/u.test(text);

  expect(
    textsOf(ko)
      .filter((text) => !isKorean(text))
      .map(([path]) => path),
  ).toEqual(NEITHER);
  expect(textsOf(en).filter(isKorean)).toEqual([]);
});

test("one is one, and many are many", () => {
  expect([en.files(1), en.files(2), en.files(1_208)]).toEqual(["1 file", "2 files", "1,208 files"]);
  expect([en.repositories(1), en.repositories(0)]).toEqual(["1 repository", "0 repositories"]);
  expect(en.search.total(2, false)).toBe("about 2 files");
  expect(ko.search.total(2_000, false)).toBe("약 파일 2,000개");
});
