import { execFile } from "node:child_process";
import { appendFile, cp, mkdir, readdir, rename, rm, stat } from "node:fs/promises";
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

/**
 * Makes the corpus on first use and keeps it in the system's folder for temporary files; with `copies`, so many
 * times over, each copy with a line of its own in every file.
 */
export async function loadCorpus(copies = 1): Promise<Corpus> {
  const folder = path.join(tmpdir(), `repodex-bench-corpus${copies === 1 ? "" : `-${copies}`}`);
  if (!(await stat(folder).catch(() => null))) await make(folder, copies);
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

async function make(folder: string, copies: number): Promise<void> {
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
  for (let copy = 2; copy <= copies; copy += 1) await multiply(tree, copy);
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

/** Copies the first level of folders; the line at each file's end makes its content another. */
async function multiply(tree: string, copy: number): Promise<void> {
  for (const name of await readdir(tree)) {
    if (name.includes("-copy-")) continue;
    const to = path.join(tree, `${name}-copy-${copy}`);
    await cp(path.join(tree, name), to, { recursive: true });
    for (const entry of await readdir(to, { recursive: true, withFileTypes: true })) {
      if (entry.isFile()) await appendFile(path.join(entry.parentPath, entry.name), `// copy ${copy}\n`);
    }
  }
}
