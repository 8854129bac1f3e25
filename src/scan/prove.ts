import { hashManifest, type TreeEntry } from "./manifest.ts";
import type { Source, TreeListing } from "./source.ts";

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
 */
export async function proveManifest(
  listing: TreeListing,
  options: { treeSha: string; source: Source; signal: AbortSignal },
): Promise<{ entries: TreeEntry[]; proof: Proof }> {
  const first = check(listing.entries, listing.subtrees, options.treeSha);
  if (first.verified) return { entries: listing.entries, proof: first };
  const entries = await rereadTree(listing, options);
  return { entries, proof: check(entries, new Map(), options.treeSha) };
}

function check(entries: TreeEntry[], expected: Map<string, string>, treeSha: string): Proof {
  const { tree_sha, subtrees } = hashManifest(entries);
  if (tree_sha === treeSha) return { tree_sha, verified: true, unverified_path: null };
  const differing = [...expected].filter(([path, sha]) => path !== "" && subtrees.get(path) !== sha);
  const deepest = differing.map(([path]) => path).sort((a, b) => depth(b) - depth(a) || (a < b ? -1 : 1))[0];
  return { tree_sha, verified: false, unverified_path: Buffer.from(deepest ?? "", "latin1").toString() };
}

function depth(path: string): number {
  return path === "" ? 0 : path.split("/").length;
}

/** Walks down from the root by raw tree objects, keeping the listing's entries of every subtree that agrees. */
async function rereadTree(
  listing: TreeListing,
  { treeSha, source, signal }: { treeSha: string; source: Source; signal: AbortSignal },
): Promise<TreeEntry[]> {
  const { subtrees: computed } = hashManifest(listing.entries);
  const agreeing = new Map([...computed].map(([path, sha]) => [sha, path]));
  const byDirectory = Map.groupBy(listing.entries, (entry) => directoryOf(entry.path.toString("latin1")));
  const entries: TreeEntry[] = [];
  let level: { path: Buffer; sha: string }[] = [{ path: Buffer.alloc(0), sha: treeSha }];
  while (level.length > 0) {
    const trees = await source.readRawTrees([...new Set(level.map((tree) => tree.sha))], signal);
    const next: typeof level = [];
    for (const tree of level) {
      for (const child of trees.get(tree.sha) ?? []) {
        const path = tree.path.length === 0 ? child.name : Buffer.concat([tree.path, SLASH, child.name]);
        if (child.mode !== "040000")
          entries.push({ path, mode: child.mode, sha: child.sha, size: child.size });
        else {
          const known = agreeing.get(child.sha);
          if (known === undefined) next.push({ path, sha: child.sha });
          else entries.push(...moveTree(byDirectory, known, path));
        }
      }
    }
    level = next;
  }
  return entries;
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
