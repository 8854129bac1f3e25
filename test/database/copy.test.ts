import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { transaction } from "../../src/database/connect.ts";
import { type Column, copyRows, NulInText } from "../../src/database/copy.ts";
import { useDatabase } from "../support/database.ts";

const database = useDatabase();

const COLUMNS: Column[] = [
  { name: "n", type: "int4" },
  { name: "big", type: "int8" },
  { name: "yes", type: "bool" },
  { name: "words", type: "text" },
  { name: "bytes", type: "bytea" },
  { name: "real", type: "float8" },
];

type Row = [number | null, bigint | null, boolean | null, string | null, Buffer | null, number | null];

const text = fc.string({ unit: "binary", maxLength: 200 }).filter((value) => !value.includes("\0"));
const row: fc.Arbitrary<Row> = fc.tuple(
  fc.option(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })),
  fc.option(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })),
  fc.option(fc.boolean()),
  fc.option(text),
  fc.option(fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes))),
  fc.option(fc.double()),
);

describe("copyRows", () => {
  test("stores every value of every type as it was given", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(row, { maxLength: 30 }), async (rows) => {
        const { count, stored } = await copyAndRead(rows);

        expect(count).toBe(rows.length);
        expect(stored).toEqual(
          rows.map(([n, big, yes, words, bytes, real]) => ({
            n,
            big: big?.toString() ?? null,
            yes,
            words,
            bytes,
            real,
          })),
        );
      }),
      { numRuns: 150 },
    );
  });

  test("takes int8 as number or decimal string, text as bytes, and undefined as null", async () => {
    const given = [
      [1, 7, undefined, Buffer.from("é"), undefined, undefined],
      [2, "9007199254740993", undefined, "\ud800", undefined, undefined],
    ];

    const { stored } = await copyAndRead(given);

    expect(stored).toEqual([
      { n: 1, big: "7", yes: null, words: "é", bytes: null, real: null },
      { n: 2, big: "9007199254740993", yes: null, words: "\ufffd", bytes: null, real: null },
    ]);
  });

  test("sends rows far larger than its buffer, in order", async () => {
    const sizes = [0, 262_143, 262_144, 3_000_000, 1, 524_289];
    const given = sizes.map((size, n) => [n, null, null, "x".repeat(size), Buffer.alloc(size, n), null]);

    const { stored } = await copyAndRead(given);

    expect(stored.map(({ words }) => words?.length)).toEqual(sizes);
    expect(stored.map(({ bytes }, n) => bytes?.equals(Buffer.alloc(sizes[n] ?? 0, n)))).toEqual(
      sizes.map(() => true),
    );
  });

  test("draws many rows from a generator, and counts them", async () => {
    function* many() {
      for (let n = 0; n < 100_000; n++) yield [n, n, true, `row ${n}`, null, n / 2];
    }

    const answer = await transaction(database.connection, async ({ client }) => {
      await client.query(CREATE);
      const count = await copyRows(client, { table: "copied", columns: COLUMNS, rows: many() });
      const { rows } = await client.query(
        "select count(*)::int as stored, sum(big)::text as sum from copied",
      );
      return { count, ...rows[0] };
    });

    expect(answer).toEqual({ count: 100_000, stored: 100_000, sum: "4999950000" });
  });

  test.each([
    ["a string", "a\0b"],
    ["bytes", Buffer.from("a\0b")],
  ])("names the column of a NUL in %s, and leaves the connection usable", async (_, value) => {
    const answer = await transaction(database.connection, async ({ client }) => {
      await client.query(CREATE);
      await client.query("savepoint before");
      const rows = [[1, null, null, value, null, null]];
      const error = await copyRows(client, { table: "copied", columns: COLUMNS, rows }).catch(
        (e: unknown) => e,
      );
      await client.query("rollback to before");
      return { error, rows: (await client.query("select * from copied")).rows };
    });

    expect(answer.error).toBeInstanceOf(NulInText);
    expect(String(answer.error)).toContain("column words");
    expect(answer.rows).toEqual([]);
  });

  test("stores nothing when the rows fail on the way, even outside a transaction", async () => {
    function* failing() {
      for (let n = 0; n < 50_000; n++) yield [n, n, true, "x".repeat(100), null, null];
      throw new Error("the tarball broke");
    }
    const { pool } = (await database.createDatabase()).connection;
    await pool.query(CREATE.replace("temp", "").replace("on commit drop", ""));
    const client = await pool.connect();

    const copying = copyRows(client, { table: "copied", columns: COLUMNS, rows: failing() });

    await expect(copying).rejects.toThrow("the tarball broke");
    expect((await client.query("select * from copied")).rows).toEqual([]);
    client.release();
  });

  test("reports the server's refusal while rows are still being sent", async () => {
    function* refused() {
      for (let n = 0; n < 200_000; n++) yield [n % 10, n, true, "x".repeat(100), null, null];
    }

    const copying = transaction(database.connection, async ({ client }) => {
      await client.query(CREATE);
      await client.query("alter table copied add constraint copied_n unique (n)");
      await copyRows(client, { table: "copied", columns: COLUMNS, rows: refused() });
    });

    await expect(copying).rejects.toMatchObject({ code: "23505", constraint: "copied_n" });
  });
});

const CREATE = `create temp table copied
  (at int generated always as identity, n int4, big int8, yes bool, words text, bytes bytea, real float8) on commit drop`;

interface Stored {
  n: number | null;
  big: string | null;
  yes: boolean | null;
  words: string | null;
  bytes: Buffer | null;
  real: number | null;
}

async function copyAndRead(given: unknown[][]): Promise<{ count: number; stored: Stored[] }> {
  return transaction(database.connection, async ({ client }) => {
    await client.query(CREATE);
    const count = await copyRows(client, { table: "copied", columns: COLUMNS, rows: given });
    const { rows } = await client.query<Stored>(
      "select n, big, yes, words, bytes, real from copied order by at",
    );
    return { count, stored: rows };
  });
}
