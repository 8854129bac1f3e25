import { type Kysely, sql, type Transaction } from "kysely";
import { expect } from "vitest";
import type { Tables } from "../../src/database/schema.ts";
import { decodeMembers } from "../../src/grams/members.ts";
import { decodeList, EVERYWHERE } from "../../src/grams/posting.ts";
import { readRow, UNITS_EVER } from "../../src/grams/segment.ts";
import { pathLine, textOfUnit, UnitIndexer, unitsOf } from "../../src/grams/unit.ts";

type Db = Transaction<Tables>;

/** Texts that are read at once, by their chunks. */
const CHUNKS_AT_ONCE = 4_000;

/**
 * Holds the search index of a repository against its texts: every key of every unit leads to it, and so do all paths.
 * In one snapshot, since segments are merged at any time.
 */
export async function expectSearchable(db: Kysely<Tables>, repositoryId: string): Promise<void> {
  await db
    .transaction()
    .setIsolationLevel("repeatable read")
    .execute(async (trx) => {
      const left = await readChunkNumbers(trx, repositoryId);
      const { rows: segments } = await sql<{ segment_id: string; units: number }>`
        select id as segment_id, units from gram_segments
        where id in (select segment_id from gram_parts where repository_id = ${repositoryId})`.execute(trx);
      for (const segment of segments) {
        const own = { repositoryId, ...segment };
        const blobs = (await readOwnBlobs(trx, own)).filter(({ first }) => left.has(first));
        for (const blob of blobs) for (const chunk of chunksOf(blob)) left.delete(chunk);
        await expectKeys(trx, { ...own, blobs });
      }
      expect([...left].slice(0, 5), "chunks that are in no segment").toEqual([]);
      await expectPaths(trx, repositoryId);
    });
}

/** The numbers of all chunks that must be found. */
async function readChunkNumbers(db: Db, repositoryId: string): Promise<Set<number>> {
  const { rows } = await sql<{ id: number }>`
    select id::float8 as id from chunks c where repository_id = ${repositoryId}
      and (sha is null or exists (select from files f where f.repository_id = c.repository_id and f.sha = c.sha and f.state = 'indexed'))`.execute(
    db,
  );
  return new Set(rows.map(({ id }) => id));
}

function chunksOf({ first, chunks }: { first: number; chunks: number }): number[] {
  return Array.from({ length: chunks }, (_, i) => first + i);
}

interface OwnBlob {
  first: number;
  chunks: number;
  /** The number of its first unit in the segment. */
  unit: number;
  units: number;
}

interface OwnSegment {
  repositoryId: string;
  segment_id: string;
  /** Of the whole segment. */
  units: number;
}

/** What of a repository is in a segment, and where. */
async function readOwnBlobs(db: Db, { repositoryId, segment_id }: OwnSegment): Promise<OwnBlob[]> {
  const { rows } = await sql<{ repository_id: string; members: Buffer }>`
    select repository_id, members from gram_parts where segment_id = ${segment_id} order by position`.execute(
    db,
  );
  const own: OwnBlob[] = [];
  let unit = 0;
  for (const { repository_id, members } of rows) {
    for (const { first, units } of decodeMembers(members)) {
      const chunks = units.reduce((sum, size) => sum + size, 0);
      if (repository_id === repositoryId) own.push({ first, chunks, unit, units: units.length });
      unit += units.length;
    }
  }
  return own;
}

async function expectKeys(db: Db, segment: OwnSegment & { blobs: OwnBlob[] }): Promise<void> {
  const expected = await expectedPairs(db, segment);
  const found = await foundPairs(db, segment);
  const missing: string[] = [];
  let at = 0;
  for (const pair of expected) {
    while ((found[at] ?? Number.POSITIVE_INFINITY) < pair) at += 1;
    if (found[at] !== pair) missing.push(`unit ${pair % UNITS_EVER} key ${Math.floor(pair / UNITS_EVER)}`);
  }
  expect(missing.slice(0, 5), "units that a key does not lead to").toEqual([]);
}

