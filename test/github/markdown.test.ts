import { expect, test } from "vitest";
import { codeSpan, escapeMarkdown, truncate } from "../../src/github/markdown.ts";

test.each([
  ["a_b*c", "a\\_b\\*c"],
  ["<img src=x>", "&lt;img src=x&gt;"],
  ["[x](http://e)", "\\[x\\]\\(http://e\\)"],
  ["line\nbreak", "line break"],
])("escapeMarkdown makes %j stand for itself", (text, escaped) => {
  expect(escapeMarkdown(text)).toBe(escaped);
});

test("escapeMarkdown mentions nobody", () => {
  expect(escapeMarkdown("@octocat")).not.toMatch(/@octocat/);
});

test.each([
  ["plain", "`plain`"],
  ["with ` tick", "`` with ` tick ``"],
  ["a|b", "`a│b`"],
  ["new\nline", "`new line`"],
])("codeSpan holds %j", (text, span) => {
  expect(codeSpan(text)).toBe(span);
});

test("truncate cuts no surrogate pair", () => {
  expect(truncate("ab🦊cd", 4)).toBe("ab…");
  expect(truncate("abcd", 4)).toBe("abcd");
});
