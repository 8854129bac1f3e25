import { entryPath, quotePath, type TreeEntry } from "../scan/manifest.ts";
import { type RawTreeEntry, SourceError, type TreeListing } from "../scan/source.ts";

const SHA = /^[0-9a-f]{40}$/;
const MODE = /^[0-7]{6}$/;
const TYPES = ["blob", "tree", "commit"];
const MAX_MODE = 0o777777;
/** Far above what GitHub takes, and what a column of the index holds. */
const MAX_SIZE = 2 ** 31 - 1;

/** What the REST API says of a tree. Throws SourceError for what cannot be such an answer. */
export function parseTree(data: unknown): TreeListing & { truncated: boolean } {
  const { tree, truncated } = (data ?? {}) as { tree?: unknown; truncated?: unknown };
  if (!Array.isArray(tree)) throw unreadable("it is not a list");
  const listing: TreeListing = { entries: [], subtrees: new Map() };
  for (const item of tree) {
    const { path, mode, sha, type, size } = (item ?? {}) as Record<string, unknown>;
    if (typeof path !== "string") throw unreadable("a path is missing");
    const full = entryPath({ path, path_bytes: null });
    if (typeof mode !== "string" || !MODE.test(mode)) throw unreadable("a mode is none", full);
    if (typeof sha !== "string" || !SHA.test(sha)) throw unreadable("a SHA is none", full);
    if (typeof type !== "string" || !TYPES.includes(type)) throw unreadable("a type is none", full);
    if (type === "tree") listing.subtrees.set(full, sha);
    else listing.entries.push({ path: full, mode, sha, size: sizeOf(size, full) } satisfies TreeEntry);
  }
  return { ...listing, truncated: truncated === true };
}

/** What GraphQL says of one tree, with its names' true bytes. Throws as parseTree does. */
export function parseRawTree(answer: unknown): RawTreeEntry[] {
  const { entries } = (answer ?? {}) as { entries?: unknown };
  if (!Array.isArray(entries)) throw unreadable("a directory is missing");
  return entries.map((item) => {
    const { nameRaw, mode, oid, size } = (item ?? {}) as Record<string, unknown>;
    if (typeof nameRaw !== "string") throw unreadable("a name is missing");
    const name = Buffer.from(nameRaw, "base64").toString("latin1");
    if (typeof mode !== "number" || !Number.isInteger(mode) || mode < 0 || mode > MAX_MODE)
      throw unreadable("a mode is none", name);
    if (typeof oid !== "string" || !SHA.test(oid)) throw unreadable("a SHA is none", name);
    const isSubmodule = mode === 0o160000;
    return {
      name,
      mode: mode.toString(8).padStart(6, "0"),
      sha: oid,
      size: isSubmodule ? null : sizeOf(size, name),
    };
  });
}

function sizeOf(size: unknown, path: string): number | null {
  if (size === undefined || size === null) return null;
  if (typeof size !== "number" || !Number.isInteger(size) || size < 0 || size > MAX_SIZE)
    throw unreadable("a size is none", path);
  return size;
}

function unreadable(what: string, path?: string): SourceError {
  const where = path !== undefined ? ` at ${quotePath(path)}` : "";
  const message = `GitHub's list of files could not be read: ${what}${where}.`;
  return new SourceError("bad_listing", message, { retryable: true });
}
