import { sql } from "kysely";
import { GRAMS, gramsOfLiteral } from "../grams/gram.ts";
import { decodeList, EVERYWHERE, type PostingList } from "../grams/posting.ts";
import { findList, rowsOfKey, UNITS_EVER } from "../grams/segment.ts";
import { keysOfWord } from "../grams/word.ts";
import type { Need } from "./pattern.ts";
import type { RowsBySegment } from "./row-cache.ts";
import type { Segment } from "./segments.ts";
import { runPrepared, type Snapshot } from "./statement.ts";

/** More keys than that of one literal tell hardly more, and each is read in every segment. */
const KEYS_OF_LITERAL = 8;

/** More keys of one text or pattern are not read: each is one in every segment. */
const KEYS_OF_LEAF = 2_000;

/** What a list that is not written is worth: more than any that is. */
const EVERYWHERE_BYTES = 4_096;

/** Which keys a unit must have to be worth looking at. */
export type KeyNeed =
  | { kind: "anything" }
  | { kind: "key"; key: number }
  | { kind: "all" | "any"; of: KeyNeed[] };

/** Units of a segment in ascending order; null for all of them. */
export type Units = Uint16Array | null;

/** What a pattern needs, in keys. */
export function keysOfNeed(need: Need): KeyNeed {
  switch (need.kind) {
    case "anything":
      return need;
    case "literal": {
      const grams = gramsOfLiteral(need.text);
      if (grams === null) return { kind: "anything" };
      const sets = grams.map((set): KeyNeed => {
        const keys = set.map((key): KeyNeed => ({ kind: "key", key }));
        return keys.length === 1 ? (keys[0] as KeyNeed) : { kind: "any", of: keys };
      });
      return { kind: "all", of: sets };
    }
    case "any":
      return { kind: "any", of: need.of.map(keysOfNeed) };
    case "all": {
      const of = need.of.map(keysOfNeed).filter(({ kind }) => kind !== "anything");
      // Three characters take many lists to tell little: they are left to what is read afterwards.
      const narrow = of.filter((one) => !isWide(one));
      return { kind: "all", of: narrow.length > 0 ? narrow : of };
    }
  }
}

/** Literals of three characters, or a choice that has one: one of many keys. */
export function isWide(need: KeyNeed): boolean {
  if (need.kind === "any") return need.of.some(isWide);
  return need.kind === "all" && need.of.length === 1 && need.of[0]?.kind === "any";
}

/** The same, or less where that takes more keys than are worth reading. */
export function withFewKeys(need: KeyNeed): KeyNeed {
  if (keysOf([need]).size <= KEYS_OF_LEAF) return need;
  if (need.kind !== "all") return { kind: "anything" };
  const bySize = need.of.map((of) => ({ of, keys: keysOf([of]).size })).sort((a, b) => a.keys - b.keys);
  let keys = 0;
  const kept = bySize.filter((one) => {
    keys += one.keys;
    return keys <= KEYS_OF_LEAF;
  });
  return kept.length > 0 ? { kind: "all", of: kept.map(({ of }) => of) } : { kind: "anything" };
}

/** What a unit has that holds this word as an identifier; or, with `parts`, as a part of one. */
export function keysOfIdentifier(word: string, { parts }: { parts: boolean }): KeyNeed | null {
  const { identifier, part } = keysOfWord(word);
  if (identifier === null) return null;
  const whole: KeyNeed = { kind: "key", key: GRAMS + identifier };
  if (!parts || part === null) return whole;
  return { kind: "any", of: [whole, { kind: "key", key: GRAMS + part }] };
}

/** All keys of some needs. */
function keysOf(needs: KeyNeed[]): Set<number> {
  const keys = new Set<number>();
  const visit = (need: KeyNeed) => {
    if (need.kind === "key") keys.add(need.key);
    else if (need.kind !== "anything") need.of.forEach(visit);
  };
  needs.forEach(visit);
  return keys;
}

/**
 * Leaves the rarest keys where a literal has many. How often keys occur only orders them: it never leaves out a unit.
 */
export async function chooseKeys(snapshot: Snapshot, needs: KeyNeed[]): Promise<KeyNeed[]> {
  const long = (need: KeyNeed): boolean =>
    need.kind === "all" || need.kind === "any"
      ? (need.kind === "all" && need.of.length > KEYS_OF_LITERAL) || need.of.some(long)
      : false;
  if (!needs.some(long)) return needs;
  const rows = await runPrepared(
    snapshot,
    sql<{ key: number; bytes: number }>`
    select key, sum(case length(data) when 1 then ${EVERYWHERE_BYTES} else length(data) end)::float8 as bytes
    from gram_postings where key = any(${[...keysOf(needs.filter(long))]}::int[]) group by key`,
  );
  const bytes = new Map(rows.map((row) => [row.key, row.bytes]));
  const weightOf = (need: KeyNeed): number => {
    if (need.kind === "key") return bytes.get(need.key) ?? 0;
    if (need.kind === "anything") return Number.POSITIVE_INFINITY;
    const weights = need.of.map(weightOf);
    return need.kind === "all" ? Math.min(...weights) : weights.reduce((sum, weight) => sum + weight, 0);
  };
  const choose = (need: KeyNeed): KeyNeed => {
    if (need.kind === "key" || need.kind === "anything") return need;
    if (need.kind === "any") return { kind: "any", of: need.of.map(choose) };
    const ordered = need.of.map((of) => ({ of: choose(of), weight: weightOf(of) }));
    ordered.sort((a, b) => a.weight - b.weight);
    return { kind: "all", of: ordered.slice(0, KEYS_OF_LITERAL).map(({ of }) => of) };
  };
  return needs.map(choose);
}

