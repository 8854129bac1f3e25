import { createHash, hash } from "node:crypto";
import { SourceError } from "./source.ts";
import { Turn } from "./turn.ts";

/** A leaf of a commit's tree. */
export interface TreeEntry {
  /** From the root, one latin1 character a byte: names need not be UTF-8. */
  path: string;
  /** git's six octal digits. */
  mode: string;
  /** 40 hex digits. */
  sha: string;
  /** Bytes; null where the listing gives none (submodules). */
  size: number | null;
}

type Leaf = Omit<TreeEntry, "path">;

/** A directory of a commit's tree, by names of one latin1 character a byte. It may stand at several places. */
export interface Directory {
  /** What git calls it, once hashed; null before. */
  sha: string | null;
  children: Map<string, Leaf | Directory>;
}

export const EMPTY_BLOB_SHA = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391";
export const TREE_MODE = "040000";

/** A tree that git itself would refuse, such as two entries of one name: no file list can be made of it. */
export class OddTree extends SourceError {
  override readonly name = "OddTree";

  constructor(path: string, what: string) {
    super(
      "odd_tree",
      `The commit's tree is damaged at ${JSON.stringify(displayPath(path).path)}: ${what}. Run git fsck on it.`,
      { retryable: false },
    );
  }
}

/** A tree may name one directory thousands of times: a few objects, and more files than there is memory for. */
const MAX_ENTRIES = 2_000_000;

class TooManyFiles extends SourceError {
  override readonly name = "TooManyFiles";

  constructor(max: number) {
    super(
      "too_many_files",
      `The commit has more than ${max.toLocaleString("en-US")} files, more than Repodex indexes.`,
      { retryable: false },
    );
  }
}

/** The SHA-1 that git gives a blob of this content. git-scm.com/book/en/v2/Git-Internals-Git-Objects */
export function gitBlobSha(content: Buffer): string {
  return createHash("sha1").update(`blob ${content.length}\0`).update(content).digest("hex");
}

function isDirectory(child: Leaf | Directory): child is Directory {
  return "children" in child;
}

export function createDirectory(): Directory {
  return { sha: null, children: new Map() };
}

/** The tree that these entries make, in any order, not yet hashed. Throws OddTree. */
export async function buildTree(entries: Iterable<TreeEntry>): Promise<Directory> {
  const root = createDirectory();
  const turn = new Turn();
  let last = { path: "", directory: root };
  for (const { path, mode, sha, size } of entries) {
    const slash = path.lastIndexOf("/");
    const parent = path.slice(0, Math.max(slash, 0));
    if (parent !== last.path || slash === 0)
      last = { path: parent, directory: openDirectory(root, path, slash) };
    addChild(last.directory, path.slice(slash + 1), { child: { mode, sha, size }, path });
    if (turn.isOver()) await turn.next();
  }
  return root;
}

/** The directory that holds `path`, made where it is not there yet. */
function openDirectory(root: Directory, path: string, slash: number): Directory {
  let directory = root;
  if (slash === -1) return directory;
  for (const name of path.slice(0, slash).split("/")) {
    const child = directory.children.get(name);
    if (child && !isDirectory(child)) throw new OddTree(path, "a file and a directory of one name");
    const next = child ?? createDirectory();
    if (!child) addChild(directory, name, { child: next, path });
    directory = next;
  }
  return directory;
}

/** Adds an entry under a name that the directory does not have yet. Throws OddTree, naming `path`. */
export function addChild(
  directory: Directory,
  name: string,
  { child, path }: { child: Leaf | Directory; path: string },
): void {
  if (name === "" || name === "." || name === "..") throw new OddTree(path, "a name that leads elsewhere");
  if (name.includes("\0")) throw new OddTree(path, "a name with a NUL");
  if (directory.children.has(name)) throw new OddTree(path, "two entries of one name");
  directory.children.set(name, child);
}

