import { ListingMeter, refuseCircle, refuseDepth } from "./listing-limits.ts";
import {
  addChild,
  buildTree,
  createDirectory,
  type Directory,
  directoriesBySha,
  EMPTY_TREE_SHA,
  findDirectory,
  hashTree,
  hashTreeObject,
  listEntries,
  OddTree,
  TREE_MODE,
  type TreeEntry,
} from "./manifest.ts";
import type { RawTreeEntry, Source, TreeListing } from "./source.ts";

/** Whether the manifest is provably the commit's tree. `unverified_path` is the first directory that differs. */
export interface Proof {
  tree_sha: string;
  verified: boolean;
  unverified_path: string | null;
}

/** A commit's tree, listed; `truncated` where the host does not give it whole in one answer. */
export interface ReadTree {
  entries: TreeEntry[];
  proof: Proof;
  truncated: boolean;
}

interface Reading {
  treeSha: string;
  source: Source;
  limits: { maxFiles: number };
  signal: AbortSignal;
}

/** What an earlier scan learnt. */
interface Earlier {
  previous: () => Promise<TreeEntry[]>;
  /** The host did not give the whole tree last time: it is not asked again. */
  wasTruncated: boolean;
}

/** A tree as far as it is known, and the SHAs that the host gives its directories, by path. */
interface Candidate {
  root: Directory;
  expected: ReadonlyMap<string, string>;
}

/**
 * Lists a commit's tree with few requests, however large it is, and proves it: in one request where the host gives
 * it whole; else, where an earlier commit is known (`previous`), by the directories that differ from it alone.
 * Then the tree's SHA is computed from the entries and compared with the commit's. Where they differ, the
 * directories whose SHAs differ are read again with the raw bytes of their names, since a JSON listing cannot
 * carry names that are not UTF-8. What still differs is reported, not refused: an odd tree is never locked out.
 * Throws OddTree for a tree that git itself would refuse, TreeTooLarge for one that no memory holds.
 */
export async function readTree(options: Reading & Earlier): Promise<ReadTree> {
  const { treeSha } = options;
  const listed = await listTree(options);
  const { root, whole } = await buildCertain(listed);
  let candidate: Candidate = { root, expected: listed.subtrees };
  if (!whole || (await hashTree(root)) !== treeSha) candidate = await rereadTree(root, options);
  const proof = await prove(candidate, treeSha);
  const entries = await listEntries(candidate.root, new ListingMeter(options.limits.maxFiles));
  return { entries, proof, truncated: listed.truncated };
}

/**
 * The host's own listing; of a tree too large for it, what is known of it already: the tree before it, else what the
 * listing says until it breaks off.
 */
async function listTree(options: Reading & Earlier): Promise<TreeListing & { truncated: boolean }> {
  const { treeSha, source, signal, previous } = options;
  const known = { subtrees: new Map<string, string>(), truncated: true };
  if (options.wasTruncated) return { ...known, entries: await previous() };
  const listing = await source.listTree(treeSha, signal);
  if (!listing.truncated) return listing;
  const entries = await previous();
  return entries.length > 0 ? { ...known, entries } : listing;
}

/** U+FFFD in UTF-8: what JSON has in place of bytes that it cannot carry. */
const REPLACED = "\xef\xbf\xbd";

/** The part of a listing that can be relied on: none of one that no tree could have. */
async function buildCertain({ entries }: TreeListing): Promise<{ root: Directory; whole: boolean }> {
  const certain = entries.filter((entry) => !entry.path.includes(REPLACED));
  try {
    return { root: await buildTree(certain), whole: certain.length === entries.length };
  } catch (error) {
    if (error instanceof OddTree) return { root: createDirectory(), whole: false };
    throw error;
  }
}

/** A directory on the way down. */
interface Step {
  path: string;
  name: string;
  sha: string;
  directory: Directory;
  within: Step | null;
  /** It or one above it does not hash to its SHA: what it names could be anything, itself included. */
  doubtful: boolean;
}

/**
 * Walks down from the root by raw tree objects, keeping every directory of the `known` tree that agrees. Each
 * object is read once, however often it is named.
 */
async function rereadTree(
  known: Directory,
  { treeSha, source, limits, signal }: Reading,
): Promise<Candidate> {
  await hashTree(known);
  const agreeing = await directoriesBySha(known);
  const read = new Map<string, Directory>();
  const expected = new Map<string, string>();
  const root = createDirectory();
  let level: Step[] = [{ path: "", name: "", sha: treeSha, directory: root, within: null, doubtful: false }];
  const meter = new ListingMeter(limits.maxFiles);
  for (let depth = 0; level.length > 0; depth += 1) {
    refuseDepth(depth);
    const trees = await source.readRawTrees([...new Set(level.map(({ sha }) => sha))], signal);
    const next: Step[] = [];
    for (const step of level) {
      expected.set(step.path, step.sha);
      const raw = trees.get(step.sha) ?? [];
      meter.add(raw.length, step.path.length);
      step.doubtful ||= hashTreeObject(raw) !== step.sha;
      const same = step.doubtful ? undefined : read.get(step.sha);
      if (same) step.within?.directory.children.set(step.name, same);
      else next.push(...addRaw(step, raw, { agreeing, read, expected }));
      if (!step.doubtful) read.set(step.sha, same ?? step.directory);
    }
    level = next;
  }
  return { root, expected };
}

/** Adds a raw tree's entries to its directory; answers those directories that are still to be read. */
function addRaw(
  step: Step,
  raw: RawTreeEntry[],
  known: {
    agreeing: ReadonlyMap<string, Directory>;
    read: ReadonlyMap<string, Directory>;
    expected: Map<string, string>;
  },
): Step[] {
  const below: Step[] = [];
  for (const { name, mode, sha, size } of raw) {
    const path = step.path === "" ? name : `${step.path}/${name}`;
    if (mode !== TREE_MODE) {
      addChild(step.directory, name, { child: { mode, sha, size }, path });
      continue;
    }
    if (sha === EMPTY_TREE_SHA) {
      known.expected.set(path, sha); // it holds no entry that could be listed, so it stays unproven
      continue;
    }
    const found = known.agreeing.get(sha) ?? (step.doubtful ? undefined : known.read.get(sha));
    const directory = found ?? createDirectory();
    addChild(step.directory, name, { child: directory, path });
    if (found) continue;
    refuseCircle({ sha, within: step });
    below.push({ path, name, sha, directory, within: step, doubtful: step.doubtful });
  }
  return below;
}

async function prove({ root, expected }: Candidate, treeSha: string): Promise<Proof> {
  const tree_sha = await hashTree(root);
  if (tree_sha === treeSha) return { tree_sha, verified: true, unverified_path: null };
  const differing = [...expected]
    .filter(([path, sha]) => path !== "" && findDirectory(root, path)?.sha !== sha)
    .map(([path]) => path);
  const deepest = differing.sort((a, b) => depth(b) - depth(a) || (a < b ? -1 : 1))[0];
  return { tree_sha, verified: false, unverified_path: Buffer.from(deepest ?? "", "latin1").toString() };
}

function depth(path: string): number {
  return path === "" ? 0 : path.split("/").length;
}
