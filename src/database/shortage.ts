import type { StoredError } from "./schema.ts";

/** What keeps the database server from serving, and for how long a scan then waits. */
export interface Shortage extends StoredError {
  waitMs: number;
}

const ROOM_MS = 30_000;
const RESTART_MS = 1_000;

/** What the server ran out of or is doing, by its error code, and what its operator can do. postgresql.org, classes 53 and 57. */
const SHORTAGES: Record<string, Pick<Shortage, "code" | "message" | "waitMs">> = {
  "53100": {
    code: "database_full",
    message: "The database's disk is full. Make room there: the scan then goes on by itself.",
    waitMs: ROOM_MS,
  },
  "53200": {
    code: "database_memory",
    message: "The database ran out of memory. Give its server more, or lower RUN_SLOTS.",
    waitMs: ROOM_MS,
  },
  "53300": {
    code: "database_connections",
    message: "The database takes no more connections. Raise its max_connections, or lower RUN_SLOTS.",
    waitMs: ROOM_MS,
  },
  "57P01": {
    code: "database_restarted",
    message:
      "The database server closed the scan's connection, as when it is restarted. The scan goes on by itself.",
    waitMs: RESTART_MS,
  },
  "57P03": {
    code: "database_starting",
    message: "The database server is being started or stopped. The scan goes on by itself.",
    waitMs: RESTART_MS,
  },
};

/** The sentence for an error that says that the database server cannot serve for now; null for any other error. */
export function describeShortage(error: unknown): Shortage | null {
  if (!(error instanceof Error) || !("code" in error)) return null;
  const shortage = SHORTAGES[String(error.code)];
  return shortage ? { ...shortage, cause: error.message } : null;
}