/** Every key of every unit of these blobs, as key × UNITS_EVER + unit, in order. */
async function expectedPairs(
  db: Db,
  { repositoryId, blobs }: OwnSegment & { blobs: OwnBlob[] },
): Promise<Float64Array> {
  const pairs: Float64Array[] = [];
  for (const some of inBatches(blobs)) {
    const indexer = new UnitIndexer();
    for (const { first, texts } of await readChunks(db, { repositoryId, blobs: some }))
      indexer.add(texts, { first });
    const { keys, counts } = indexer.take();
    const units = some.flatMap(({ unit, units: count }) => Array.from({ length: count }, (_, i) => unit + i));
    expect(counts.length).toBe(units.length);
    const own = new Float64Array(keys.length);
    let at = 0;
    for (const [i, count] of counts.entries()) {
      for (const end = at + count; at < end; at += 1)
        own[at] = (keys[at] as number) * UNITS_EVER + (units[i] as number);
    }
    pairs.push(own);
  }
  return joined(pairs);
}

/** Every key that leads to a unit of these blobs, in the same form. */
async function foundPairs(
  db: Db,
  { segment_id, units, blobs }: OwnSegment & { blobs: OwnBlob[] },
): Promise<Float64Array> {
  const isOwn = new Uint8Array(units);
  for (const { unit, units: count } of blobs) isOwn.fill(1, unit, unit + count);
  const all = Uint16Array.from({ length: units }, (_, unit) => unit);
  const { rows } = await sql<{ key: number; data: Buffer }>`
    select key, data from gram_postings where segment_id = ${segment_id}`.execute(db);
  const numbers = new Uint16Array(UNITS_EVER);
  const pairs = rows.map((row) => {
    const own: number[] = [];
    readRow(row, (key, list) => {
      const found = list.k === EVERYWHERE ? all : numbers.subarray(0, decodeList(list, numbers));
      for (const unit of found) if (isOwn[unit]) own.push(key * UNITS_EVER + unit);
      return true;
    });
    return Float64Array.from(own);
  });
  return joined(pairs);
}

function joined(pieces: Float64Array[]): Float64Array {
  const all = new Float64Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all.sort();
}

function* inBatches(blobs: OwnBlob[]): Generator<OwnBlob[]> {
  let batch: OwnBlob[] = [];
  let chunks = 0;
  for (const blob of blobs) {
    if (chunks > 0 && chunks + blob.chunks > CHUNKS_AT_ONCE) {
      yield batch;
      [batch, chunks] = [[], 0];
    }
    batch.push(blob);
    chunks += blob.chunks;
  }
  if (batch.length > 0) yield batch;
}

/** The chunks of blobs, in the order of the blobs. */
async function readChunks(db: Db, { repositoryId, blobs }: { repositoryId: string; blobs: OwnBlob[] }) {
  const ids = blobs.flatMap(chunksOf);
  const { rows } = await sql<{ id: number; start_column: number; text: string }>`
    select id::float8 as id, start_column, text from chunks
    where repository_id = ${repositoryId} and id = any(${ids}::bigint[])`.execute(db);
  const byId = new Map(rows.map((row) => [row.id, row]));
  return blobs.map((blob) => ({
    first: blob.first,
    texts: chunksOf(blob).map((id) => byId.get(id) ?? { start_column: 0, text: "" }),
  }));
}

async function expectPaths(db: Db, repositoryId: string): Promise<void> {
  const { rows } = await sql<{ start_column: number; text: string }>`
    select start_column, text from chunks where repository_id = ${repositoryId} and sha is null order by id`.execute(
    db,
  );
  const lines = new Set(unitsOf(rows).flatMap((unit) => textOfUnit(unit).split("\n")));
  const files = await db
    .selectFrom("files")
    .select("path")
    .where("repository_id", "=", repositoryId)
    .execute();
  expect(
    files.map(({ path }) => pathLine(path)).filter((path) => !lines.has(path)),
    "paths that are in no chunk",
  ).toEqual([]);
}
