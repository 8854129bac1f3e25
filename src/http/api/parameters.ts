import { z } from "@hono/zod-openapi";
import type { FilePosition } from "../../scan/read.ts";
import { badRequest } from "../problem.ts";

const DEFAULT_LIMIT = 50;
const MAX_LIMIT = 1_000;
const MAX_GLOB_LENGTH = 500;
const MAX_WILDCARDS = 20;
const MAX_BIGINT = 9_223_372_036_854_775_807n;

/** A numeric id out of the path; anything else names nothing. */
export const idParameters = z.object({
  id: z
    .string()
    .refine(isId, { error: "id must be a number." })
    .openapi({ pattern: "^[0-9]{1,19}$", example: "1296269" }),
});

function once(name: string) {
  return z.string({ error: `${name} must be given once.` }).optional();
}

/** A query parameter's text, or null; PostgreSQL takes no NUL. */
export function text(name: string, description: string) {
  return once(name)
    .refine((given) => !given?.includes("\0"), { error: `${name} must not hold a NUL character.` })
    .transform((given) => given || null)
    .openapi({ type: "string", description });
}

/** A whole number within bounds, or what it is where it is not given. */
export function wholeNumber<Fallback extends number | null>(
  name: string,
  options: { least: number; most: number; fallback: Fallback; description: string },
) {
  const { least, most, fallback, description } = options;
  const fits = (given: string) => /^\d+$/.test(given) && Number(given) >= least && Number(given) <= most;
  return once(name)
    .refine((given) => given === undefined || fits(given), {
      error: `${name} must be a whole number from ${least} to ${most}.`,
    })
    .transform((given): number | Fallback => (given === undefined ? fallback : Number(given)))
    .openapi({
      type: "integer",
      minimum: least,
      maximum: most,
      description,
      ...(fallback !== null && { default: fallback }),
    });
}

/** One of some words, or null. */
export function oneOf<Value extends string>(name: string, values: readonly Value[], description: string) {
  return once(name)
    .transform((given, context): Value | null => {
      if (!given) return null;
      const value = values.find((candidate) => candidate === given);
      if (value !== undefined) return value;
      context.addIssue({ code: "custom", message: `${name} must be one of ${values.join(", ")}.` });
      return z.NEVER;
    })
    .openapi({ type: "string", enum: [...values], description });
}

/** A path glob, bounded: what the database spends on each path grows with its length and its wildcards. */
export function glob(name: string, description: string) {
  const isBounded = (given: string) =>
    given.length <= MAX_GLOB_LENGTH && (given.match(/(?:\*\*\/)+|\*+|\?/g) ?? []).length <= MAX_WILDCARDS;
  return once(name)
    .refine((given) => !given?.includes("\0"), { error: `${name} must not hold a NUL character.` })
    .refine((given) => given === undefined || isBounded(given), {
      error: `${name} must be a glob of at most ${MAX_GLOB_LENGTH} characters with at most ${MAX_WILDCARDS} wildcards.`,
    })
    .transform((given) => given || null)
    .openapi({ type: "string", maxLength: MAX_GLOB_LENGTH, description });
}

export const limit = wholeNumber("limit", {
  least: 1,
  most: MAX_LIMIT,
  fallback: DEFAULT_LIMIT,
  description: "Rows a page",
});

/** A cursor is opaque to callers: the last row's key, as base64url JSON. */
export function cursor<Key>(isKey: (value: unknown) => value is Key) {
  return once("cursor")
    .transform((given, context): Key | null => {
      if (!given) return null;
      const key = parseCursor(given);
      if (isKey(key)) return key;
      context.addIssue({ code: "custom", message: "cursor must be the next_cursor of an earlier answer." });
      return z.NEVER;
    })
    .openapi({ type: "string", description: "The `next_cursor` of an earlier answer" });
}

function parseCursor(given: string): unknown {
  try {
    return JSON.parse(Buffer.from(given, "base64url").toString());
  } catch {
    return undefined; // what is not JSON is no cursor of ours either
  }
}

/** A file's name, in one of the two ways that it is given. */
export const nameQuery = {
  path: text("path", "The file's path"),
  path_base64: text(
    "path_base64",
    "The bytes of a path that is not UTF-8, as `path_base64` of the list says",
  ),
};

/** Throws a Problem where a file is named in neither way, or in both. */
export function requireName(name: { path: string | null; path_base64: string | null }): void {
  if ((name.path === null) === (name.path_base64 === null))
    throw badRequest("Give either path or path_base64.");
  if (name.path_base64 !== null && !isBase64(name.path_base64))
    throw badRequest("path_base64 must be base64.");
}

/** A page of a list, and the cursor of the next one; `rows` holds one more than `limit` where there is a next page. */
export function page<Row, Json>(
  rows: Row[],
  options: { limit: number; key: (row: Row) => unknown; json: (row: Row) => Json },
): { data: Json[]; next_cursor: string | null } {
  const shown = rows.slice(0, options.limit);
  const last = shown.at(-1);
  const more = rows.length > options.limit && last !== undefined;
  return {
    data: shown.map(options.json),
    next_cursor: more ? Buffer.from(JSON.stringify(options.key(last))).toString("base64url") : null,
  };
}

/** True for base64 as files' `path_base64` is written: padded, on one line. */
function isBase64(given: string): boolean {
  return given !== "" && Buffer.from(given, "base64").toString("base64") === given;
}

/** Whether a value is a file's place in a list. */
export function isFilePosition(value: unknown): value is FilePosition {
  return (
    typeof value === "object" &&
    value !== null &&
    "path" in value &&
    typeof value.path === "string" &&
    !value.path.includes("\0") &&
    "path_base64" in value &&
    (value.path_base64 === null || (typeof value.path_base64 === "string" && isBase64(value.path_base64)))
  );
}

export function isId(value: unknown): value is string {
  return typeof value === "string" && /^\d{1,19}$/.test(value) && BigInt(value) <= MAX_BIGINT;
}
