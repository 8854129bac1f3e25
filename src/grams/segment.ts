import type { Column } from "../database/copy.ts";
import { GRAMS } from "./gram.ts";
import { EVERYWHERE, encodeList, maxCodeBytes, type PostingList, parameterOf } from "./posting.ts";
import { WORDS } from "./word.ts";

/**
 * A segment is an index of up to MAX_UNITS units, which are numbered from 0: for each key (a gram or a word) a row or
 * a part of one says which units hold it. Segments are never changed, only replaced (compaction.ts).
 */

/** Grams are the first keys, words those after them. */
export const KEYS = GRAMS + WORDS;
export const MAX_UNITS = 16_383;
/** More than any segment has: a blob is in one, and one of half a gigabyte, the longest text there can be, has so many. */
export const UNITS_EVER = 65_536;
/** Lists longer than this many bytes have a row of their own. */
const OWN_ROW_BYTES = 256;
/** Fewer units than that: large buckets, since the rows would be tiny otherwise. */
const SMALL_SEGMENT_UNITS = 256;

/** How many keys share a row, as powers of two. */
const FINE = 6;
const COARSE = 12;
/** Where the numbers of buckets begin, behind those of keys. */
const FINE_ROWS = KEYS;
const COARSE_ROWS = FINE_ROWS + (KEYS >> FINE);

/** A row of gram_postings without its segment. */
export interface PostingRow {
  key: number;
  data: Uint8Array;
}

export const POSTING_COLUMNS: Column[] = [
  { name: "key", type: "int4" },
  { name: "segment_id", type: "int8" },
  { name: "data", type: "bytea" },
];

/** The rows that may hold a key's list, one of which does where the segment has the key at all. */
export function rowsOfKey(key: number): number[] {
  return [key, FINE_ROWS + (key >> FINE), COARSE_ROWS + (key >> COARSE)];
}

/** Slices of the keys, for what cannot be held in memory as a whole: of 4,096 keys each. */
export const SLICES = KEYS >> COARSE;

/** The rows of some slices, from one on: as ranges, both ends included. */
export function rowsOfSlices(first: number, count: number): [number, number][] {
  const [from, to] = [first << COARSE, (first + count) << COARSE];
  return [
    [from, to - 1],
    [FINE_ROWS + (from >> FINE), FINE_ROWS + (to >> FINE) - 1],
    [COARSE_ROWS + first, COARSE_ROWS + first + count - 1],
  ];
}

/** Codes of up to so many bytes have a header of one byte in their bucket, others of three. */
const SHORT_BYTES = 14;
const LONG = 15;

/** Calls back with every list of a row, in the order of keys, until it answers false. */
export function readRow(
  { key: row, data }: PostingRow,
  found: (key: number, list: PostingList) => boolean | undefined,
): void {
  if (row < FINE_ROWS) {
    found(row, { k: data[0] as number, codes: data.subarray(1) });
    return;
  }
  eachOfBucket({ key: row, data }, (key, { k, start, end }) =>
    found(key, { k, codes: data.subarray(start, end) }),
  );
}

/** The list of a key in a row of it, or null. */
export function findList({ key: row, data }: PostingRow, key: number): PostingList | null {
  if (row === key) return { k: data[0] as number, codes: data.subarray(1) };
  let list: PostingList | null = null;
  eachOfBucket({ key: row, data }, (other, { k, start, end }) => {
    if (other === key) list = { k, codes: data.subarray(start, end) };
    return other < key;
  });
  return list;
}

/** Calls back with every list of a bucket, by where its codes are, until it answers false. */
function eachOfBucket(
  { key: row, data }: PostingRow,
  found: (key: number, list: { k: number; start: number; end: number }) => boolean | undefined,
): void {
  const isFine = row < COARSE_ROWS;
  const first = isFine ? (row - FINE_ROWS) << FINE : (row - COARSE_ROWS) << COARSE;
  let at = 0;
  while (at < data.length) {
    let low = data[at] as number;
    if (!isFine) low |= (data[at + 1] as number) << 8;
    at += isFine ? 1 : 2;
    const header = data[at] as number;
    let length = header >> 4;
    at += 1;
    if (length === LONG) {
      length = (data[at] as number) | ((data[at + 1] as number) << 8);
      at += 2;
    }
    if (found(first + low, { k: header & 15, start: at, end: at + length }) === false) return;
    at += length;
  }
}

