import { execFile } from "node:child_process";
import { mkdir, rename, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const MAX_OUTPUT_BYTES = 256 * 1024 * 1024;

/** Real source that no one here wrote, from the npm registry: 270 MB in 8,500 files. */
const PACKAGES = ["googleapis@188.0.0", "aws-sdk@2.1693.0"];

export interface Corpus {
  gitDir: string;
  commit: string;
  /** The commit's archive as GitHub would send it. */
  archive: string;
  files: number;
  /** Bytes of all blobs. */
  bytes: number;
}

/** Makes the corpus on first use and keeps it in the system's folder for temporary files. */
export async function loadCorpus(): Promise<Corpus> {
  const folder = path.join(tmpdir(), "repodex-bench-corpus");
  if (!(await stat(folder).catch(() => null))) await make(folder);
  const gitDir = path.join(folder, "repository.git");
  const git = async (...args: string[]) =>
    (await run("git", ["--git-dir", gitDir, ...args], { maxBuffer: MAX_OUTPUT_BYTES })).stdout;
  const sizes = (await git("ls-tree", "-r", "-l", "HEAD"))
    .trimEnd()
    .split("\n")
    .map((line) => Number(line.split(/\s+/)[3]));
  return {
    gitDir,
    commit: (await git("rev-parse", "HEAD")).trim(),
    archive: path.join(folder, "archive.tar.gz"),
    files: sizes.length,
    bytes: sizes.reduce((sum, size) => sum + size, 0),
  };
}

async function make(folder: string): Promise<void> {
  process.stderr.write(`fetching ${PACKAGES.join(" and ")} …\n`);
  const draft = `${folder}.${process.pid}`;
  const tree = path.join(draft, "tree");
  const gitDir = path.join(draft, "repository.git");
  for (const name of PACKAGES) {
    const into = path.join(tree, name.split("@")[0] ?? name);
    await mkdir(into, { recursive: true });
    const { stdout } = await run("npm", ["pack", name, "--silent", "--pack-destination", draft]);
    await run("tar", ["-xzf", path.join(draft, stdout.trim()), "-C", into, "--strip-components=1"]);
  }
  const git = (...args: string[]) =>
    run("git", ["--git-dir", gitDir, "--work-tree", tree, ...args], { maxBuffer: MAX_OUTPUT_BYTES });
  await run("git", ["init", "--quiet", "--bare", gitDir]);
  await git("add", "--force", "--all", ".");
  await git(
    "-c",
    "user.name=bench",
    "-c",
    "user.email=bench@example.com",
    "commit",
    "--quiet",
    "-m",
    "Corpus",
  );
  await git(
    "archive",
    "--format=tar.gz",
    "--prefix=octocat-bench-0000000/",
    "-o",
    path.join(draft, "archive.tar.gz"),
    "HEAD",
  );
  await rm(tree, { recursive: true });
  await rename(draft, folder);
}
