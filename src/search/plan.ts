import {
  chooseKeys,
  intersect,
  isWide,
  type KeyNeed,
  keysOfIdentifier,
  keysOfNeed,
  type Postings,
  readPostings,
  type SegmentChoice,
  type Units,
  unite,
  unitsFor,
  withFewKeys,
} from "./candidates.ts";
import { needOf, type Pattern } from "./pattern.ts";
import type { Query } from "./query.ts";
import { type BlobLists, numbersBelow, type Segment } from "./segments.ts";
import type { Snapshot } from "./statement.ts";

/** A text that a query asks for. */
export interface Leaf {
  query: Extract<Query, { kind: "text" }>;
  pattern: Pattern;
  /** What it finds is shown: it is not under a `not`. */
  isShown: boolean;
}

/** The texts that a query asks for, from left to right. */
export function leavesOf(query: Query, isShown = true): Leaf[] {
  switch (query.kind) {
    case "text":
      return [{ query, pattern: query.pattern, isShown }];
    case "and":
    case "or":
      return query.of.flatMap((of) => leavesOf(of, isShown));
    case "not":
      return leavesOf(query.of, !isShown);
    default:
      return [];
  }
}

/** How a word must stand in a text, from the best on: as an identifier, as a part of one, or anywhere. */
export const TIERS = ["identifier", "part", "anywhere"] as const;
export type Tier = (typeof TIERS)[number];

/** Which units may hold what a leaf asks for, by segment and then by leaf. */
export type UnitsBySegment = Map<Segment, Units[]>;

/** What the index knows of the leaves of a query. */
export interface Candidates {
  segments: Segment[];
  /** Where each word stands as it must in this tier; without words all tiers are the same. */
  unitsOf(tier: Tier): Promise<UnitsBySegment>;
  /** Where each leaf may be at all; null for the units of a word that so many keys lead to that they are not read yet. */
  units: UnitsBySegment;
  /** Words whose place was not read. */
  hasUnread: boolean;
}

/**
 * Reads what the index knows of the leaves of a query. Words of three characters take many lists to find anywhere, so
 * these are read only when that is asked for: where they stand as identifiers or parts is known from few.
 */
export async function readCandidates(
  snapshot: Snapshot,
  leaves: Leaf[],
  { segments, isAll }: SegmentChoice,
): Promise<Candidates> {
  const needs = leaves.map(({ pattern }) => withFewKeys(keysOfNeed(needOf(pattern))));
  const standing = leaves.map((leaf) => ({
    identifier: standingNeed(leaf, false),
    part: standingNeed(leaf, true),
  }));
  const isUnread = (i: number) => isWide(needs[i] as KeyNeed) && standing[i]?.identifier !== null;
  const chosen = await chooseKeys(
    snapshot,
    needs.map((need, i): KeyNeed => (isUnread(i) ? { kind: "anything" } : need)),
  );
  const tiers: Record<Tier, KeyNeed[]> = {
    identifier: chosen.map((need, i) => standing[i]?.identifier ?? need),
    part: chosen.map((need, i) => standing[i]?.part ?? need),
    anywhere: chosen.map((need, i) => (isUnread(i) ? (needs[i] as KeyNeed) : need)),
  };
  const read = [...tiers.identifier, ...tiers.part, ...chosen];
  const postings = await readPostings(snapshot, read, { segments, isAll });
  const unitsFrom = (of: KeyNeed[], lists: Postings): UnitsBySegment =>
    new Map(
      segments.map((segment) => [
        segment,
        of.map((need) => unitsFor(need, segment, lists.get(segment.id) ?? new Map())),
      ]),
    );
  const units = unitsFrom(chosen, postings);
  const hasUnread = leaves.some((_, i) => isUnread(i));
  const readTier = async (tier: Tier): Promise<UnitsBySegment> => {
    if (tier !== "anywhere") return unitsFrom(tiers[tier], postings);
    if (!hasUnread) return units;
    return unitsFrom(tiers.anywhere, await readPostings(snapshot, tiers.anywhere, { segments, isAll }));
  };
  const known = new Map<Tier, Promise<UnitsBySegment>>();
  return {
    segments,
    units,
    hasUnread,
    unitsOf(tier) {
      const read = known.get(tier) ?? readTier(tier);
      known.set(tier, read);
      return read;
    },
  };
}

