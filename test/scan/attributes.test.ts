import { expect, test } from "vitest";
import { linguistFlags } from "../../src/scan/attributes.ts";

function flags(text: string, path: string, more: { dir: string; text: string }[] = []) {
  return linguistFlags([{ dir: "", text }, ...more])(path);
}

test.each([
  ["*.gen.ts linguist-generated", "a/b/x.gen.ts", true],
  ["*.gen.ts linguist-generated=true", "x.gen.ts", true],
  ["*.gen.ts -linguist-generated", "x.gen.ts", false],
  ["*.gen.ts linguist-generated=false", "x.gen.ts", false],
  ["dist/** linguist-generated", "dist/a/b.js", true],
  ["dist/** linguist-generated", "lib/dist/b.js", false],
  ["/only.ts linguist-generated", "deep/only.ts", false],
  ["**/snap/*.json linguist-generated", "a/b/snap/x.json", true],
  ["**/snap/*.json linguist-generated", "snap/x.json", true],
  ['"with space.ts" linguist-generated', "with space.ts", true],
  ["[ab].ts linguist-generated", "b.ts", true],
  ["[!ab].ts linguist-generated", "b.ts", false],
  ["[a-c]?.ts linguist-generated", "bz.ts", true],
  ["[]x].ts linguist-generated", "].ts", true],
  ["a/**/b linguist-generated", "a/b", true],
  ["a/**/b linguist-generated", "a/x/y/b", true],
  ["a/**/b linguist-generated", "a/x/y/c", false],
  ["**/*.min.js linguist-generated", "x.min.js", true],
  ["*.\\*x linguist-generated", "a.*x", true],
  ["a?.ts linguist-generated", "a/.ts", false],
  ["a+(b).ts linguist-generated", "a+(b).ts", true],
  ["# *.ts linguist-generated", "x.ts", false],
  ["*.ts text linguist-generated eol=lf", "x.ts", true],
  ["*.ts linguist-generated\n*.ts -linguist-generated", "x.ts", false],
  ["[z-a].ts linguist-generated", "z.ts", true], // git takes a range's first end by itself too
  ["[z-a].ts linguist-generated", "m.ts", false],
])("%j makes %s generated: %s", (text, path, generated) => {
  expect(flags(text, path).generated).toBe(generated);
});

test("a pattern made to send a matcher back and forth is matched all the same", () => {
  const pattern = `${"*a".repeat(30)}*b`;
  const path = "a".repeat(20_000);

  expect(flags(`${pattern} linguist-generated`, path).generated).toBe(false);
  expect(flags(`${pattern} linguist-generated`, `${path}b`).generated).toBe(true);
  expect(flags(`${"**/a/".repeat(50)}b linguist-generated`, `${"a/".repeat(5_000)}c`).generated).toBe(false);
  expect(flags("[".repeat(100_000), "x").generated).toBe(false);
});

test("a deeper file rules over its parents', for its own folder only", () => {
  const deeper = { dir: "lib", text: "*.js -linguist-vendored" };

  expect(flags("*.js linguist-vendored", "lib/x.js", [deeper]).vendored).toBe(false);
  expect(flags("*.js linguist-vendored", "libx.js", [deeper]).vendored).toBe(true);
});
