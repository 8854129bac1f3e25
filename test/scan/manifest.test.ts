import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ListingMeter } from "../../src/scan/listing-limits.ts";
import {
  buildTree,
  displayPath,
  EMPTY_BLOB_SHA,
  entryPath,
  findDirectory,
  gitBlobSha,
  hashTree,
  listEntries,
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
    Buffer.from(`${mode} ${sha}\t${name}\0`, "latin1"),
  );
  rmSync(env.GIT_INDEX_FILE, { force: true });
  execFileSync("git", ["update-index", "-z", "--index-info"], { env, input: Buffer.concat(lines) });
  return execFileSync("git", ["write-tree", "--missing-ok"], { env }).toString().trim();
}

function entry(path: string, mode = "100644", sha = EMPTY_BLOB_SHA): TreeEntry {
  return { path, mode, sha, size: 0 };
}

const hashOf = async (entries: TreeEntry[]) => await hashTree(await buildTree(entries));

const name = fc
  .uint8Array({ minLength: 1, maxLength: 4 })
  .map((bytes) => Buffer.from(bytes.map((byte) => (byte === 0 || byte === 0x2f ? 0x61 : byte))))
  .filter((bytes) => !/^\.git$/i.test(bytes.toString("latin1")) && !/^\.\.?$/.test(bytes.toString("latin1")))
  .filter((bytes) => !/git/i.test(bytes.toString("latin1")));
const anyPath = fc
  .array(name, { minLength: 1, maxLength: 3 })
  .map((parts) => parts.map((part) => Buffer.from(part).toString("latin1")).join("/"));

describe("a tree", () => {
  test("hashes any set of paths as git does, whatever bytes they are of, and lists them again", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(anyPath, { minLength: 1, maxLength: 12 }), async (paths) => {
        const apart = paths.filter((a) => !paths.some((b) => b.startsWith(`${a}/`)));
        const entries = apart.map((text, i) => entry(text, i % 2 ? "100755" : "100644"));

        const tree = await buildTree(entries);

        expect(await hashTree(tree)).toBe(gitTreeSha(entries));
        const listed = await listEntries(tree, new ListingMeter(100_000));
        expect(listed).toHaveLength(entries.length);
        expect(new Set(listed.map(({ path }) => path))).toEqual(new Set(apart));
      }),
      { numRuns: 40 },
    );
  });

  test("sorts a directory as if its name ended in a slash", async () => {
    const entries = [entry("a.b"), entry("a/x"), entry("a0")];

    expect(await hashOf(entries)).toBe(gitTreeSha(entries));
  });

  test("knows every directory's hash", async () => {
    const entries = [entry("a/b/c"), entry("a/d"), entry("e")];

    const tree = await buildTree(entries);
    await hashTree(tree);

    expect(findDirectory(tree, "a/b")?.sha).toBe(gitTreeSha([entry("c")]));
    expect(findDirectory(tree, "")?.sha).toBe(tree.sha);
    expect(findDirectory(tree, "a/d")).toBeNull();
  });

  test("without entries is git's empty tree", async () => {
    expect(await hashOf([])).toBe("4b825dc642cb6eb9a060e54bf8d69288fbee4904");
  });

  test.each([
    ["one name twice", ["a", "a"]],
    ["a file that is a directory too", ["a", "a/b"]],
    ["a directory that is a file too", ["a/b", "a"]],
    ["a way up", ["a/../b"]],
    ["an empty name", ["a//b"]],
    ["a NUL", ["a\0b"]],
    ["no name at all", [""]],
    ["a name before the first slash missing", ["/a"]],
  ])("is refused with %s, naming the place", async (_, paths) => {
    await expect(buildTree(paths.map((text) => entry(text)))).rejects.toThrow(OddTree);
  });

  test("may be nested as deeply as git allows", async () => {
    const deep = `${"d/".repeat(2_048)}f`;

    const tree = await buildTree([entry(deep)]);
    await hashTree(tree);

    expect((await listEntries(tree, new ListingMeter(100_000))).map(({ path }) => path)).toEqual([deep]);
  });

  test("that names one directory over and over ends before memory does", async () => {
    let bomb = await buildTree([entry("f")]);
    for (let level = 0; level < 8; level += 1) {
      bomb = { sha: null, children: new Map(Array.from({ length: 10 }, (_, i) => [`d${i}`, bomb])) };
    }

    await hashTree(bomb);

    await expect(listEntries(bomb, new ListingMeter(100_000))).rejects.toThrow(
      "more than 100,000 files and directories (MAX_REPOSITORY_FILES)",
    );
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

  for (const bytes of [latin1, Buffer.from("café"), Buffer.from("plain"), Buffer.from("\uFEFFbom")]) {
    const path = bytes.toString("latin1");
    expect(entryPath(displayPath(path))).toBe(path);
  }
  expect(displayPath("caf\xe9")).toEqual({ path: "caf\uFFFD", path_bytes: latin1 });
  expect(displayPath(Buffer.from("café").toString("latin1"))).toEqual({ path: "café", path_bytes: null });
});
