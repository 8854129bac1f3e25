import { isUtf8 } from "node:buffer";
import { createHash, hash } from "node:crypto";
import { refuseDepth } from "./listing-limits.ts";
import { SourceError } from "./source.ts";

/** A leaf of a commit's tree. `path` holds the true bytes from the root; modes are git's six octal digits. */
export interface TreeEntry {
  path: Buffer;
  mode: string;
  /** 40 hex digits. */
  sha: string;
  /** Bytes; null where the listing gives none (submodules). */
  size: number | null;
}

/** What git calls the tree of nothing; a repository need not hold it. */
export const EMPTY_TREE_SHA = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";
export const EMPTY_BLOB_SHA = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391";

/** A tree that git itself would refuse, such as two entries of one name: no file list can be made of it. */
export class OddTree extends SourceError {
  override readonly name = "OddTree";

  constructor(path: Buffer, what: string) {
    super("odd_tree", `The commit's tree is damaged at ${quotePath(path)}: ${what}. Run git fsck on it.`, {
      retryable: false,
    });
  }
}

/** The SHA-1 that git gives a blob of this content. git-scm.com/book/en/v2/Git-Internals-Git-Objects */
export function gitBlobSha(content: Buffer): string {
  return createHash("sha1").update(`blob ${content.length}\0`).update(content).digest("hex");
}

interface Directory {
  files: Map<string, { mode: string; sha: string }>;
  directories: Map<string, Directory>;
}

/**
 * Computes the tree objects that git would make of these entries, in any order. `tree_sha` is the root's;
 * `subtrees` has every directory's by its path, one latin1 character a byte. Throws OddTree.
 */
export function hashManifest(entries: Iterable<TreeEntry>): {
  tree_sha: string;
  subtrees: Map<string, string>;
} {
  const root: Directory = { files: new Map(), directories: new Map() };
  for (const entry of entries) place(root, entry);
  const subtrees = new Map<string, string>();
  return { tree_sha: hashDirectory(root, "", subtrees), subtrees };
}

function place(root: Directory, { path, mode, sha }: TreeEntry): void {
  const text = path.toString("latin1");
  const parts = text.split("/");
  refuseDepth(parts.length - 1);
  const name = parts.pop() ?? "";
  let directory = root;
  for (const part of parts) {
    refuseBadName(part, path);
    if (directory.files.has(part)) throw new OddTree(path, "a file and a directory of one name");
    let next = directory.directories.get(part);
    if (!next) {
      next = { files: new Map(), directories: new Map() };
      directory.directories.set(part, next);
    }
    directory = next;
  }
  refuseBadName(name, path);
  if (directory.files.has(name) || directory.directories.has(name)) {
    throw new OddTree(path, "two entries of one name");
  }
  directory.files.set(name, { mode, sha });
}

function refuseBadName(name: string, path: Buffer): void {
  if (name === "" || name === "." || name === "..") throw new OddTree(path, "a name that leads elsewhere");
  if (name.includes("\0")) throw new OddTree(path, "a name with a NUL");
}

function hashDirectory(directory: Directory, path: string, subtrees: Map<string, string>): string {
  const children = [...directory.files].map(([name, { mode, sha }]) => ({ name, key: name, mode, sha }));
  for (const [name, child] of directory.directories) {
    const sha = hashDirectory(child, path === "" ? name : `${path}/${name}`, subtrees);
    // git sorts a directory as if its name ended in a slash
    children.push({ name, key: `${name}/`, mode: "40000", sha });
  }
  children.sort((a, b) => (a.key < b.key ? -1 : 1));
  const pieces: Buffer[] = [];
  for (const { name, mode, sha } of children) {
    pieces.push(Buffer.from(`${mode} ${name}\0`, "latin1"), Buffer.from(sha, "hex"));
  }
  const body = Buffer.concat(pieces);
  const treeSha = hash("sha1", Buffer.concat([Buffer.from(`tree ${body.length}\0`), body]), "hex");
  subtrees.set(path, treeSha);
  return treeSha;
}

const MAX_QUOTED = 120;

/** A path for a sentence: quoted, control characters escaped, and cut where it is longer than anyone reads. */
export function quotePath(path: Buffer): string {
  const text = path.subarray(0, 4 * MAX_QUOTED).toString();
  return JSON.stringify(text.length > MAX_QUOTED ? `${text.slice(0, MAX_QUOTED)}…` : text);
}

/** A path as readers see it; the true bytes stand beside it only where they are not UTF-8. */
export function displayPath(path: Buffer): { path: string; path_bytes: Buffer | null } {
  return { path: path.toString(), path_bytes: isUtf8(path) ? null : path };
}
