import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { buffer } from "node:stream/consumers";

const NAME = "Octo Cat";
const EMAIL = "octocat@example.com";
/** 2023-11-14T22:13:20Z; each commit of a repository is a second later. */
const FIRST_COMMIT_AT = 1_700_000_000;

/** Contents by path; null deletes the file. */
export type Files = Record<string, string | Buffer | null>;

export interface GitOptions {
  input?: string | Buffer;
}

export interface TestRepository {
  dir: string;
  /** Runs git and answers what it printed, without the last line end. Options may come last. */
  git(...args: (string | GitOptions)[]): Promise<string>;
  /** Commits onto main, on top of what is there, and answers the commit's SHA. */
  commit(files: Files, message?: string): Promise<string>;
  head(): Promise<string>;
  /** `git ls-tree -r -z`, as bytes: names need not be UTF-8. */
  lsTree(ref?: string): Promise<Buffer>;
  remove(): Promise<void>;
}

/** Makes a real repository in a temporary folder. Inside a test it is removed at the test's end. */
export async function createRepository(
  options: { bare?: boolean; files?: Record<string, string | Buffer> } = {},
): Promise<TestRepository> {
  const { bare = false, files } = options;
  const dir = await mkdtemp(path.join(os.tmpdir(), "repodex-git-"));
  let commits = 0;

  const repository: TestRepository = {
    dir,
    async git(...args) {
      const last = args.at(-1);
      const { input } = typeof last === "object" ? last : {};
      const words = args.filter((arg): arg is string => typeof arg === "string");
      return (await runGit(dir, words, input)).toString().replace(/\n$/, "");
    },
    async commit(changes, message = `Commit ${commits + 1}`) {
      const parent = await repository
        .git("rev-parse", "--verify", "--quiet", "refs/heads/main")
        .catch(() => null);
      const at = FIRST_COMMIT_AT + commits;
      commits += 1;
      const input = importStream(changes, { message, parent, at });
      const sha = await repository.git("fast-import", "--quiet", "--force", { input });
      if (!bare) await repository.git("reset", "--hard", "--quiet");
      return sha;
    },
    head: () => repository.git("rev-parse", "HEAD"),
    lsTree: (ref = "HEAD") => runGit(dir, ["ls-tree", "-r", "-z", ref]),
    remove: () => rm(dir, { recursive: true, force: true }),
  };

  await removeAfterTest(repository);
  await repository.git("init", "--quiet", ...(bare ? ["--bare"] : []));
  if (files) await repository.commit(files);
  return repository;
}

/** One process however many files there are. The format is in git-fast-import(1). */
function importStream(
  files: Files,
  { message, parent, at }: { message: string; parent: string | null; at: number },
): Buffer {
  const parts: (string | Buffer)[] = [
    "commit refs/heads/main\nmark :1\n",
    `author ${NAME} <${EMAIL}> ${at} +0000\ncommitter ${NAME} <${EMAIL}> ${at} +0000\n`,
    ...dataOf(message),
    ...(parent ? [`from ${parent}\n`] : []),
  ];
  for (const [file, content] of Object.entries(files)) {
    if (content === null) parts.push(`D ${quote(file)}\n`);
    else parts.push(`M 100644 inline ${quote(file)}\n`, ...dataOf(content));
  }
  parts.push("\nget-mark :1\n");
  return Buffer.concat(parts.map((part) => Buffer.from(part)));
}

function dataOf(content: string | Buffer): (string | Buffer)[] {
  return [`data ${Buffer.byteLength(content)}\n`, content, "\n"];
}

function quote(file: string): string {
  return `"${file.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")}"`;
}

async function runGit(cwd: string, args: string[], input: string | Buffer = ""): Promise<Buffer> {
  const child = spawn("git", args, { cwd, env: ENVIRONMENT });
  const closed = new Promise<number | null>((resolve, reject) =>
    child.on("error", reject).on("close", resolve),
  );
  child.stdin.on("error", () => {}); // git may end without reading it all
  child.stdin.end(input);
  const [code, out, err] = await Promise.all([closed, buffer(child.stdout), buffer(child.stderr)]);
  if (code !== 0) throw new Error(`git ${args.join(" ")} failed: ${err.toString().trim()}`);
  return out;
}

/** Nothing of the developer's own configuration. */
const ENVIRONMENT = {
  PATH: process.env.PATH,
  HOME: "/nonexistent",
  LC_ALL: "C.UTF-8",
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_CONFIG_SYSTEM: "/dev/null",
  GIT_CONFIG_COUNT: "1",
  GIT_CONFIG_KEY_0: "init.defaultBranch",
  GIT_CONFIG_VALUE_0: "main",
  GIT_AUTHOR_NAME: NAME,
  GIT_AUTHOR_EMAIL: EMAIL,
  GIT_AUTHOR_DATE: `${FIRST_COMMIT_AT} +0000`,
  GIT_COMMITTER_NAME: NAME,
  GIT_COMMITTER_EMAIL: EMAIL,
  GIT_COMMITTER_DATE: `${FIRST_COMMIT_AT} +0000`,
  GIT_TERMINAL_PROMPT: "0",
};

/** The demo makes repositories too, without Vitest around it. */
async function removeAfterTest(repository: TestRepository): Promise<void> {
  try {
    const { onTestFinished } = await import("vitest");
    onTestFinished(() => repository.remove());
  } catch {
    // outside a test the caller removes it
  }
}
