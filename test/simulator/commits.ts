import { Refused } from "./answers.ts";
import type { Git } from "./git.ts";
import type { SimulatedRepository } from "./world.ts";

/** A commit object; dates are ISO 8601 in UTC. */
export interface Commit {
  sha: string;
  tree: string;
  parents: string[];
  author: Signature;
  committer: Signature;
  message: string;
}

interface Signature {
  name: string;
  email: string;
  date: string;
}

/** The SHA of the commit that a SHA, branch or tag names, as GitHub takes refs in paths. */
export async function findCommit(git: Git, gitDir: string, ref: string): Promise<string | null> {
  const names = /^[0-9a-f]{7,40}$/.test(ref) ? [ref] : [];
  names.push(`refs/heads/${ref}`, `refs/tags/${ref}`, `refs/${ref}`);
  if (ref === "HEAD") names.unshift(ref);
  for (const name of names) {
    const found = await git.find(gitDir, `${name}^{commit}`);
    if (found) return found.sha;
  }
  return null;
}

/** Throws GitHub's 409 where there is not a single ref. */
export async function refuseEmpty({ git_dir }: SimulatedRepository, git: Git): Promise<void> {
  const refs = await git.run(git_dir, ["for-each-ref", "--count=1"]);
  if (refs.length === 0) throw new Refused(409, "Git Repository is empty.");
}

/** One commit object, read and taken apart; null when the SHA names none. */
export async function readCommit(git: Git, gitDir: string, sha: string): Promise<Commit | null> {
  const found = await git.read(gitDir, sha);
  if (found?.type !== "commit") return null;
  const text = found.content.toString();
  const split = text.indexOf("\n\n");
  const lines = text.slice(0, split < 0 ? undefined : split).split("\n");
  const valuesOf = (key: string) =>
    lines.filter((line) => line.startsWith(`${key} `)).map((line) => line.slice(key.length + 1));
  return {
    sha: found.sha,
    tree: valuesOf("tree")[0] ?? "",
    parents: valuesOf("parent"),
    author: parseSignature(valuesOf("author")[0] ?? ""),
    committer: parseSignature(valuesOf("committer")[0] ?? ""),
    message: split < 0 ? "" : text.slice(split + 2).replace(/\n$/, ""),
  };
}

function parseSignature(line: string): Signature {
  const [, name = "", email = "", seconds = "0"] = /^(.*?) ?<(.*)> (\d+) [+-]\d{4}$/.exec(line) ?? [];
  const date = new Date(Number(seconds) * 1000).toISOString().replace(".000Z", "Z");
  return { name, email, date };
}
