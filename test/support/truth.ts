import { execFile } from "node:child_process";
import type { Kysely } from "kysely";
import { sql } from "kysely";
import { expect } from "vitest";
import type { Tables } from "../../src/database/schema.ts";
import { readTexts } from "../../src/scan/store.ts";
import { expectSearchable } from "./searchable.ts";

const MAX_OUTPUT_BYTES = 4 * 1024 ** 3;

/** Runs git on a repository and answers its output as it is. */
async function git(gitDir: string, args: string[], input?: string): Promise<Buffer> {
  return await new Promise((resolve, reject) => {
    const child = execFile(
      "git",
      ["--git-dir", gitDir, ...args],
      { encoding: "buffer", maxBuffer: MAX_OUTPUT_BYTES },
      (error, stdout) => (error ? reject(error) : resolve(stdout)),
    );
    child.stdin?.end(input);
  });
}

/**
 * Holds the stored index of a repository against git itself: the manifest is `git ls-tree -r -z` byte for byte,
 * the tree SHA is the commit's, the chunks of every indexed file join to its exact text,
 * and the search index leads to all of it.
 * Answers how many files were compared.
 */
export async function expectTruth(
  db: Kysely<Tables>,
  { repositoryId, gitDir, commit }: { repositoryId: string; gitDir: string; commit: string },
): Promise<{ files: number; texts: number }> {
  const repository = await db
    .selectFrom("repositories")
    .select(["indexed_commit", "indexed_tree_sha", "indexed_verified"])
    .where("id", "=", repositoryId)
    .executeTakeFirstOrThrow();
  const tree = (await git(gitDir, ["rev-parse", `${commit}^{tree}`])).toString().trim();
  expect(repository).toEqual({ indexed_commit: commit, indexed_tree_sha: tree, indexed_verified: true });
  const manifest = await readManifestAsGit(db, repositoryId);
  const listing = await git(gitDir, ["ls-tree", "-r", "-z", commit]);
  expect(manifest.equals(listing), "the manifest is what git lists").toBe(true);
  const texts = await expectTexts(db, { repositoryId, gitDir });
  await expectSearchable(db, repositoryId);
  return { files: listing.toString("latin1").split("\0").length - 1, texts };
}

/** The manifest as `git ls-tree -r -z` prints it, byte for byte. */
export async function readManifestAsGit(db: Kysely<Tables>, repositoryId: string): Promise<Buffer> {
  const { rows } = await sql<{ mode: string; sha: string; path: Buffer }>`
    select mode, encode(sha, 'hex') as sha, coalesce(path_bytes, convert_to(path, 'UTF8')) as path
    from files where repository_id = ${repositoryId}
    order by coalesce(path_bytes, convert_to(path, 'UTF8'))`.execute(db);
  return Buffer.concat(
    rows.flatMap(({ mode, sha, path }) => {
      const type = mode === "160000" ? "commit" : "blob";
      return [Buffer.from(`${mode} ${type} ${sha}\t`), path, Buffer.from("\0")];
    }),
  );
}

async function expectTexts(
  db: Kysely<Tables>,
  { repositoryId, gitDir }: { repositoryId: string; gitDir: string },
): Promise<number> {
  const { rows } = await sql<{ sha: string; encoding: string }>`
    select distinct encode(f.sha, 'hex') as sha, b.encoding from files f join blobs b using (repository_id, sha)
    where f.repository_id = ${repositoryId} and f.state = 'indexed'`.execute(db);
  const blobs = parseBatch(
    await git(gitDir, ["cat-file", "--batch"], rows.map(({ sha }) => `${sha}\n`).join("")),
  );
  const wrong: string[] = [];
  for (const { sha, encoding } of rows) {
    const text = (await readTexts(db, repositoryId, { shas: [sha], chunks: 2 ** 31 - 1 })).get(sha) ?? "";
    const content = blobs.get(sha) ?? Buffer.from("git has no such blob");
    const expected = encoding === "utf-8" ? content.toString() : new TextDecoder(encoding).decode(content);
    if (text !== expected) wrong.push(sha);
  }
  expect(wrong, "blobs whose chunks do not join to their text").toEqual([]);
  return rows.length;
}

/** `<sha> blob <size>\n<content>\n`, again and again. */
function parseBatch(output: Buffer): Map<string, Buffer> {
  const blobs = new Map<string, Buffer>();
  let at = 0;
  while (at < output.length) {
    const end = output.indexOf(10, at);
    const [sha = "", , size = ""] = output.subarray(at, end).toString().split(" ");
    const start = end + 1;
    blobs.set(sha, output.subarray(start, start + Number(size)));
    at = start + Number(size) + 1;
  }
  return blobs;
}
