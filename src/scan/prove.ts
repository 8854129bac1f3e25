import { ListingMeter, refuseCircle, refuseDepth } from "./listing-limits.ts";
import { hashManifest, OddTree, type TreeEntry } from "./manifest.ts";
import type { Source, TreeListing } from "./source.ts";

/**
 * Lists a tree with few requests, however large it is: in one where the host gives it whole; else, where an earlier
 * commit is known, by the directories that differ from it alone.
 */
export async function listTree(
  treeSha: string,
  options: ReadOptions & { previous: () => Promise<TreeEntry[]> },
): Promise<TreeListing> {
  const { source, signal } = options;
  const listing = await source.listTree(treeSha, signal);
  if (!listing.truncated) return listing;
  const previous = await options.previous();
  if (previous.length === 0) return await source.walkTree(treeSha, signal);
  return await rereadTree(previous, { ...options, treeSha });
}

interface ReadOptions {
  source: Source;
  limits: { maxFiles: number };
  signal: AbortSignal;
}

/** Whether the manifest is provably the commit's tree. `unverified_path` is the first directory that differs. */
export interface Proof {
  tree_sha: string;
  verified: boolean;
  unverified_path: string | null;
}

/**
 * Computes the tree's SHA from the listed entries and compares it with the commit's. Where they differ, the
 * directories whose SHAs differ are read again with the raw bytes of their names, since a JSON listing cannot
 * carry names that are not UTF-8. What still differs is reported, not refused: an odd tree is never locked out.
 * Throws OddTree for a tree that git itself would refuse.
 */
export async function proveManifest(
  listing: TreeListing,
  options: ReadOptions & { treeSha: string },
): Promise<{ entries: TreeEntry[]; proof: Proof }> {
  const certain = listing.entries.filter((entry) => !entry.path.includes(REPLACED));
  if (certain.length === listing.entries.length) {
    const proof = orNull(() => check(listing, options.treeSha));
    if (proof?.verified) return { entries: listing.entries, proof };
  }
  const reread = await rereadTree(certain, options);
  return { entries: reread.entries, proof: check(reread, options.treeSha) };
}

/** A listing that cannot be of any tree says nothing of the tree itself: another reading decides. */
function orNull<T>(work: () => T): T | null {
  try {
    return work();
  } catch (error) {
    if (error instanceof OddTree) return null;
    throw error;
  }
}

/** U+FFFD in UTF-8: what JSON has in place of bytes that it cannot carry. */
const REPLACED = Buffer.from("\uFFFD");

function check({ entries, subtrees: expected }: TreeListing, treeSha: string): Proof {
  const { tree_sha, subtrees } = hashManifest(entries);
  if (tree_sha === treeSha) return { tree_sha, verified: true, unverified_path: null };
  const differing = [...expected].filter(([path, sha]) => path !== "" && subtrees.get(path) !== sha);
  const deepest = differing.map(([path]) => path).sort((a, b) => depth(b) - depth(a) || (a < b ? -1 : 1))[0];
  return { tree_sha, verified: false, unverified_path: Buffer.from(deepest ?? "", "latin1").toString() };
}

function depth(path: string): number {
  return path === "" ? 0 : path.split("/").length;
}

/** Walks down from the root by raw tree objects, keeping the `known` entries of every subtree that agrees. */
async function rereadTree(
  known: TreeEntry[],
  { treeSha, source, limits, signal }: ReadOptions & { treeSha: string },
): Promise<TreeListing> {
  const subtrees = orNull(() => hashManifest(known).subtrees) ?? new Map<string, string>();
  const agreeing = new Map([...subtrees].map(([path, sha]) => [sha, path]));
  const directories = groupByDirectory(known, subtrees.keys());
  const listing: TreeListing = { entries: [], subtrees: new Map() };
  const meter = new ListingMeter(limits.maxFiles);
  let level: RawTree[] = [{ path: Buffer.alloc(0), sha: treeSha, within: null }];
  for (let depth = 0; level.length > 0; depth += 1) {
    refuseDepth(depth);
    const trees = await source.readRawTrees([...new Set(level.map((tree) => tree.sha))], signal);
    const next: RawTree[] = [];
    for (const tree of level) {
      refuseCircle(tree);
      listing.subtrees.set(tree.path.toString("latin1"), tree.sha);
      for (const child of trees.get(tree.sha) ?? []) {
        const path = tree.path.length === 0 ? child.name : Buffer.concat([tree.path, SLASH, child.name]);
        meter.add(1, path.length);
        const from = agreeing.get(child.sha);
        if (child.mode !== "040000")
          listing.entries.push({ path, mode: child.mode, sha: child.sha, size: child.size });
        else if (from === undefined) next.push({ path, sha: child.sha, within: tree });
        else moveTree(listing, { directories, meter, from, to: path });
      }
    }
    level = next;
  }
  return listing;
}

const SLASH = Buffer.from("/");

interface RawTree {
  path: Buffer;
  sha: string;
  within: RawTree | null;
}

interface Directory {
  files: TreeEntry[];
  /** Paths from the root. */
  directories: string[];
}

function groupByDirectory(entries: TreeEntry[], paths: Iterable<string>): Map<string, Directory> {
  const directories = new Map<string, Directory>();
  for (const path of paths) directories.set(path, { files: [], directories: [] });
  for (const path of directories.keys()) {
    if (path !== "") directories.get(parentOf(path))?.directories.push(path);
  }
  for (const entry of entries) directories.get(parentOf(entry.path.toString("latin1")))?.files.push(entry);
  return directories;
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}

/** Lists what is known below directory `from` as if it stood at `to`. */
function moveTree(
  listing: TreeListing,
  move: { directories: Map<string, Directory>; meter: ListingMeter; from: string; to: Buffer },
): void {
  const pending = [move.from];
  for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
    const { files, directories } = move.directories.get(path) ?? { files: [], directories: [] };
    for (const directory of directories) move.meter.add(1, directory.length);
    for (const entry of files) {
      move.meter.add(1, entry.path.length);
      const below = move.from === "" ? entry.path : entry.path.subarray(move.from.length + 1);
      const moved = Buffer.concat([move.to, SLASH, below]);
      listing.entries.push({ ...entry, path: moved });
    }
    pending.push(...directories);
  }
}