/** How a word must stand, where the index knows words like it. */
function standingNeed({ query, pattern, isShown }: Leaf, parts: boolean): KeyNeed | null {
  const isWord = query.word && isShown && pattern.kind === "literal";
  return isWord ? keysOfIdentifier(pattern.text, { parts }) : null;
}

interface ListOptions {
  leaves: Leaf[];
  units: Map<Segment, Units[]>;
  /** Leaves that may also be true of any blob, by its path. */
  broad: ReadonlySet<Leaf>;
  /** The repositories that are looked at, by id; null: all. */
  allowed: ReadonlySet<string> | null;
}

/** The blobs of contents that may be what a query asks for. */
export function listBlobs(query: Query, { leaves, units, broad, allowed }: ListOptions): BlobLists {
  const lists: BlobLists = new Map();
  for (const [segment, ofLeaves] of units) {
    const own = blobsOf(query, (leaf) => {
      const i = leaves.findIndex(({ query: of }) => of === leaf);
      const found = broad.has(leaves[i] as Leaf) ? null : (ofLeaves[i] as Units);
      return found && blobsOfUnits(segment, found);
    });
    lists.set(segment, textsWithin(segment, own ?? numbersBelow(segment.blobs), allowed));
  }
  return lists;
}

/** Those of some blobs that are texts of allowed repositories. A loop: `filter` takes ten times as long. */
function textsWithin(
  { repositories, blobIsPaths, blobRepository }: Segment,
  blobs: Uint16Array,
  allowed: ReadonlySet<string> | null,
): Uint16Array {
  const isAllowed = Uint8Array.from(repositories, (id) => (!allowed || allowed.has(id) ? 1 : 0));
  const within = new Uint16Array(blobs.length);
  let length = 0;
  for (const blob of blobs) {
    if (blobIsPaths[blob] === 1 || isAllowed[blobRepository[blob] as number] === 0) continue;
    within[length] = blob;
    length += 1;
  }
  return within.subarray(0, length);
}

function blobsOfUnits({ unitBlob }: Segment, units: Uint16Array): Uint16Array {
  const blobs = new Uint16Array(units.length);
  let length = 0;
  for (const unit of units) {
    const blob = unitBlob[unit] as number;
    if (length > 0 && blobs[length - 1] === blob) continue;
    blobs[length] = blob;
    length += 1;
  }
  return blobs.subarray(0, length);
}

/** Which blobs may satisfy a query, null for all of them; `leafBlobs` says so of a text. */
function blobsOf(query: Query, leafBlobs: (leaf: Query) => Uint16Array | null): Uint16Array | null {
  if (query.kind === "text") return leafBlobs(query);
  if (query.kind === "and") {
    return query.of.reduce<Uint16Array | null>((all, of) => intersect(all, blobsOf(of, leafBlobs)), null);
  }
  if (query.kind === "or") return unite(query.of.map((of) => blobsOf(of, leafBlobs)));
  return null; // what the index cannot tell
}

/** The blobs that are in both. */
export function commonBlobs(a: BlobLists, b: BlobLists): BlobLists {
  const none = new Uint16Array(0);
  return new Map([...a].map(([segment, own]) => [segment, intersect(own, b.get(segment) ?? none) ?? none]));
}

/** Takes away the blobs that are in `without`. */
export function withoutBlobs(lists: BlobLists, without: BlobLists): BlobLists {
  return new Map(
    [...lists].map(([segment, own]) => {
      const gone = without.get(segment) ?? new Uint16Array(0);
      const left = new Uint16Array(own.length);
      let length = 0;
      let at = 0;
      for (const blob of own) {
        while (at < gone.length && (gone[at] as number) < blob) at += 1;
        if (gone[at] === blob) continue;
        left[length] = blob;
        length += 1;
      }
      return [segment, left.subarray(0, length)];
    }),
  );
}

export function countBlobs(lists: BlobLists): number {
  return lists.values().reduce((sum, { length }) => sum + length, 0);
}
