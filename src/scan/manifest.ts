import { createHash, hash } from "node:crypto";
import { type ListingMeter, refuseDepth } from "./listing-limits.ts";
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

/** What git calls the tree of nothing; a repository need not hold it. */
export const EMPTY_TREE_SHA = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";
export const EMPTY_BLOB_SHA = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391";
export const TREE_MODE = "040000";
export const SUBMODULE_MODE = "160000";

/** A tree that git itself would refuse, such as two entries of one name: no file list can be made of it. */
export class OddTree extends SourceError {
  override readonly name = "OddTree";

  constructor(path: string, what: string) {
    super("odd_tree", `The commit's tree is damaged at ${quotePath(path)}: ${what}. Run git fsck on it.`, {
      retryable: false,
    });
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
  const names = path.slice(0, slash).split("/");
  refuseDepth(names.length);
  for (const name of names) {
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
  if (name.includes("/")) throw new OddTree(path, "a name with a slash");
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

/** All leaves of a tree, with their paths. Throws TreeTooLarge where that is more than `meter` allows. */
export async function listEntries(root: Directory, meter: ListingMeter): Promise<TreeEntry[]> {
  const entries: TreeEntry[] = [];
  const open: { directory: Directory; prefix: string }[] = [{ directory: root, prefix: "" }];
  const turn = new Turn();
  for (let next = open.pop(); next; next = open.pop()) {
    for (const [name, child] of next.directory.children) {
      const path = next.prefix + name;
      meter.add(1, path.length);
      if (isDirectory(child)) open.push({ directory: child, prefix: `${path}/` });
      else entries.push({ path, mode: child.mode, sha: child.sha, size: child.size });
    }
    if (turn.isOver()) await turn.next();
  }
  return entries;
}

const MAX_QUOTED = 120;

/** A path for a sentence: quoted, control characters escaped, and cut where it is longer than anyone reads. */
export function quotePath(path: string): string {
  const text = Buffer.from(path.slice(0, 4 * MAX_QUOTED), "latin1").toString();
  return JSON.stringify(text.length > MAX_QUOTED ? `${text.slice(0, MAX_QUOTED)}…` : text);
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
