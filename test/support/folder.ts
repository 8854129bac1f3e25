import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { createRepository, type TestRepository } from "./git.ts";

const run = promisify(execFile);

/** Commits a folder as it lies there, or the parts of it that are named, into a new bare repository. */
export async function commitFolder(
  folder: string,
  { only = ["."], leaveOut = [] }: { only?: string[]; leaveOut?: string[] } = {},
): Promise<TestRepository> {
  const repository = await createRepository({ bare: true });
  const env = { ...process.env, GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_SYSTEM: "/dev/null" };
  const git = (...args: string[]) =>
    run("git", ["--git-dir", repository.dir, "--work-tree", folder, ...args], { env });
  await git("add", "--force", "--all", "--", ...only, ...leaveOut.map((name) => `:(exclude)${name}`));
  await git(
    "-c",
    "user.name=Octo Cat",
    "-c",
    "user.email=octocat@example.com",
    "commit",
    "--quiet",
    "-m",
    "All of it",
  );
  return repository;
}