/** The posting lists that some needs ask for, by segment and key. */
export type Postings = Map<string, Map<number, PostingList>>;

/** Some segments, perhaps all that there are. */
export interface SegmentChoice {
  segments: Segment[];
  isAll: boolean;
}

export async function readPostings(
  snapshot: Snapshot,
  needs: KeyNeed[],
  choice: SegmentChoice,
): Promise<Postings> {
  const { segments } = choice;
  const keys = [...keysOf(needs)];
  const postings: Postings = new Map(segments.map(({ id }) => [id, new Map()]));
  if (keys.length === 0 || segments.length === 0) return postings;
  const rowsOf = await readRows(snapshot, [...new Set(keys.flatMap(rowsOfKey))], choice);
  for (const key of keys) {
    for (const number of rowsOfKey(key)) {
      for (const { id } of segments) {
        const data = rowsOf.get(number)?.get(id);
        const list = data && findList({ key: number, data }, key);
        if (list) postings.get(id)?.set(key, list);
      }
    }
  }
  return postings;
}

/** The rows of these numbers, by segment: from the cache, or read into it. */
async function readRows(
  snapshot: Snapshot,
  numbers: number[],
  { segments, isAll }: SegmentChoice,
): Promise<Map<number, RowsBySegment>> {
  const known = new Map<number, RowsBySegment>();
  for (const number of numbers) {
    const rows = snapshot.rows.get(number, segments);
    if (rows) known.set(number, rows);
  }
  const missing = numbers.filter((number) => !known.has(number));
  if (missing.length === 0) return known;
  const some = sql`and segment_id = any(${segments.map(({ id }) => id)}::bigint[])`;
  const rows = await runPrepared(
    snapshot,
    sql<{ key: number; segment_id: string; data: Buffer }>`
      select key, segment_id, data from gram_postings
      where key = any(${missing}::int[]) ${isAll ? sql`` : some}`,
  );
  const byKey = Map.groupBy(rows, ({ key }) => key);
  for (const number of missing) {
    const found = new Map((byKey.get(number) ?? []).map(({ segment_id, data }) => [segment_id, data]));
    known.set(number, snapshot.rows.add(number, segments, found));
  }
  return known;
}

const NONE = new Uint16Array(0);

/** The units of a segment that may be what a need asks for. */
export function unitsFor(need: KeyNeed, segment: Segment, lists: Map<number, PostingList>): Units {
  switch (need.kind) {
    case "anything":
      return null;
    case "key": {
      const list = lists.get(need.key);
      if (!list) return NONE;
      return list.k === EVERYWHERE ? null : decode(list);
    }
    case "any":
      return unite(need.of.map((of) => unitsFor(of, segment, lists)));
    case "all": {
      // Short lists first: most of the others need not be read once nothing is left.
      const sizeOf = (of: KeyNeed) => (of.kind === "key" ? (lists.get(of.key)?.codes.length ?? 0) : 1e9);
      const ordered = need.of.toSorted((a, b) => sizeOf(a) - sizeOf(b));
      let units: Units = null;
      for (const of of ordered) {
        units = intersect(units, unitsFor(of, segment, lists));
        if (units?.length === 0) return NONE;
      }
      return units;
    }
  }
}

const scratch = new Uint16Array(UNITS_EVER);

function decode(list: PostingList): Uint16Array {
  return scratch.slice(0, decodeList(list, scratch));
}

/** The units that are in both. */
export function intersect(a: Units, b: Units): Units {
  if (a === null) return b;
  if (b === null) return a;
  const both = new Uint16Array(Math.min(a.length, b.length));
  let length = 0;
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    const [left, right] = [a[i] as number, b[j] as number];
    if (left === right) {
      both[length] = left;
      length += 1;
    }
    if (left <= right) i += 1;
    if (right <= left) j += 1;
  }
  return both.subarray(0, length);
}

/** The units that are in any. */
export function unite(all: Units[]): Units {
  if (all.some((units) => units === null)) return null;
  const lists = all as Uint16Array[];
  if (lists.length === 1) return lists[0] as Uint16Array;
  const present = new Uint8Array(lists.reduce((most, list) => Math.max(most, (list.at(-1) ?? -1) + 1), 0));
  for (const list of lists) for (const unit of list) present[unit] = 1;
  const union = new Uint16Array(present.length);
  let length = 0;
  for (let unit = 0; unit < present.length; unit += 1) {
    if (present[unit] === 1) {
      union[length] = unit;
      length += 1;
    }
  }
  return union.subarray(0, length);
}
