import type { Context } from "hono";
import { badRequest } from "../problem.ts";

const DEFAULT_LIMIT = 50;
const MAX_LIMIT = 1_000;
const MAX_GLOB_LENGTH = 500;
const MAX_WILDCARDS = 20;
const MAX_BIGINT = 9_223_372_036_854_775_807n;

/** A numeric id out of the path; anything else names nothing. */
export function idParameter(c: Context, name: string): string {
  const text = c.req.param(name) ?? "";
  if (!/^\d{1,19}$/.test(text) || BigInt(text) > MAX_BIGINT) throw badRequest(`${name} must be a number.`);
  return text;
}

export function limitParameter(c: Context): number {
  return numberParameter(c, "limit", { least: 1, most: MAX_LIMIT }) ?? DEFAULT_LIMIT;
}

/** A whole number within bounds, or null where it is not given. */
export function numberParameter(
  c: Context,
  name: string,
  { least, most }: { least: number; most: number },
): number | null {
  const text = c.req.query(name);
  if (text === undefined) return null;
  const number = Number(text);
  if (!/^\d+$/.test(text) || number < least || number > most) {
    throw badRequest(`${name} must be a whole number from ${least} to ${most}.`);
  }
  return number;
}

/** A query parameter's text, or null; PostgreSQL takes no NUL. */
export function textParameter(c: Context, name: string): string | null {
  const text = c.req.query(name);
  if (text?.includes("\0")) throw badRequest(`${name} must not hold a NUL character.`);
  return text || null;
}

/** A file's name, in one of the two ways that it is given. */
export function nameParameters(c: Context): { path: string | null; path_base64: string | null } {
  const name = { path: textParameter(c, "path"), path_base64: textParameter(c, "path_base64") };
  if ((name.path === null) === (name.path_base64 === null))
    throw badRequest("Give either path or path_base64.");
  if (name.path_base64 !== null && !isBase64(name.path_base64))
    throw badRequest("path_base64 must be base64.");
  return name;
}

/** A path glob, bounded: what the database spends on each path grows with its length and its wildcards. */
export function globParameter(c: Context, name: string): string | null {
  const glob = textParameter(c, name);
  const wildcards = glob?.match(/(?:\*\*\/)+|\*+|\?/g) ?? [];
  if (glob !== null && (glob.length > MAX_GLOB_LENGTH || wildcards.length > MAX_WILDCARDS)) {
    throw badRequest(
      `${name} must be a glob of at most ${MAX_GLOB_LENGTH} characters with at most ${MAX_WILDCARDS} wildcards.`,
    );
  }
  return glob;
}

export function oneOf<T extends string>(c: Context, name: string, values: readonly T[]): T | null {
  const text = textParameter(c, name);
  if (text === null) return null;
  const value = values.find((candidate) => candidate === text);
  if (value === undefined) throw badRequest(`${name} must be one of ${values.join(", ")}.`);
  return value;
}

/** A cursor is opaque to callers: the last row's key, as base64url JSON. */
export function readCursor<T>(c: Context, isKey: (value: unknown) => value is T): T | null {
  const text = textParameter(c, "cursor");
  if (text === null) return null;
  try {
    const value: unknown = JSON.parse(Buffer.from(text, "base64url").toString());
    if (isKey(value)) return value;
  } catch {
    // falls through: what is not JSON is no cursor of ours either
  }
  throw badRequest("cursor must be the next_cursor of an earlier answer.");
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
export function isBase64(text: string): boolean {
  return text !== "" && Buffer.from(text, "base64").toString("base64") === text;
}

export function isId(value: unknown): value is string {
  return typeof value === "string" && /^\d{1,19}$/.test(value) && BigInt(value) <= MAX_BIGINT;
}
