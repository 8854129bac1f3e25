import { sql } from "kysely";
import { expect } from "vitest";
import type { TestDatabase } from "../support/database.ts";
import type { TestRepository } from "../support/git.ts";

const ATTRIBUTES = ["linguist-generated", "linguist-vendored"] as const;

interface Flagged {
  path: string;
  generated: boolean;
  vendored: boolean;
}

/** The flags of all files are what git itself reads out of the commit's .gitattributes. */
export async function expectFlags(
  db: TestDatabase["db"],
  { repositoryId, git, commit }: { repositoryId: string; git: TestRepository; commit: string },
): Promise<void> {
  const { rows } = await sql<Flagged>`
    select encode(coalesce(path_bytes, convert_to(path, 'UTF8')), 'hex') as path, generated, vendored
    from files where repository_id = ${repositoryId} order by 1`.execute(db);
  expect(rows).toEqual(await readFlags(git, { commit, paths: rows.map(({ path }) => path) }));
}

async function readFlags(
  git: TestRepository,
  { commit, paths }: { commit: string; paths: string[] },
): Promise<Flagged[]> {
  await git.git("-c", "core.protectNTFS=false", "read-tree", commit);
  const input = Buffer.concat(paths.map((path) => Buffer.from(`${path}00`, "hex")));
  const output = await git.git("check-attr", "--cached", "-z", "--stdin", ...ATTRIBUTES, { input });
  const words = output.split("\0"); // path, attribute, value, again and again, in the order of the input
  return paths.map((path, i) => ({
    path,
    generated: isOn(words[i * 6 + 2]),
    vendored: isOn(words[i * 6 + 5]),
  }));
}

function isOn(value: string | undefined): boolean {
  return value !== undefined && !["unspecified", "unset", "false"].includes(value);
}