/** Computes the tree objects that git would make of a tree, for those directories that have no SHA yet. */
export async function hashTree(root: Directory): Promise<string> {
  const open = [root]; // a directory stays until all below it are hashed
  const turn = new Turn();
  for (let directory = open.at(-1); directory; directory = open.at(-1)) {
    if (turn.isOver()) await turn.next();
    const unhashed = [...directory.children.values()].filter(isDirectory).filter(({ sha }) => sha === null);
    if (directory.sha === null && unhashed.length > 0) {
      for (const child of unhashed) open.push(child);
      continue;
    }
    directory.sha ??= hashTreeObject(Array.from(directory.children, toNamed));
    open.pop();
  }
  return root.sha as string;
}

function toNamed([name, child]: [string, Leaf | Directory]): { name: string; mode: string; sha: string } {
  return isDirectory(child)
    ? { name, mode: TREE_MODE, sha: child.sha as string }
    : { name, mode: child.mode, sha: child.sha };
}

/** The SHA of the tree object that has these entries, in any order; names of one latin1 character a byte. */
export function hashTreeObject(children: { name: string; mode: string; sha: string }[]): string {
  const entries = children.map(({ name, mode, sha }) => ({
    // git sorts a directory as if its name ended in a slash, and writes no leading zero
    key: mode === TREE_MODE ? `${name}/` : name,
    text: `${mode.replace(/^0+/, "")} ${name}\0${Buffer.from(sha, "hex").toString("latin1")}`,
  }));
  const body = entries
    .sort((a, b) => (a.key < b.key ? -1 : 1))
    .map(({ text }) => text)
    .join("");
  return hash("sha1", Buffer.from(`tree ${body.length}\0${body}`, "latin1"), "hex");
}

/** Every directory of a hashed tree by its SHA. */
export async function directoriesBySha(root: Directory): Promise<Map<string, Directory>> {
  const bySha = new Map([[root.sha as string, root]]);
  const turn = new Turn();
  for (const directory of bySha.values()) {
    for (const child of directory.children.values())
      if (isDirectory(child)) bySha.set(child.sha as string, child);
    if (turn.isOver()) await turn.next();
  }
  return bySha;
}

/** The directory at a path ("" the root), or null. */
export function findDirectory(root: Directory, path: string): Directory | null {
  let directory = root;
  for (const name of path === "" ? [] : path.split("/")) {
    const child = directory.children.get(name);
    if (!child || !isDirectory(child)) return null;
    directory = child;
  }
  return directory;
}

/** All leaves of a tree, with their paths. Throws TooManyFiles where there are more than `max`. */
export async function listEntries(root: Directory, max = MAX_ENTRIES): Promise<TreeEntry[]> {
  const entries: TreeEntry[] = [];
  const open: { directory: Directory; prefix: string }[] = [{ directory: root, prefix: "" }];
  const turn = new Turn();
  for (let next = open.pop(); next; next = open.pop()) {
    for (const [name, child] of next.directory.children) {
      const path = next.prefix + name;
      if (isDirectory(child)) open.push({ directory: child, prefix: `${path}/` });
      else entries.push({ path, mode: child.mode, sha: child.sha, size: child.size });
    }
    if (entries.length > max) throw new TooManyFiles(max);
    if (turn.isOver()) await turn.next();
  }
  return entries;
}

const ASCII = /^[\0-\x7f]*$/;
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** A path as readers see it; the true bytes stand beside it only where they are not UTF-8. */
export function displayPath(path: string): { path: string; path_bytes: Buffer | null } {
  if (ASCII.test(path)) return { path, path_bytes: null };
  const bytes = Buffer.from(path, "latin1");
  try {
    return { path: utf8.decode(bytes), path_bytes: null };
  } catch {
    return { path: bytes.toString(), path_bytes: bytes };
  }
}

/** The opposite of displayPath. */
export function entryPath({ path, path_bytes }: { path: string; path_bytes: Buffer | null }): string {
  if (path_bytes) return path_bytes.toString("latin1");
  return ASCII.test(path) ? path : Buffer.from(path).toString("latin1");
}
