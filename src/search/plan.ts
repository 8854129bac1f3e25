import {
  chooseKeys,
  isWide,
  type KeyNeed,
  keysOfIdentifier,
  keysOfNeed,
  type Postings,
  readPostings,
  type Units,
  unitsFor,
} from "./candidates.ts";
import { needOf, type Pattern } from "./pattern.ts";
import type { Query } from "./query.ts";
import type { BlobFlags, Segment } from "./segments.ts";
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
  { segments, isAll }: { segments: Segment[]; isAll: boolean },
): Promise<Candidates> {
  const needs = leaves.map(({ pattern }) => keysOfNeed(needOf(pattern)));
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
  return {
    segments,
    units,
    hasUnread,
    async unitsOf(tier) {
      if (tier !== "anywhere") return unitsFrom(tiers[tier], postings);
      if (!hasUnread) return units;
      return unitsFrom(tiers.anywhere, await readPostings(snapshot, tiers.anywhere, { segments, isAll }));
    },
  };
}

/** How a word must stand, where the index knows words like it. */
function standingNeed({ query, pattern, isShown }: Leaf, parts: boolean): KeyNeed | null {
  const isWord = query.word && isShown && pattern.kind === "literal";
  return isWord ? keysOfIdentifier(pattern.text, { parts }) : null;
}

interface FlagOptions {
  leaves: Leaf[];
  units: Map<Segment, Units[]>;
  /** Leaves that may also be true of any blob, by its path. */
  broad: ReadonlySet<Leaf>;
  /** The repositories that are looked at, by id; null: all. */
  allowed: ReadonlySet<string> | null;
}

/**
 * The blobs of contents that may be what a query asks for.
 */
export function flagBlobs(query: Query, { leaves, units, broad, allowed }: FlagOptions): BlobFlags {
  const flags: BlobFlags = new Map();
  for (const [segment, ofLeaves] of units) {
    const own = flagsOf(query, (leaf) => {
      const i = leaves.findIndex(({ query: of }) => of === leaf);
      const found = broad.has(leaves[i] as Leaf) ? null : (ofLeaves[i] as Units);
      return found === null ? null : flagUnits(segment, found);
    });
    const isAllowed = segment.repositories.map((id) => !allowed || allowed.has(id));
    const contents = own ?? new Uint8Array(segment.blobs).fill(1);
    for (let blob = 0; blob < segment.blobs; blob += 1) {
      if (segment.blobIsPaths[blob] || !isAllowed[segment.blobRepository[blob] as number]) contents[blob] = 0;
    }
    flags.set(segment, contents);
  }
  return flags;
}

function flagUnits(segment: Segment, units: Uint16Array): Uint8Array {
  const flags = new Uint8Array(segment.blobs);
  for (const unit of units) flags[segment.unitBlob[unit] as number] = 1;
  return flags;
}

/** Which blobs may satisfy a query, null for all of them; `leafFlags` says so of a text. */
function flagsOf(query: Query, leafFlags: (leaf: Query) => Uint8Array | null): Uint8Array | null {
  if (query.kind === "text") return leafFlags(query);
  if (query.kind === "and") {
    return query.of.reduce<Uint8Array | null>((all, of) => {
      const flags = flagsOf(of, leafFlags);
      return all && flags ? and(all, flags) : (all ?? flags);
    }, null);
  }
  if (query.kind === "or") {
    const all = query.of.map((of) => flagsOf(of, leafFlags));
    if (all.some((flags) => flags === null)) return null;
    return (all as Uint8Array[]).reduce((any, flags) => any.map((flag, i) => flag | (flags[i] as number)));
  }
  return null; // what the index cannot tell
}

function and(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length);
  for (let i = 0; i < a.length; i += 1) both[i] = (a[i] as number) & (b[i] as number);
  return both;
}

/** The blobs that are flagged in both. */
export function bothFlags(a: BlobFlags, b: BlobFlags): BlobFlags {
  return new Map(
    [...a].map(([segment, own]) => [segment, and(own, b.get(segment) ?? new Uint8Array(segment.blobs))]),
  );
}

/** Takes away the blobs that are flagged in `without`. */
export function withoutFlags(flags: BlobFlags, without: BlobFlags): BlobFlags {
  return new Map(
    [...flags].map(([segment, own]) => {
      const gone = without.get(segment);
      return [segment, gone ? own.map((flag, i) => (gone[i] ? 0 : flag)) : own];
    }),
  );
}

export function countFlags(flags: BlobFlags): number {
  let count = 0;
  for (const own of flags.values()) for (const flag of own) count += flag;
  return count;
}
