import { hashManifest, type TreeEntry } from "./manifest.ts";
import type { Source, TreeListing } from "./source.ts";

/**
 * Lists a tree with few requests, however large it is: in one where the host gives it whole; else, where an earlier
 * commit is known, by the directories that differ from it alone.
 */
export async function listTree(
  treeSha: string,
  options: { source: Source; signal: AbortSignal; previous: () => Promise<TreeEntry[]> },
): Promise<TreeListing> {
  const { source, signal } = options;
  const listing = await source.listTree(treeSha, signal);
  if (!listing.truncated) return listing;
  const previous = await options.previous();
  if (previous.length === 0) return await source.walkTree(treeSha, signal);
  return await rereadTree(previous, { treeSha, source, signal });
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
  options: { treeSha: string; source: Source; signal: AbortSignal },
): Promise<{ entries: TreeEntry[]; proof: Proof }> {
  const certain = listing.entries.filter((entry) => !entry.path.includes(REPLACED));
  if (certain.length === listing.entries.length) {
    const proof = check(listing, options.treeSha);
    if (proof.verified) return { entries: listing.entries, proof };
  }
  const reread = await rereadTree(certain, options);
  return { entries: reread.entries, proof: check(reread, options.treeSha) };
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
  { treeSha, source, signal }: { treeSha: string; source: Source; signal: AbortSignal },
): Promise<TreeListing> {
  const agreeing = new Map([...hashManifest(known).subtrees].map(([path, sha]) => [sha, path]));
  const byDirectory = Map.groupBy(known, (entry) => directoryOf(entry.path.toString("latin1")));
  const listing: TreeListing = { entries: [], subtrees: new Map() };
  let level: { path: Buffer; sha: string }[] = [{ path: Buffer.alloc(0), sha: treeSha }];
  while (level.length > 0) {
    const trees = await source.readRawTrees([...new Set(level.map((tree) => tree.sha))], signal);
    const next: typeof level = [];
    for (const tree of level) {
      listing.subtrees.set(tree.path.toString("latin1"), tree.sha);
      for (const child of trees.get(tree.sha) ?? []) {
        const path = tree.path.length === 0 ? child.name : Buffer.concat([tree.path, SLASH, child.name]);
        const from = agreeing.get(child.sha);
        if (child.mode !== "040000")
          listing.entries.push({ path, mode: child.mode, sha: child.sha, size: child.size });
        else if (from === undefined) next.push({ path, sha: child.sha });
        else listing.entries.push(...moveTree(byDirectory, from, path));
      }
    }
    level = next;
  }
  return listing;
}

const SLASH = Buffer.from("/");

function directoryOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}

/** The entries below directory `from` of the listing, as if it stood at `to`. */
function* moveTree(byDirectory: Map<string, TreeEntry[]>, from: string, to: Buffer): Generator<TreeEntry> {
  for (const [directory, entries] of byDirectory) {
    if (directory !== from && !directory.startsWith(`${from}/`)) continue;
    for (const entry of entries)
      yield { ...entry, path: Buffer.concat([to, entry.path.subarray(from.length)]) };
  }
}
