import { type Kysely, sql } from "kysely";
import type { Logger } from "pino";
import type { Connection, Listener } from "../database/connect.ts";
import { type Transaction, transaction } from "../database/connect.ts";
import { copyRows } from "../database/copy.ts";
import { eventOrTimeout } from "../database/lease-loop.ts";
import type { Tables } from "../database/schema.ts";
import { decodeMembers, type MemberBlob } from "./members.ts";
import { decodeList, EVERYWHERE, type PostingList } from "./posting.ts";
import {
  MAX_UNITS,
  POSTING_COLUMNS,
  type PostingRow,
  RowWriter,
  readRow,
  rowsOfSlices,
  SLICES,
  UNITS_EVER,
} from "./segment.ts";
import { drawSegmentId, SEGMENTS_CHANNEL, type SegmentPart, storeSegment } from "./store.ts";

/**
 * Segments below so many units are alike; so many of them are merged into one. While scans run there may be more of them:
 * what they write is merged with what follows, and the machine is busy.
 */
const LEVELS = [
  { below: 256, merge: 8, whileBusy: 16 },
  { below: 4_096, merge: 8, whileBusy: 32 },
  { below: 8_192, merge: 3, whileBusy: 32 },
];
/** A segment is made anew once this share of its chunks is gone; smaller ones are merged soon anyway. */
const DEAD_SHARE = 0.1;
const DEAD_SHARE_WHILE_BUSY = 0.3;
const MIN_UNITS_FOR_DEAD = 32;
const POLL_MS = 60_000;
/** The room of so many replaced rows (some 20 MB) is given to what is merged next, sooner than autovacuum would. */
const VACUUM_ROWS = 20_000;

/** What a step of compaction replaced: segments, and rows of their postings. */
export interface Compacted {
  segments: number;
  rows: number;
}

interface SegmentSize {
  id: string;
  units: number;
  dead_share: number;
}

/**
 * Merges segments once there are too many small ones, and makes anew those of which much is gone; one step, by one
 * process at a time. All in one transaction: whoever searches sees the segments before or those after.
 */
export async function compactOnce(connection: Connection): Promise<Compacted> {
  return await transaction(connection, async (t) => {
    const { rows } = await sql<{ locked: boolean }>`
      select pg_try_advisory_xact_lock(hashtext('repodex compaction')) as locked`.execute(t.trx);
    if (!rows[0]?.locked) return { segments: 0, rows: 0 };
    const chosen = chooseSegments(await readSizes(t.trx), { isBusy: await isBusy(t.trx) });
    return { segments: chosen.length, rows: chosen.length > 0 ? await replaceSegments(t, chosen) : 0 };
  });
}

/**
 * Replaces the segments that list chunks of a repository whose chunks are deleted, one a call. Answers whether there was
 * one. Waits for compaction under way.
 */
export async function forgetRepository(t: Transaction, repositoryId: string): Promise<boolean> {
  await sql`select pg_advisory_xact_lock(hashtext('repodex compaction'))`.execute(t.trx);
  const part = await t.trx
    .selectFrom("gram_parts")
    .select("segment_id")
    .where("repository_id", "=", repositoryId)
    .limit(1)
    .executeTakeFirst();
  if (part) await replaceSegments(t, [part.segment_id]);
  return part !== undefined;
}

async function readSizes(trx: Kysely<Tables>): Promise<SegmentSize[]> {
  const { rows } = await sql<SegmentSize>`
    select s.id, s.units, coalesce(sum(p.dead)::float8 / nullif(sum(p.chunks), 0), 1) as dead_share
    from gram_segments s left join gram_parts p on p.segment_id = s.id group by s.id order by s.id`.execute(
    trx,
  );
  return rows;
}

async function isBusy(trx: Kysely<Tables>): Promise<boolean> {
  const { rows } = await sql`select from runs where state = 'running' limit 1`.execute(trx);
  return rows.length > 0;
}

function chooseSegments(sizes: SegmentSize[], options: { isBusy: boolean }): string[] {
  let atLeast = 0;
  for (const { below, merge, whileBusy } of LEVELS) {
    const alike = sizes.filter(({ units }) => units >= atLeast && units < below);
    atLeast = below;
    if (alike.length < (options.isBusy ? whileBusy : merge)) continue;
    let units = 0;
    const chosen = alike.filter((segment) => {
      units += segment.units;
      return units <= MAX_UNITS;
    });
    if (chosen.length > 1) return chosen.map(({ id }) => id);
  }
  const share = options.isBusy ? DEAD_SHARE_WHILE_BUSY : DEAD_SHARE;
  const worn = sizes
    .filter(({ units, dead_share }) => dead_share > share && units >= MIN_UNITS_FOR_DEAD)
    .sort((a, b) => b.dead_share - a.dead_share);
  return worn.slice(0, 1).map(({ id }) => id);
}

