import type { FilePlace } from "./files.ts";
import type { Place } from "./segments.ts";

/** Where the next page of an answer begins. */
export type Cursor =
  /** After a file of a blob; without one, after all of them. */
  | { kind: "blob"; place: Place; file: Pick<FilePlace, "path" | "path_base64"> | null }
  /** After a file that was found by its name. */
  | { kind: "file"; place: FilePlace }
  /** So many files into a group of a window that begins after a blob. */
  | { kind: "ranked"; tier: number; after: Place | null; group: number; offset: number };

/** A cursor that no answer gave. */
export class BadCursor extends Error {
  override readonly name = "BadCursor";
  constructor() {
    super("cursor must be the next_cursor of an earlier answer to the same query.");
  }
}

export function writeCursor(cursor: Cursor): string {
  return Buffer.from(JSON.stringify(cursor)).toString("base64url");
}

/** The cursor that an answer gave, or null where none is given. */
export function readCursor(text: string | null): Cursor | null {
  if (text === null) return null;
  try {
    const value: unknown = JSON.parse(Buffer.from(text, "base64url").toString());
    if (isCursor(value)) return value;
  } catch {
    // what is not JSON is no cursor of ours either
  }
  throw new BadCursor();
}

/** A cursor of one of the kinds that a query's answers give. */
export function ofKind<K extends Cursor["kind"]>(
  cursor: Cursor | null,
  kinds: readonly K[],
): Extract<Cursor, { kind: K }> | null {
  if (cursor === null) return null;
  if (kinds.some((kind) => kind === cursor.kind)) return cursor as Extract<Cursor, { kind: K }>;
  throw new BadCursor();
}

function isCursor(value: unknown): value is Cursor {
  if (!isObject(value)) return false;
  switch (value.kind) {
    case "blob":
      return isPlace(value.place) && (value.file === null || isName(value.file));
    case "file": {
      const { place } = value;
      if (!isObject(place) || !isName(place)) return false;
      return typeof place.repository_id === "string" && /^\d{1,18}$/.test(place.repository_id);
    }
    case "ranked":
      return (
        [value.tier, value.group, value.offset].every(Number.isSafeInteger) &&
        (value.group as number) >= 0 &&
        (value.offset as number) >= 0 &&
        (value.after === null || isPlace(value.after))
      );
    default:
      return false;
  }
}

function isPlace(value: unknown): value is Place {
  return isObject(value) && Number.isSafeInteger(value.repository) && Number.isSafeInteger(value.first);
}

function isName(value: unknown): boolean {
  return isObject(value) && isText(value.path) && (value.path_base64 === null || isText(value.path_base64));
}

function isText(value: unknown): value is string {
  return typeof value === "string" && !value.includes("\0");
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