/** Makes rows of lists that are given in the order of their keys. */
export class RowWriter {
  readonly #units: number;
  readonly #shift: number;
  #codes: Uint8Array = new Uint8Array(64 * 1024);
  #bucket: Uint8Array = new Uint8Array(64 * 1024);
  #bucketEnd = 0;
  #bucketNumber = -1;

  constructor(units: number) {
    this.#units = units;
    this.#shift = units < SMALL_SEGMENT_UNITS ? COARSE : FINE;
  }

  /** Adds the list of a key: part of an array of unit numbers in ascending order. */
  *add(key: number, list: ArrayLike<number>, start: number, end: number): Generator<PostingRow> {
    if (key >> this.#shift !== this.#bucketNumber) {
      yield* this.end();
      this.#bucketNumber = key >> this.#shift;
    }
    const k = parameterOf(list, { start, end, units: this.#units });
    let length = 0;
    if (k !== EVERYWHERE) {
      const most = maxCodeBytes(end - start, this.#units);
      if (this.#codes.length < most) this.#codes = new Uint8Array(most * 2);
      length = encodeList(list, { start, end, k }, this.#codes);
    }
    // Where a key is everywhere its row says so by its length: it is to be avoided before anything is read.
    const isLong = length > OWN_ROW_BYTES || k === EVERYWHERE;
    if (!isLong || this.#shift === COARSE) this.#addToBucket(key, k, length);
    else {
      const data = new Uint8Array(1 + length);
      data[0] = k;
      data.set(this.#codes.subarray(0, length), 1);
      yield { key, data };
    }
  }

  /** The row that is not full yet. */
  *end(): Generator<PostingRow> {
    if (this.#bucketEnd === 0) return;
    const first = this.#shift === FINE ? FINE_ROWS : COARSE_ROWS;
    yield { key: first + this.#bucketNumber, data: this.#bucket.slice(0, this.#bucketEnd) };
    this.#bucketEnd = 0;
  }

  #addToBucket(key: number, k: number, length: number): void {
    let at = this.#bucketEnd;
    if (at + length + 5 > this.#bucket.length) {
      const larger = new Uint8Array(this.#bucket.length * 2 + length);
      larger.set(this.#bucket);
      this.#bucket = larger;
    }
    const bucket = this.#bucket;
    const put = (byte: number) => {
      bucket[at] = byte;
      at += 1;
    };
    const low = key & ((1 << this.#shift) - 1);
    put(low & 0xff);
    if (this.#shift === COARSE) put(low >> 8);
    put(((length <= SHORT_BYTES ? length : LONG) << 4) | k);
    if (length > SHORT_BYTES) {
      put(length & 0xff);
      put(length >> 8);
    }
    bucket.set(this.#codes.subarray(0, length), at);
    this.#bucketEnd = at + length;
  }
}

/** The keys of units in their order: `counts[i]` of `keys` belong to unit i. */
export interface UnitKeys {
  keys: Uint32Array;
  counts: Uint32Array;
}

/** The rows of a segment, from the keys of its units. */
export function* rowsOfUnits(pieces: UnitKeys[]): Generator<PostingRow> {
  let units = 0;
  const starts = new Uint32Array(KEYS + 1);
  for (const { keys, counts } of pieces) {
    units += counts.length;
    for (let i = 0; i < keys.length; i += 1) {
      const next = (keys[i] as number) + 1;
      starts[next] = (starts[next] as number) + 1;
    }
  }
  for (let key = 0; key < KEYS; key += 1)
    starts[key + 1] = (starts[key + 1] as number) + (starts[key] as number);
  const sorted = sortByKey(pieces, starts);
  const writer = new RowWriter(units);
  for (let key = 0; key < KEYS; key += 1) {
    const [start, end] = [starts[key] as number, starts[key + 1] as number];
    if (start < end) yield* writer.add(key, sorted, start, end);
  }
  yield* writer.end();
}

/** The numbers of the units that hold a key, for all keys one after the other. */
function sortByKey(pieces: UnitKeys[], starts: Uint32Array): Uint16Array {
  const next = starts.slice();
  const sorted = new Uint16Array(starts[KEYS] as number);
  let unit = 0;
  for (const { keys, counts } of pieces) {
    let at = 0;
    for (const count of counts) {
      for (const end = at + count; at < end; at += 1) {
        const key = keys[at] as number;
        const place = next[key] as number;
        sorted[place] = unit;
        next[key] = place + 1;
      }
      unit += 1;
    }
  }
  return sorted;
}
