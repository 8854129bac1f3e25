import type { StoredError } from "./schema.ts";

/** What the database server ran out of, by its error code, and what its operator can do. postgresql.org, class 53. */
const SHORTAGES: Record<string, { code: string; message: string }> = {
  "53100": {
    code: "database_full",
    message: "The database's disk is full. Make room there: the scan then goes on by itself.",
  },
  "53200": {
    code: "database_memory",
    message: "The database ran out of memory. Give its server more, or lower RUN_SLOTS.",
  },
  "53300": {
    code: "database_connections",
    message: "The database takes no more connections. Raise its max_connections, or lower RUN_SLOTS.",
  },
};

/** The sentence for an error that says that the database server lacks something; null for any other error. */
export function describeShortage(error: unknown): StoredError | null {
  if (!(error instanceof Error) || !("code" in error)) return null;
  const shortage = SHORTAGES[String(error.code)];
  return shortage ? { ...shortage, cause: error.message } : null;
}
