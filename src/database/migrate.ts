import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { type Kysely, sql } from "kysely";
import { type Migration, type MigrationProvider, Migrator } from "kysely/migration";
import type { Logger } from "pino";
import type { Connection } from "./connect.ts";
import type { Tables } from "./schema.ts";

const MIGRATIONS_FOLDER = path.join(import.meta.dirname, "../../migrations");

/** The database was migrated by a newer Repodex, and this one may not work on it any more. */
export class SchemaTooNew extends Error {
  override readonly name = "SchemaTooNew";
  constructor(compatibleFrom: string) {
    super(
      `The database was upgraded by a newer Repodex: it needs one that knows migration ${compatibleFrom}. ` +
        "Start that version, or restore the back-up made before the upgrade.",
    );
  }
}

/** Brings the schema up to date, forward only, under Kysely's lock. Answers the names of what was applied. */
export async function migrate(
  connection: Connection,
  { folder = MIGRATIONS_FOLDER, log }: { folder?: string; log: Logger },
): Promise<{ applied: string[] }> {
  const provider = sqlFiles(folder);
  const known = await migrationNames(folder);
  const migrator = new Migrator({ db: connection.db, provider });
  if ((await hasUnknownMigrations(connection.db, known)) && (await mayRunOnNewer(connection.db, known))) {
    log.warn("the database's schema is newer than this version, but still compatible with it");
    return { applied: [] };
  }
  const { error, results = [] } = await migrator.migrateToLatest();
  const failed = results.find((result) => result.status === "Error");
  if (failed) throw new Error(`Migration ${failed.migrationName} failed.`, { cause: error });
  if (error) throw error;
  const applied = results.map((result) => result.migrationName);
  if (applied.length > 0) log.info({ applied }, "database migrated");
  return { applied };
}

/** Whether every migration this binary knows has been applied. */
export async function isMigrated(db: Kysely<Tables>, folder = MIGRATIONS_FOLDER): Promise<boolean> {
  const known = await migrationNames(folder); // the names alone: this is asked every few seconds
  const applied = new Set(await appliedMigrations(db));
  return known.every((name) => applied.has(name));
}

async function migrationNames(folder: string): Promise<string[]> {
  const files = (await readdir(folder)).filter((file) => file.endsWith(".sql"));
  return files.map((file) => path.basename(file, ".sql")).sort();
}

function sqlFiles(folder: string): MigrationProvider {
  return {
    async getMigrations() {
      const names = await migrationNames(folder);
      const migrations = names.map(async (name): Promise<[string, Migration]> => {
        const text = await readFile(path.join(folder, `${name}.sql`), "utf8");
        return [name, { up: (db) => runScript(db, text) }];
      });
      return Object.fromEntries(await Promise.all(migrations));
    },
  };
}

async function runScript(db: Kysely<unknown>, text: string): Promise<void> {
  await sql`set local statement_timeout = 0`.execute(db);
  await sql.raw(text).execute(db);
}

async function appliedMigrations(db: Kysely<Tables>): Promise<string[]> {
  const { rows } = await sql<{
    there: boolean;
  }>`select to_regclass('kysely_migration') is not null as there`.execute(db);
  if (!rows[0]?.there) return [];
  return (await sql<{ name: string }>`select name from kysely_migration`.execute(db)).rows.map(
    ({ name }) => name,
  );
}

async function hasUnknownMigrations(db: Kysely<Tables>, known: string[]): Promise<boolean> {
  return (await appliedMigrations(db)).some((name) => !known.includes(name));
}

async function mayRunOnNewer(db: Kysely<Tables>, known: string[]): Promise<boolean> {
  const { rows } = await sql<{
    compatible_from: string;
  }>`select compatible_from from schema_compatibility`.execute(db);
  const compatibleFrom = rows[0]?.compatible_from ?? "";
  if (compatibleFrom > (known.at(-1) ?? "")) throw new SchemaTooNew(compatibleFrom);
  return true;
}