/** What a unit that is gone is mapped to. */
const GONE = 0xffff;

/** Where the units of the old segments are in the new one. */
interface Mapping {
  parts: SegmentPart[];
  units: number;
  /** By segment: the new number of each of its units, in the order of what comes first in the new one. */
  segments: Map<string, Uint16Array>;
}

/** Puts one segment in place of some, with those of their chunks that are still there. Answers how many rows that deleted. */
async function replaceSegments(t: Transaction, ids: string[]): Promise<number> {
  const mapping = await mapUnits(t.trx, ids);
  const id = await drawSegmentId(t.trx);
  const writer = new RowWriter(mapping.units);
  const count = slicesAtOnce(mapping);
  let deleted = 0;
  for (let first = 0; first < SLICES; first += count) {
    const slices = { first, count };
    const taken = await takeSlices(t.trx, ids, slices);
    deleted += taken.length;
    const rows = mergeLists(taken, { mapping, writer, slices });
    await copyRows(t.client, {
      table: "gram_postings",
      columns: POSTING_COLUMNS,
      rows: rows.map(({ key, data }) => [key, id, data]),
    });
  }
  await sql`delete from gram_segments where id = any(${ids}::bigint[])`.execute(t.trx);
  if (mapping.units > 0) await storeSegment(t, { id, parts: mapping.parts, postings: null });
  return deleted;
}

interface OldPart extends SegmentPart {
  segment_id: string;
}

async function mapUnits(trx: Kysely<Tables>, ids: string[]): Promise<Mapping> {
  const { rows } = await sql<{ segment_id: string; repository_id: string; members: Buffer }>`
    select segment_id, repository_id, members from gram_parts
    where segment_id = any(${ids}::bigint[]) order by segment_id, position for update`.execute(trx);
  const old: OldPart[] = rows.map(({ members, ...part }) => ({ ...part, blobs: decodeMembers(members) }));
  const live = new Map<MemberBlob, { repository_id: string }>();
  for (const { repository_id, blobs } of old) {
    const there = await readLive(trx, repository_id, blobs);
    for (const blob of blobs) if (there.has(blob.first)) live.set(blob, { repository_id });
  }
  return numberUnits(old, live);
}

/** Which of these blobs (by their first chunks) are still there: the chunks of a blob go together. */
async function readLive(
  trx: Kysely<Tables>,
  repositoryId: string,
  blobs: MemberBlob[],
): Promise<ReadonlySet<number>> {
  const { rows } = await sql<{ id: number }>`
    select id::float8 as id from chunks
    where repository_id = ${repositoryId} and id = any(${blobs.map(({ first }) => first)}::bigint[])`.execute(
    trx,
  );
  return new Set(rows.map(({ id }) => id));
}

function numberUnits(old: OldPart[], live: Map<MemberBlob, { repository_id: string }>): Mapping {
  const byRepository = Map.groupBy([...live.keys()], (blob) => live.get(blob)?.repository_id ?? "");
  const repositories = [...byRepository.keys()].sort((a, b) => Number(BigInt(a) - BigInt(b)));
  const parts = repositories.map((repository_id) => ({
    repository_id,
    blobs: (byRepository.get(repository_id) ?? []).sort((a, b) => a.first - b.first),
  }));
  const starts = new Map<MemberBlob, number>();
  let units = 0;
  for (const blob of parts.flatMap(({ blobs }) => blobs)) {
    starts.set(blob, units);
    units += blob.units.length;
  }
  const segments = Map.groupBy(old, ({ segment_id }) => segment_id)
    .entries()
    .map(([id, own]): [string, Uint16Array] => [id, newNumbers(own, starts)])
    .toArray()
    .sort(([, a], [, b]) => (a.find((unit) => unit !== GONE) ?? 0) - (b.find((unit) => unit !== GONE) ?? 0));
  return { parts, units, segments: new Map(segments) };
}

function newNumbers(parts: OldPart[], starts: Map<MemberBlob, number>): Uint16Array {
  const numbers: number[] = [];
  for (const blob of parts.flatMap(({ blobs }) => blobs)) {
    const start = starts.get(blob);
    blob.units.forEach((_, i) => {
      numbers.push(start === undefined ? GONE : start + i);
    });
  }
  return Uint16Array.from(numbers);
}

/** Some slices of the keys that follow one another. */
interface Slices {
  first: number;
  count: number;
}

/** Units times slices that are merged at once: some megabytes, and a moment of the event loop. */
const UNITS_TIMES_SLICES = 65_536;

/** How many slices to take at once, a power of two: each costs two statements. */
function slicesAtOnce({ segments }: Mapping): number {
  const units = segments.values().reduce((sum, numbers) => sum + numbers.length, 1);
  let count = SLICES;
  while (count > 1 && units * count > UNITS_TIMES_SLICES) count /= 2;
  return count;
}

