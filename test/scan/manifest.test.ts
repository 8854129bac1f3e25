import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  displayPath,
  EMPTY_BLOB_SHA,
  gitBlobSha,
  hashManifest,
  OddTree,
  type TreeEntry,
} from "../../src/scan/manifest.ts";

let gitDir: string;
beforeAll(() => {
  gitDir = mkdtempSync(path.join(tmpdir(), "manifest-"));
  execFileSync("git", ["init", "-q", "--bare", gitDir]);
});
afterAll(() => rmSync(gitDir, { recursive: true }));

/** What git itself makes of the entries: their root tree's SHA. */
function gitTreeSha(entries: TreeEntry[]): string {
  const env = { ...process.env, GIT_DIR: gitDir, GIT_INDEX_FILE: path.join(gitDir, "index") };
  const lines = entries.map(({ mode, sha, path: name }) =>
    Buffer.concat([Buffer.from(`${mode} ${sha}\t`), name, Buffer.from("\0")]),
  );
  rmSync(env.GIT_INDEX_FILE, { force: true });
  execFileSync("git", ["update-index", "-z", "--index-info"], { env, input: Buffer.concat(lines) });
  return execFileSync("git", ["write-tree", "--missing-ok"], { env }).toString().trim();
}

function entry(name: string | Buffer, mode = "100644", sha = EMPTY_BLOB_SHA): TreeEntry {
  return { path: Buffer.from(name as string), mode, sha, size: 0 };
}

const name = fc
  .uint8Array({ minLength: 1, maxLength: 4 })
  .map((bytes) => Buffer.from(bytes.map((byte) => (byte === 0 || byte === 0x2f ? 0x61 : byte))))
  .filter((bytes) => !/^\.git$/i.test(bytes.toString("latin1")) && !/^\.\.?$/.test(bytes.toString("latin1")))
  .filter((bytes) => !/git/i.test(bytes.toString("latin1")));
const anyPath = fc
  .array(name, { minLength: 1, maxLength: 3 })
  .map((parts) => parts.map((part) => Buffer.from(part).toString("latin1")).join("/"));

describe("hashManifest", () => {
  test("hashes any set of paths as git does, whatever bytes they are of", () => {
    fc.assert(
      fc.property(fc.uniqueArray(anyPath, { minLength: 1, maxLength: 12 }), (paths) => {
        const apart = paths.filter((a) => !paths.some((b) => b.startsWith(`${a}/`)));
        const entries = apart.map((text, i) =>
          entry(Buffer.from(text, "latin1"), i % 2 ? "100755" : "100644"),
        );

        expect(hashManifest(entries).tree_sha).toBe(gitTreeSha(entries));
      }),
      { numRuns: 40 },
    );
  });

  test("sorts a directory as if its name ended in a slash", () => {
    const entries = [entry("a.b"), entry("a/x"), entry("a0")];

    expect(hashManifest(entries).tree_sha).toBe(gitTreeSha(entries));
  });

  test("tells every directory's hash", () => {
    const entries = [entry("a/b/c"), entry("a/d"), entry("e")];

    const { tree_sha, subtrees } = hashManifest(entries);

    expect([...subtrees.keys()].sort()).toEqual(["", "a", "a/b"]);
    expect(subtrees.get("")).toBe(tree_sha);
    expect(subtrees.get("a/b")).toBe(gitTreeSha([entry("c")]));
  });

  test("hashes no entries to git's empty tree", () => {
    expect(hashManifest([]).tree_sha).toBe("4b825dc642cb6eb9a060e54bf8d69288fbee4904");
  });

  test.each([
    ["one name twice", ["a", "a"]],
    ["a file that is a directory too", ["a", "a/b"]],
    ["a directory that is a file too", ["a/b", "a"]],
    ["a way up", ["a/../b"]],
    ["an empty name", ["a//b"]],
    ["a NUL", ["a\0b"]],
  ])("refuses a tree with %s, naming the place", (_, paths) => {
    expect(() => hashManifest(paths.map((text) => entry(text)))).toThrow(OddTree);
  });
});

test("gitBlobSha is git's own", () => {
  const content = Buffer.from([0, 1, 2, 255]);

  expect(gitBlobSha(content)).toBe(
    execFileSync("git", ["hash-object", "--stdin"], { input: content }).toString().trim(),
  );
  expect(gitBlobSha(Buffer.alloc(0))).toBe(EMPTY_BLOB_SHA);
});

test("a path that is not UTF-8 keeps its bytes beside a form that can be shown", () => {
  const latin1 = Buffer.from("caf\xe9", "latin1");

  expect(displayPath(latin1)).toEqual({ path: "caf\uFFFD", path_bytes: latin1 });
  expect(displayPath(Buffer.from("café"))).toEqual({ path: "café", path_bytes: null });
});
