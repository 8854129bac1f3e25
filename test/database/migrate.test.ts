import { cpSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { sql } from "kysely";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Connection } from "../../src/database/connect.ts";
import { isMigrated, migrate, SchemaTooNew } from "../../src/database/migrate.ts";
import { useDatabase } from "../support/database.ts";
import { captureLog } from "../support/log.ts";

const MIGRATIONS = path.join(import.meta.dirname, "../../migrations");
const OURS = readdirSync(MIGRATIONS)
  .map((file) => path.basename(file, ".sql"))
  .sort();
const NEWEST = OURS.at(-1) ?? "";

const database = useDatabase();
const { log } = captureLog();
let connection: Connection;
let folder: string;

beforeEach(async () => {
  ({ connection } = await database.createDatabase());
  folder = mkdtempSync(path.join(os.tmpdir(), "migrations-"));
  cpSync(MIGRATIONS, folder, { recursive: true });
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

describe("an empty database", () => {
  beforeEach(async () => {
    await sql`drop schema public cascade`.execute(connection.db);
    await sql`create schema public`.execute(connection.db);
  });

  test("gets every migration, once", async () => {
    const first = await migrate(connection, { log });
    const second = await migrate(connection, { log });

    expect(first).toEqual({ applied: OURS });
    expect(second).toEqual({ applied: [] });
  });

  test("is not migrated before, and is afterwards", async () => {
    const before = await isMigrated(connection.db);
    await migrate(connection, { log });
    const after = await isMigrated(connection.db);

    expect([before, after]).toEqual([false, true]);
  });

  test("that holds an index gets numbers for its chunks, blob by blob", async () => {
    for (const file of readdirSync(folder)) if (file > "0005") rmSync(path.join(folder, file));
    await migrate(connection, { folder, log });
    await sql
      .raw(`
      insert into installations (id) values (1);
      insert into repositories (id, installation_id, owner, name) values (7, 1, 'o', 'seven'), (8, 1, 'o', 'eight');
      insert into blobs (repository_id, sha, size, state, chunk_count, run_id)
        select r, decode(repeat(s || '0', 20), 'hex'), 1, case n when 0 then 'binary' else 'indexed' end, n, 1
        from (values (7, 'a', 2), (7, 'b', 0), (7, 'c', 3), (8, 'a', 1)) as blob (r, s, n);
      insert into chunks (repository_id, sha, ordinal, start_line, text)
        select repository_id, sha, ordinal, ordinal * 10 + 1, concat_ws('/', repository_id, encode(sha, 'hex'), ordinal)
        from blobs, generate_series(0, chunk_count - 1) ordinal;
    `)
      .execute(connection.db);

    await migrate(connection, { log });

    const { rows } = await sql<{ id: string; first_chunk: string; text: string; start_line: number }>`
      select c.repository_id, c.id, b.first_chunk, c.text, c.start_line
      from chunks c join blobs b using (repository_id, sha) order by c.repository_id, c.id`.execute(
      connection.db,
    );
    const [a, c] = ["a0".repeat(20), "c0".repeat(20)];
    expect(rows).toEqual([
      { repository_id: "7", id: "1", first_chunk: "1", text: `7/${a}/0`, start_line: 1 },
      { repository_id: "7", id: "2", first_chunk: "1", text: `7/${a}/1`, start_line: 11 },
      { repository_id: "7", id: "3", first_chunk: "3", text: `7/${c}/0`, start_line: 1 },
      { repository_id: "7", id: "4", first_chunk: "3", text: `7/${c}/1`, start_line: 11 },
      { repository_id: "7", id: "5", first_chunk: "3", text: `7/${c}/2`, start_line: 21 },
      { repository_id: "8", id: "1", first_chunk: "1", text: `8/${a}/0`, start_line: 1 },
    ]);
  });

  test("gets each migration from only one of several that start at once", async () => {
    const migrators = [1, 2, 3].map(() => migrate(connection, { log }));

    const applied = (await Promise.all(migrators)).flatMap((answer) => answer.applied);

    expect(applied).toEqual(OURS);
  });

  test("stays empty when one of the migrations fails, and the error names that one", async () => {
    addMigration("9998_fine", "create table fine ();");
    addMigration("9999_broken", "create table half (); select 1 / 0;");

    const migrating = migrate(connection, { folder, log });

    await expect(migrating).rejects.toThrow("Migration 9999_broken failed.");
    const { rows } = await sql`select from pg_tables where tablename in ('runs', 'fine', 'half')`.execute(
      connection.db,
    );
    expect(rows).toEqual([]);
  });
});

describe("a migrated database", () => {
  test("gets only the migrations that are new", async () => {
    addMigration("9999_next", "create table next ();");

    const before = await isMigrated(connection.db, folder);
    const answer = await migrate(connection, { folder, log });
    const after = await isMigrated(connection.db, folder);

    expect(answer).toEqual({ applied: ["9999_next"] });
    expect([before, after]).toEqual([false, true]);
  });

  test("of a newer version serves this one while it is compatible, and the log says so", async () => {
    addMigration("9999_next", "create table next ();");
    await migrate(connection, { folder, log });
    const captured = captureLog();

    const answer = await migrate(connection, { log: captured.log });

    expect(answer).toEqual({ applied: [] });
    expect(await isMigrated(connection.db)).toBe(true);
    expect(captured.lines).toContainEqual(
      expect.objectContaining({ level: 40, msg: expect.stringContaining("newer") }),
    );
  });

  test("of a newer version stops this one with a sentence once it is not compatible", async () => {
    addMigration("9999_next", "update schema_compatibility set compatible_from = '9999_next';");
    await migrate(connection, { folder, log });

    const migrating = migrate(connection, { log });

    await expect(migrating).rejects.toThrow(SchemaTooNew);
    await expect(migrating).rejects.toThrow(
      "it needs one that knows migration 9999_next. Start that version",
    );
  });

  test("says which version it is compatible with", async () => {
    const { rows } = await sql<{
      compatible_from: string;
    }>`select compatible_from from schema_compatibility`.execute(connection.db);

    expect(OURS).toContain(rows[0]?.compatible_from);
    expect((rows[0]?.compatible_from ?? "") <= NEWEST).toBe(true);
  });
});

function addMigration(name: string, text: string): void {
  writeFileSync(path.join(folder, `${name}.sql`), text);
}
