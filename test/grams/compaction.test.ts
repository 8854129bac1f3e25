import { sql } from "kysely";
import { describe, expect, test } from "vitest";
import { transaction } from "../../src/database/connect.ts";
import { encodeCopy } from "../../src/database/copy.ts";
import { compactOnce, forgetRepository } from "../../src/grams/compaction.ts";
import { POSTING_COLUMNS, rowsOfUnits } from "../../src/grams/segment.ts";
import { drawSegmentId, storeSegment } from "../../src/grams/store.ts";
import { UnitIndexer } from "../../src/grams/unit.ts";
import { useDatabase } from "../support/database.ts";
import { expectSearchable } from "../support/searchable.ts";
import { seedRepository } from "../support/seed.ts";

const database = useDatabase();

/** Stores texts of one chunk each as indexed files of a repository, in a segment of their own. */
async function addSegment(repository_id: string, { first, texts }: { first: number; texts: string[] }) {
  const { db } = database;
  const indexer = new UnitIndexer();
  for (const [i, text] of texts.entries()) {
    const id = first + i;
    const sha = Buffer.alloc(20);
    sha.writeUInt32BE(id);
    const file = {
      repository_id,
      path: `file ${id}`,
      path_bytes: null,
      mode: "100644",
      sha,
      size: 1,
      language: null,
    };
    await db
      .insertInto("files")
      .values({ ...file, state: "indexed", reason: null })
      .execute();
    const blob = {
      repository_id,
      sha,
      size: 1,
      state: "indexed" as const,
      encoding: "utf-8",
      chunk_count: 1,
      run_id: 1,
    };
    await db
      .insertInto("blobs")
      .values({ ...blob, first_chunk: id })
      .execute();
    await db.insertInto("chunks").values({ repository_id, id, sha, start_line: 1, text }).execute();
    indexer.add([{ start_column: 0, text }], { first: id });
  }
  await storeIndexed(repository_id, indexer);
}

/** Stores what was indexed as a segment. */
async function storeIndexed(repository_id: string, indexer: UnitIndexer): Promise<void> {
  const { keys, counts, blobs } = indexer.take();
  const id = await drawSegmentId(database.db);
  const rows = rowsOfUnits([{ keys, counts }]).map((row) => [row.key, id, row.data]);
  const postings = [...encodeCopy(POSTING_COLUMNS, rows)];
  await transaction(database.connection, (t) =>
    storeSegment(t, { id, parts: [{ repository_id, blobs }], postings }),
  );
}

/** The paths' own chunks are none of these tests' matter. */
async function addPaths(repository_id: string): Promise<void> {
  const { db } = database;
  const files = await db
    .selectFrom("files")
    .select("path")
    .where("repository_id", "=", repository_id)
    .execute();
  await addPathChunk(repository_id, files.map(({ path }) => path).join("\n"));
}

async function addPathChunk(repository_id: string, text: string): Promise<void> {
  const indexer = new UnitIndexer();
  const id = 1_000_000;
  await database.db
    .insertInto("chunks")
    .values({ repository_id, id, sha: null, start_line: 1, text })
    .execute();
  indexer.add([{ start_column: 0, text }], { first: id, isPaths: true });
  await storeIndexed(repository_id, indexer);
}

async function segments(): Promise<number[]> {
  const rows = await database.db.selectFrom("gram_segments").select("units").orderBy("units").execute();
  return rows.map(({ units }) => units);
}

const textOf = (n: number) => `function number${n}() {\n  return ${n} * ${n % 7};\n}\n`;

describe("compaction", () => {
  test("merges small segments of many repositories, and everything is still found", async () => {
    for (let n = 0; n < 16; n += 1) {
      const id = await seedRepository(database.db, { id: String(900 - n), installation_id: "1" });
      await addSegment(id, {
        first: 1 + n,
        texts: Array.from({ length: 3 + n }, (_, i) => textOf(n * 100 + i)),
      });
    }

    expect((await compactOnce(database.connection)).segments).toBe(16);

    expect(await segments()).toEqual([16 * 3 + 120]);
    for (let n = 0; n < 16; n += 1) {
      await addPaths(String(900 - n));
      await expectSearchable(database.db, String(900 - n));
    }
    expect((await compactOnce(database.connection)).segments).toBe(17);
    for (let n = 0; n < 16; n += 1) await expectSearchable(database.db, String(900 - n));
  });

  test("leaves few segments alone", async () => {
    const id = await seedRepository(database.db);
    for (let n = 0; n < 7; n += 1) await addSegment(id, { first: 1 + n, texts: [textOf(n)] });

    expect((await compactOnce(database.connection)).segments).toBe(0);

    expect(await segments()).toHaveLength(7);
  });

  test("leaves out what is gone", async () => {
    const id = await seedRepository(database.db);
    await addSegment(id, { first: 1, texts: Array.from({ length: 40 }, (_, n) => textOf(n)) });
    await sql`delete from chunks where id % 4 = 0`.execute(database.db);
    await sql`delete from files using blobs where files.sha = blobs.sha and first_chunk % 4 = 0`.execute(
      database.db,
    );
    await sql`delete from blobs where first_chunk % 4 = 0`.execute(database.db);
    expect((await compactOnce(database.connection)).segments, "nothing is known to be gone").toBe(0);

    await sql`update gram_parts set dead = 10`.execute(database.db);
    expect((await compactOnce(database.connection)).segments).toBe(1);

    expect(await segments()).toEqual([30]);
    await addPaths(id);
    await expectSearchable(database.db, id);
    expect((await compactOnce(database.connection)).segments).toBe(0);
  });

  test("is done by one at a time", async () => {
    const id = await seedRepository(database.db);
    for (let n = 0; n < 16; n += 1) await addSegment(id, { first: 1 + n, texts: [textOf(n)] });

    const replaced = await Promise.all([1, 2, 3].map(() => compactOnce(database.connection)));

    expect(replaced.reduce((sum, { segments: count }) => sum + count, 0)).toBe(16);
    expect(await segments()).toEqual([16]);
  });

  test("forgets a repository whose chunks are deleted, in segments that it shared too", async () => {
    for (const id of ["100", "200"]) await seedRepository(database.db, { id });
    for (let n = 0; n < 16; n += 1) {
      await addSegment(n % 2 ? "100" : "200", { first: 1 + n, texts: [textOf(n)] });
    }
    await compactOnce(database.connection);
    await addSegment("100", { first: 50, texts: [textOf(50)] });
    await sql`delete from chunks where repository_id = 100`.execute(database.db);

    let steps = 0;
    while (await transaction(database.connection, (t) => forgetRepository(t, "100"))) steps += 1;

    expect(steps).toBe(2);
    expect(await segments()).toEqual([8]);
    const { rows } = await sql<{ n: number }>`
      select count(distinct segment_id)::int as n from gram_postings`.execute(database.db);
    expect(rows[0]?.n).toBe(1);
    await addPaths("200");
    await expectSearchable(database.db, "200");
  });
});
