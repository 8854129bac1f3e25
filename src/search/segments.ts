import { type Kysely, sql } from "kysely";
import type { Tables } from "../database/schema.ts";
import { decodeMembers } from "../grams/members.ts";

/**
 * The units of a segment, and the blobs that they make. Blobs are in the order of their repository's number and of their
 * chunks; all arrays but `blobStart` have an entry for each.
 */
export interface Segment {
  id: string;
  units: number;
  /** The number of each unit's first chunk, how many it has, and the blob it is of. */
  unitFirst: Float64Array;
  unitChunks: Uint16Array;
  unitBlob: Uint16Array;
  blobs: number;
  /** Repositories, by the number in `repositories`. */
  blobRepository: Uint16Array;
  /** The number of each blob's first chunk. */
  blobFirst: Float64Array;
  /** Where each blob's units begin; one more, for the end of the last. */
  blobStart: Uint32Array;
  /** 1 where the lines are paths. */
  blobIsPaths: Uint8Array;
  repositories: string[];
  /** The same as numbers, to order them by. */
  repositoryNumbers: Float64Array;
}

/** Segments never change, so what they are made of is read once. Some 12 bytes a chunk stay in memory. */
export class SegmentCache {
  #segments = new Map<string, Segment>();

  /** All segments that there are in the snapshot of this transaction. */
  async read(trx: Kysely<Tables>): Promise<Segment[]> {
    const { rows } = await sql<{ id: string }>`select id from gram_segments order by id`.execute(trx);
    const known = this.#segments;
    const missing = rows.map(({ id }) => id).filter((id) => !known.has(id));
    const added = missing.length > 0 ? await readSegments(trx, missing) : [];
    const current = new Map(added.map((segment) => [segment.id, segment]));
    for (const { id } of rows) {
      const segment = known.get(id);
      if (segment) current.set(id, segment);
    }
    this.#segments = current;
    return [...current.values()];
  }
}

async function readSegments(trx: Kysely<Tables>, ids: string[]): Promise<Segment[]> {
  const { rows } = await sql<{ segment_id: string; repository_id: string; members: Buffer }>`
    select segment_id, repository_id, members from gram_parts
    where segment_id = any(${ids}::bigint[]) order by segment_id, position`.execute(trx);
  return Map.groupBy(rows, ({ segment_id }) => segment_id)
    .entries()
    .map(([id, parts]) => toSegment(id, parts))
    .toArray();
}

function toSegment(id: string, parts: { repository_id: string; members: Buffer }[]): Segment {
  const members = parts.flatMap(({ members: bytes }, repository) =>
    decodeMembers(bytes).map((blob) => ({ ...blob, repository })),
  );
  const units = members.reduce((sum, blob) => sum + blob.units.length, 0);
  const segment: Segment = {
    id,
    units,
    unitFirst: new Float64Array(units),
    unitChunks: new Uint16Array(units),
    unitBlob: new Uint16Array(units),
    blobs: members.length,
    blobRepository: Uint16Array.from(members, ({ repository }) => repository),
    blobFirst: Float64Array.from(members, ({ first }) => first),
    blobStart: new Uint32Array(members.length + 1),
    blobIsPaths: Uint8Array.from(members, ({ isPaths }) => (isPaths ? 1 : 0)),
    repositories: parts.map(({ repository_id }) => repository_id),
    repositoryNumbers: Float64Array.from(parts, ({ repository_id }) => Number(repository_id)),
  };
  let unit = 0;
  members.forEach(({ first, units: sizes }, blob) => {
    let chunk = first;
    for (const size of sizes) {
      segment.unitFirst[unit] = chunk;
      segment.unitChunks[unit] = size;
      segment.unitBlob[unit] = blob;
      chunk += size;
      unit += 1;
    }
    segment.blobStart[blob + 1] = unit;
  });
  return segment;
}

/** Where a blob is in the order of all: by its repository's number, then by its chunks. */
export interface Place {
  repository: number;
  first: number;
}

export function placeOf(segment: Segment, blob: number): Place {
  const repository = segment.repositoryNumbers[segment.blobRepository[blob] as number] as number;
  return { repository, first: segment.blobFirst[blob] as number };
}

export function comparePlaces(a: Place, b: Place): number {
  return a.repository - b.repository || a.first - b.first;
}

/** The numbers below a count: `Uint16Array.from` takes ten times as long. */
export function numbersBelow(count: number): Uint16Array {
  const numbers = new Uint16Array(count);
  for (let i = 0; i < count; i += 1) numbers[i] = i;
  return numbers;
}

/** A blob in a segment. */
export interface SegmentBlob {
  segment: Segment;
  blob: number;
}

export function repositoryOf({ segment, blob }: SegmentBlob): string {
  return segment.repositories[segment.blobRepository[blob] as number] as string;
}

/** The numbers of a unit's chunks. */
export function chunksOf({ unitFirst, unitChunks }: Segment, unit: number): number[] {
  return Array.from({ length: unitChunks[unit] as number }, (_, i) => (unitFirst[unit] as number) + i);
}

/** The numbers of a blob's chunks: from `first` to before `end`. */
export function chunksOfBlob({ segment, blob }: SegmentBlob): { first: number; end: number } {
  const last = (segment.blobStart[blob + 1] as number) - 1;
  const end = (segment.unitFirst[last] as number) + (segment.unitChunks[last] as number);
  return { first: segment.blobFirst[blob] as number, end };
}

/** Some blobs of each segment, by their numbers in ascending order. */
export type BlobLists = Map<Segment, Uint16Array>;

/** The blobs of all segments that come after a place, in order. */
export function* walkBlobs(lists: BlobLists, after: Place | null): Generator<SegmentBlob> {
  const heads = [...lists].flatMap(([segment, list]) => {
    const at = after ? firstFrom(list, firstAfter(segment, after)) : 0;
    return at < list.length ? [{ segment, list, at, place: placeOf(segment, list[at] as number) }] : [];
  });
  while (heads.length > 0) {
    let least = 0;
    for (let i = 1; i < heads.length; i += 1) {
      if (comparePlaces(heads[i]?.place as Place, heads[least]?.place as Place) < 0) least = i;
    }
    const head = heads[least] as (typeof heads)[number];
    yield { segment: head.segment, blob: head.list[head.at] as number };
    head.at += 1;
    if (head.at === head.list.length) heads.splice(least, 1);
    else head.place = placeOf(head.segment, head.list[head.at] as number);
  }
}

/** The place of the first number that is not below `least`. */
export function firstFrom(list: Uint16Array, least: number): number {
  let [low, high] = [0, list.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((list[middle] as number) < least) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The first blob of a segment after a place. */
function firstAfter(segment: Segment, after: Place): number {
  let [low, high] = [0, segment.blobs];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (comparePlaces(placeOf(segment, middle), after) <= 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The blob at a place, or null where no segment has it. */
export function findBlob(segments: Iterable<Segment>, place: Place): SegmentBlob | null {
  for (const segment of segments) {
    if (!segment.repositoryNumbers.includes(place.repository)) continue;
    const blob = firstAfter(segment, { ...place, first: place.first - 1 });
    if (blob < segment.blobs && comparePlaces(placeOf(segment, blob), place) === 0) return { segment, blob };
  }
  return null;
}
