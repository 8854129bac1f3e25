import { execFile } from "node:child_process";
import { access, mkdir, readdir, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import PQueue from "p-queue";

const run = promisify(execFile);
const MAX_OUTPUT_BYTES = 256 * 1024 * 1024;

/** Directories whose own directories are repositories of their own, so that most are small. */
const SPLIT =
  "gas ld sim drivers arch fs sound net tools include Documentation lib kernel security crypto samples scripts mm";

/** Where sources are unpacked at first. */
const UNPACKED = ["linux", "binutils"] as const;

export interface CorpusRepository {
  name: string;
  gitDir: string;
  /** The commit's archive as GitHub would send it. */
  archive: string;
  /** Its files, outside of git. */
  tree: string;
}

/**
 * Real source that no one here wrote, in many repositories: the Linux kernel and the binutils as Debian packages them,
 * directory by directory, and the packages in node_modules. Made on first use (some minutes) and kept in the system's folder for
 * temporary files. At most `repositories`, which are spread over all of it.
 */
export async function loadSearchCorpus(repositories: number): Promise<CorpusRepository[]> {
  const folder = path.join(tmpdir(), "repodex-search-corpus");
  if (
    !(await access(folder).then(
      () => true,
      () => false,
    ))
  )
    await make(folder);
  const names = (await readdir(folder)).sort();
  const step = Math.max(1, names.length / repositories);
  const chosen = Array.from(
    { length: Math.min(names.length, repositories) },
    (_, i) => names[Math.floor(i * step)],
  );
  return chosen.map((name = "") => {
    const own = path.join(folder, name);
    return {
      name,
      gitDir: path.join(own, "repository.git"),
      archive: path.join(own, "archive.tar.gz"),
      tree: path.join(own, "tree"),
    };
  });
}

async function make(folder: string): Promise<void> {
  const draft = `${folder}.${process.pid}`;
  await mkdir(draft, { recursive: true });
  const linux = await unpack(path.join(draft, UNPACKED[0]), await linuxPackage());
  const binutils = await unpack(path.join(draft, UNPACKED[1]), "binutils-source");
  const sources = [
    ...(await directoriesOf(linux, "linux")),
    ...(await directoriesOf(binutils, "binutils")),
    ...(await packages()),
  ];
  process.stderr.write(`making ${sources.length} repositories …\n`);
  const queue = new PQueue({ concurrency: 2 });
  await Promise.all(sources.map((source) => queue.add(() => makeRepository(draft, source))));
  for (const name of UNPACKED) await rm(path.join(draft, name), { recursive: true });
  await rename(draft, folder);
}

/** Unpacks the source that a Debian package brings; answers its folder. */
async function unpack(into: string, name: string): Promise<string> {
  process.stderr.write(`fetching ${name} …\n`);
  await mkdir(into);
  await run("apt-get", ["download", name], { cwd: into });
  const [deb = ""] = (await readdir(into)).filter((file) => file.endsWith(".deb"));
  await run("dpkg-deb", ["-x", deb, "."], { cwd: into });
  const [archive] = (await readdir(into, { recursive: true })).filter((file) => file.endsWith(".tar.xz"));
  if (!archive) throw new Error(`The package ${name} brings no source.`);
  await run("tar", ["-xJf", archive], { cwd: into });
  return path.join(into, path.basename(archive, ".tar.xz"));
}

/** The package of the kernel that Debian's linux-source stands for. */
async function linuxPackage(): Promise<string> {
  const { stdout } = await run("apt-cache", ["depends", "linux-source"]);
  const name = /Depends: (linux-source-\S+)/.exec(stdout)?.[1];
  if (!name) throw new Error("apt knows no package linux-source.");
  return name;
}

interface Source {
  name: string;
  from: string;
}

async function directoriesOf(tree: string, prefix: string): Promise<Source[]> {
  const sources: Source[] = [];
  const split = new Set(SPLIT.split(" "));
  for (const top of await folders(tree)) {
    const own = split.has(top) ? await folders(path.join(tree, top)) : [];
    if (own.length === 0) sources.push({ name: `${prefix}-${top}`, from: path.join(tree, top) });
    for (const name of own)
      sources.push({ name: `${prefix}-${top}-${name}`, from: path.join(tree, top, name) });
  }
  return sources;
}

async function packages(): Promise<Source[]> {
  const modules = path.join(import.meta.dirname, "../../node_modules");
  const sources: Source[] = [];
  for (const name of await folders(modules)) {
    if (name.startsWith(".")) continue;
    const own = name.startsWith("@") ? await folders(path.join(modules, name)) : [""];
    for (const inner of own) {
      const from = path.join(modules, name, inner);
      sources.push({ name: `npm-${path.join(name, inner).replaceAll(/[@/]/g, "-")}`, from });
    }
  }
  return sources;
}

async function folders(of: string): Promise<string[]> {
  const entries = await readdir(of, { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
}

async function makeRepository(draft: string, { name, from }: Source): Promise<void> {
  const own = path.join(draft, name);
  const tree = path.join(own, "tree");
  const gitDir = path.join(own, "repository.git");
  await mkdir(own);
  await run("cp", ["-r", from, tree]);
  await rm(path.join(tree, "node_modules"), { recursive: true, force: true });
  await writeFile(path.join(tree, "ORIGIN"), `${name}\n`); // no repository is without a file
  const git = (...args: string[]) =>
    run("git", ["--git-dir", gitDir, "--work-tree", tree, ...args], { maxBuffer: MAX_OUTPUT_BYTES });
  await run("git", ["init", "--quiet", "--bare", gitDir]);
  await git("add", "--force", "--all", ".");
  const author = ["-c", "user.name=bench", "-c", "user.email=bench@example.com"];
  await git(...author, "commit", "--quiet", "-m", "Corpus");
  const prefix = `--prefix=octocat-${name}-0000000/`;
  await git("archive", "--format=tar.gz", prefix, "-o", path.join(own, "archive.tar.gz"), "HEAD");
}
