import { type Kysely, sql } from "kysely";
import type { Tables } from "../database/schema.ts";
import { DEFAULT_SETTINGS, type Settings, type SettingsFault } from "./settings.ts";

/** What the last look at a repository's configuration said. */
export interface KnownSettings {
  /** The last good ones: those in force. */
  settings: Settings;
  /** The file that was judged, null where there was none. */
  sha: string | null;
  /** The default branch's commit that it was judged at; null: it must be judged anew. */
  commit: string | null;
  /** Why the file that was judged is not in force. */
  faults: SettingsFault[];
}

/** Settings as they are stored, those of an older version too. */
export function storedSettings(stored: Partial<Settings> | null): Settings {
  return { ...DEFAULT_SETTINGS, ...stored };
}

export async function readSettings(db: Kysely<Tables>, repositoryId: string): Promise<KnownSettings> {
  const row = await db
    .selectFrom("repositories")
    .select(["settings", "settings_sha as sha", "settings_commit as commit", "settings_faults as faults"])
    .where("id", "=", repositoryId)
    .executeTakeFirstOrThrow();
  return { ...row, settings: storedSettings(row.settings) };
}

/** Puts settings in force. In a fenced transaction. */
export async function recordSettings(
  trx: Kysely<Tables>,
  repositoryId: string,
  { settings, sha, commit, faults }: KnownSettings,
): Promise<void> {
  await trx
    .updateTable("repositories")
    .set({
      settings: JSON.stringify(settings),
      settings_sha: sha,
      settings_commit: commit,
      settings_faults: JSON.stringify(faults),
    })
    .where("id", "=", repositoryId)
    .execute();
}

/** The mistakes that a run has to tell. In a fenced transaction. */
export async function recordFaults(
  trx: Kysely<Tables>,
  runId: string,
  faults: SettingsFault[],
): Promise<void> {
  await trx
    .updateTable("runs")
    .set({ configuration_faults: JSON.stringify(faults) })
    .where("id", "=", runId)
    .execute();
}

/** The branch that a repository's configuration names; null: the default one is indexed. */
export async function readConfiguredBranch(db: Kysely<Tables>, repositoryId: string): Promise<string | null> {
  const row = await db
    .selectFrom("repositories")
    .select(sql<string | null>`settings ->> 'branch'`.as("branch"))
    .where("id", "=", repositoryId)
    .executeTakeFirst();
  return row?.branch ?? null;
}
