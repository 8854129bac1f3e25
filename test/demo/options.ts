import { execFile } from "node:child_process";
import path from "node:path";
import { parseArgs, promisify } from "node:util";

const run = promisify(execFile);
const PROJECT = path.join(import.meta.dirname, "../..");

export const USAGE = `Usage: npm run demo -- [path to a git repository] [--once]

Indexes a git repository (default: this project's own checkout) with the real app, an embedded database
and a stand-in for GitHub, all on this machine. Then it watches: a commit becomes a push, and a line
/rescan typed here becomes a comment. --once ends after the first run.`;

export interface DemoOptions {
  /** The repository's .git folder. */
  gitDir: string;
  /** What to call it. */
  name: string;
  branch: string;
  once: boolean;
}

/** Something about the command line that its user can put right. */
export class DemoError extends Error {
  override readonly name = "DemoError";
}

/** Reads the command line; null when it asks for help. */
export async function readOptions(argv: string[]): Promise<DemoOptions | null> {
  const { values, positionals } = parse(argv);
  if (values.help) return null;
  if (positionals.length > 1)
    throw new DemoError(`Name one repository, not ${positionals.length}.\n\n${USAGE}`);
  const folder = path.resolve(positionals[0] ?? PROJECT);
  const gitDir = await git(folder, "rev-parse", "--absolute-git-dir").catch((error: unknown) => {
    throw new DemoError(`${folder} is no git repository: ${reasonOf(error)}`);
  });
  const branch = await git(gitDir, "symbolic-ref", "--short", "HEAD").catch(() => {
    throw new DemoError(`${folder} is on no branch: check one out (git switch main) and try again.`);
  });
  if (values.once && !(await headOf(gitDir, branch))) {
    throw new DemoError(`${folder} has no commit on ${branch} yet: make one and try again.`);
  }
  const name =
    path
      .basename(folder)
      .replace(/\.git$/, "")
      .replace(/[^\w.-]/g, "-") || "repository";
  return { gitDir, name, branch, once: values.once };
}

function parse(argv: string[]) {
  try {
    return parseArgs({
      args: argv,
      allowPositionals: true,
      options: {
        once: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    });
  } catch (error) {
    throw new DemoError(`${error instanceof Error ? error.message : error}\n\n${USAGE}`);
  }
}

function reasonOf(error: unknown): string {
  const stderr = error instanceof Error && "stderr" in error ? String(error.stderr).trim() : "";
  return stderr || (error instanceof Error ? error.message : String(error));
}

/** One git command's answer, without the newline at its end. */
export async function git(folder: string, ...args: string[]): Promise<string> {
  const { stdout } = await run("git", ["-C", folder, ...args]);
  return stdout.trimEnd();
}

/** The commit a branch points at, or null while it has none. */
export async function headOf(gitDir: string, branch: string): Promise<string | null> {
  return await git(gitDir, "rev-parse", "--verify", "--quiet", `refs/heads/${branch}`).catch(() => null);
}
