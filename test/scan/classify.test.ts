import { expect, test } from "vitest";
import { classifyBlob, skipReasonOf } from "../../src/scan/classify.ts";

const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${"a".repeat(64)}\nsize 12345\n`;

test.each([
  ["plain ASCII", Buffer.from("hello\n"), { state: "indexed", encoding: "utf-8", text: "hello\n" }],
  ["nothing", Buffer.alloc(0), { state: "indexed", encoding: "utf-8", text: "" }],
  [
    "UTF-8 with a byte order mark, kept",
    Buffer.from("\uFEFFhi"),
    { state: "indexed", encoding: "utf-8", text: "\uFEFFhi" },
  ],
  [
    "UTF-16, little end first",
    Buffer.from("\uFEFFhi", "utf16le"),
    { state: "indexed", encoding: "utf-16le", text: "hi" },
  ],
  [
    "UTF-16, big end first",
    Buffer.from([0xfe, 0xff, 0, 0x68]),
    { state: "indexed", encoding: "utf-16be", text: "h" },
  ],
  ["UTF-16 cut in the middle of a unit", Buffer.from([0xff, 0xfe, 0x68]), { state: "binary" }],
  ["a NUL at the very end", Buffer.from(`${"x".repeat(100_000)}\0`), { state: "binary" }],
  ["bytes of no known encoding", Buffer.from([0x61, 0xff, 0xfe, 0xfd, 0x81, 0x62]), { state: "encoding" }],
  ["an LFS pointer", Buffer.from(pointer), { state: "lfs" }],
  [
    "a text that only speaks of LFS",
    Buffer.from(`See ${pointer}`),
    { state: "indexed", encoding: "utf-8", text: `See ${pointer}` },
  ],
])("classifies %s", (_, content, expected) => {
  expect(classifyBlob(content)).toEqual(expected);
});

test.each([
  ["120000", 5, "symlink"],
  ["160000", null, "submodule"],
  ["100644", 101, "oversize"],
  ["100644", 100, undefined],
  ["100755", 0, undefined],
])("an entry of mode %s and %s bytes is skipped as %s", (mode, size, state) => {
  expect(skipReasonOf({ mode, size }, { maxFileBytes: 100 })?.state).toBe(state);
});

test("names the limit that an oversize file passes", () => {
  const skipped = skipReasonOf({ mode: "100644", size: 2_000_000 }, { maxFileBytes: 1_048_576 });

  expect(skipped?.reason).toBe("Larger than 1 MiB, the limit set by MAX_FILE_BYTES.");
});