/** Deletes the rows of some slices and answers them. */
async function takeSlices(
  trx: Kysely<Tables>,
  ids: string[],
  { first, count }: Slices,
): Promise<(PostingRow & { segment_id: string })[]> {
  const inSlice = sql.join(
    rowsOfSlices(first, count).map(([from, to]) => sql`key between ${sql.lit(from)} and ${sql.lit(to)}`),
    sql` or `,
  );
  const { rows } = await sql<PostingRow & { segment_id: string }>`
    delete from gram_postings where (${inSlice}) and segment_id = any(${ids}::bigint[])
    returning key, segment_id, data`.execute(trx);
  return rows;
}

interface MappedList {
  list: PostingList;
  mapped: Uint16Array;
}

function mergeLists(
  rows: (PostingRow & { segment_id: string })[],
  { mapping, writer, slices }: { mapping: Mapping; writer: RowWriter; slices: Slices },
): PostingRow[] {
  const [[firstKey, lastKey] = [0, 0]] = rowsOfSlices(slices.first, slices.count);
  const lists: MappedList[][] = [];
  lists.length = lastKey - firstKey + 1;
  const bySegment = Map.groupBy(rows, ({ segment_id }) => segment_id);
  for (const [id, mapped] of mapping.segments) {
    for (const row of bySegment.get(id) ?? []) {
      readRow(row, (key, list) => {
        const own = lists[key - firstKey];
        if (own) own.push({ list, mapped });
        else lists[key - firstKey] = [{ list, mapped }];
        return true;
      });
    }
  }
  const merged: PostingRow[] = [];
  lists.forEach((own, i) => {
    let length = 0;
    for (const { list, mapped } of own) length = addMapped(list, mapped, numbers, length);
    const all = numbers.subarray(0, length);
    if (!isAscending(all)) all.sort();
    if (length > 0) merged.push(...writer.add(firstKey + i, all, 0, length));
  });
  merged.push(...writer.end());
  return merged;
}

const decoded = new Uint16Array(UNITS_EVER);
const numbers = new Uint16Array(UNITS_EVER);

/** Adds the new numbers of a list's units to `into` from `length` on; answers where they end. */
function addMapped(list: PostingList, mapped: Uint16Array, into: Uint16Array, length: number): number {
  let end = length;
  const add = (unit: number | undefined) => {
    if (unit === undefined || unit === GONE) return;
    into[end] = unit;
    end += 1;
  };
  if (list.k === EVERYWHERE) for (const unit of mapped) add(unit);
  else {
    const count = decodeList(list, decoded);
    for (let i = 0; i < count; i += 1) add(mapped[decoded[i] as number]);
  }
  return end;
}

function isAscending(list: Uint16Array): boolean {
  for (let i = 1; i < list.length; i += 1) if ((list[i - 1] as number) >= (list[i] as number)) return false;
  return true;
}

/** Compacts whenever segments were added, and now and then without: on every replica, since one does it at a time. */
export class CompactionLoop {
  readonly #connection: Connection;
  readonly #log: Logger;
  #wake = Promise.withResolvers<void>();
  #stopping = false;
  #listener: Listener | undefined;
  #loop: Promise<void> | undefined;
  #replacedRows = 0;

  constructor({ connection, log }: { connection: Connection; log: Logger }) {
    this.#connection = connection;
    this.#log = log;
  }

  start(): void {
    const wake = () => this.#wake.resolve();
    this.#listener = this.#connection.listen([SEGMENTS_CHANNEL], wake, wake);
    this.#loop = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    this.#wake.resolve();
    await this.#listener?.close();
    await this.#loop;
  }

  async #run(): Promise<void> {
    while (!this.#stopping) {
      this.#wake = Promise.withResolvers();
      try {
        for (let replaced = -1; replaced !== 0 && !this.#stopping; ) replaced = await this.#compact();
      } catch (err) {
        if (!this.#stopping) this.#log.warn({ err }, "segments of the search index could not be compacted");
      }
      await eventOrTimeout(this.#wake.promise, POLL_MS * (0.5 + Math.random()));
    }
  }

  async #compact(): Promise<number> {
    const startedAt = performance.now();
    const { segments, rows } = await compactOnce(this.#connection);
    if (segments > 0) {
      const duration_ms = Math.round(performance.now() - startedAt);
      this.#log.debug({ replaced: segments, duration_ms }, "segments of the search index compacted");
    }
    this.#replacedRows += rows;
    if (this.#replacedRows >= VACUUM_ROWS) {
      this.#replacedRows = 0;
      await sql`vacuum (skip_locked) gram_postings`.execute(this.#connection.db);
    }
    return segments;
  }
}
