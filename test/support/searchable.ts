import { type Kysely, sql } from "kysely";
import { expect } from "vitest";
import type { Tables } from "../../src/database/schema.ts";
import { decodeMembers } from "../../src/grams/members.ts";
import { decodeList, EVERYWHERE } from "../../src/grams/posting.ts";
import { readRow } from "../../src/grams/segment.ts";
import { pathLine, UnitIndexer } from "../../src/grams/unit.ts";

/** Holds the search index of a repository against its texts: every key of every unit leads to it, and so do all paths. */
export async function expectSearchable(db: Kysely<Tables>, repositoryId: string): Promise<void> {
  const { rows: blobs } = await sql<{ first: number; texts: { start_column: number; text: string }[] }>`
    select b.first_chunk::float8 as first,
      (select json_agg(json_build_object('start_column', start_column, 'text', text) order by id) from chunks c
        where c.repository_id = b.repository_id and id between first_chunk and first_chunk + chunk_count - 1) as texts
    from blobs b where repository_id = ${repositoryId} and chunk_count > 0
      and exists (select from files f where f.repository_id = b.repository_id and f.sha = b.sha and f.state = 'indexed')
    union all
    select id, json_build_array(json_build_object('start_column', 0, 'text', text))
    from chunks where repository_id = ${repositoryId} and sha is null`.execute(db);
  const indexed = blobs.map(({ first, texts }) => {
    const indexer = new UnitIndexer();
    indexer.add(texts, { first });
    return { first, ...indexer.take() };
  });
  const wanted = new Set(indexed.flatMap(({ keys }) => [...keys]));
  const { units, found } = await readSegments(db, { repositoryId, wanted });
  const missing: string[] = [];
  for (const { first, keys, counts, blobs: members } of indexed) {
    let chunk = first;
    let at = 0;
    for (const [i, count] of counts.entries()) {
      const places = units.get(chunk);
      for (const key of keys.subarray(at, at + count)) {
        if (!places?.some((place) => found.get(key)?.has(place))) missing.push(`chunk ${chunk} key ${key}`);
      }
      at += count;
      chunk += members[0]?.units[i] ?? 0;
    }
  }
  expect(missing.slice(0, 5), "units that a key does not lead to").toEqual([]);
  await expectPaths(db, repositoryId);
}

/** Where each chunk that begins a unit is, and which places each wanted key leads to. */
async function readSegments(
  db: Kysely<Tables>,
  { repositoryId, wanted }: { repositoryId: string; wanted: ReadonlySet<number> },
) {
  const own = sql`segment_id in (select segment_id from gram_parts where repository_id = ${repositoryId})`;
  const { rows: parts } = await sql<{ segment_id: string; repository_id: string; members: Buffer }>`
    select segment_id, repository_id, members from gram_parts where ${own} order by segment_id, position`.execute(
    db,
  );
  const units = new Map<number, string[]>();
  const sizes = new Map<string, number>();
  for (const { segment_id, repository_id, members } of parts) {
    let unit = sizes.get(segment_id) ?? 0;
    for (const { first, units: lengths } of decodeMembers(members)) {
      let chunk = first;
      for (const length of lengths) {
        const place = `${segment_id}/${unit}`;
        if (repository_id === repositoryId) units.set(chunk, [...(units.get(chunk) ?? []), place]);
        unit += 1;
        chunk += length;
      }
    }
    sizes.set(segment_id, unit);
  }
  const { rows } = await sql<{ segment_id: string; key: number; data: Buffer }>`
    select segment_id, key, data from gram_postings where ${own}`.execute(db);
  const found = new Map<number, Set<string>>();
  const numbers = new Uint16Array(65_536);
  for (const { segment_id, ...row } of rows) {
    expect(sizes.has(segment_id), "postings belong to a segment").toBe(true);
    readRow(row, (key, list) => {
      if (!wanted.has(key)) return true;
      const places = found.get(key) ?? new Set();
      found.set(key, places);
      const everywhere = list.k === EVERYWHERE;
      const count = everywhere ? (sizes.get(segment_id) ?? 0) : decodeList(list, numbers);
      for (let i = 0; i < count; i += 1) places.add(`${segment_id}/${everywhere ? i : numbers[i]}`);
      return true;
    });
  }
  return { units, found };
}

async function expectPaths(db: Kysely<Tables>, repositoryId: string): Promise<void> {
  const { rows } = await sql<{ text: string }>`
    select text from chunks where repository_id = ${repositoryId} and sha is null`.execute(db);
  const lines = new Set(rows.flatMap(({ text }) => text.split("\n")));
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
