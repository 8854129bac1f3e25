import type { BlobState, FileState } from "../database/schema.ts";
import type { LinguistFlags } from "./attributes.ts";
import { reasonFor } from "./classify.ts";
import { languageOfName } from "./language.ts";
import { displayPath, entryPath, type TreeEntry } from "./manifest.ts";
import type { Selection } from "./select.ts";
import { Turn } from "./turn.ts";

/** One row of the manifest. `sha` is 40 hex digits; `path_bytes` is set only where the name is not UTF-8. */
export interface FileRow {
  path: string;
  path_bytes: Buffer | null;
  mode: string;
  sha: string;
  size: number | null;
  language: string | null;
  state: FileState;
  reason: string | null;
  generated: boolean;
  vendored: boolean;
}

export interface FilesDiff {
  added: FileRow[];
  changed: FileRow[];
  removed: Pick<FileRow, "path" | "path_bytes">[];
  unchanged: number;
}

/** A blob as it is stored; its size is its content's own, whatever a listing says. */
export interface StoredBlob {
  state: BlobState;
  size: number;
}

/** What is known of the blobs that tree entries name, by SHA. */
export interface KnownBlobs {
  stored: Map<string, StoredBlob>;
  /** Why a blob could not be read. */
  unreadable: Map<string, string>;
  /** What texts say of their language, by textKey; null where one says nothing. */
  languages: Map<string, string | null>;
}

/** The key of a text's language, which depends on the name that asks for it. */
export function textKey(sha: string, hint: string): string {
  return sha + hint;
}

/**
 * The entries whose texts must still be asked for their language: those whose hint nobody answered. A file that
 * was there before, with the same content, keeps the language that it had.
 */
export async function entriesToAsk(
  entries: TreeEntry[],
  {
    languages,
    stored,
    previous,
    leftOut,
  }: Pick<KnownBlobs, "languages" | "stored"> & Pick<Selection, "leftOut"> & { previous: ManifestByPath },
): Promise<{ sha: string; hint: string }[]> {
  const asking: { sha: string; hint: string }[] = [];
  const turn = new Turn();
  for (const entry of entries) {
    const { path, sha } = entry;
    if (turn.isOver()) await turn.next();
    if (leftOut.has(entry) || previous.get(path)?.sha === sha || stored.get(sha)?.state !== "indexed")
      continue;
    const { hint } = languageOfName(path);
    if (hint !== null && !languages.has(textKey(sha, hint))) asking.push({ sha, hint });
  }
  return asking;
}

/** A manifest by TreeEntry.path. */
export type ManifestByPath = ReadonlyMap<string, FileRow>;

export function byPath(rows: Iterable<FileRow>): ManifestByPath {
  return new Map(Iterator.from(rows).map((row) => [entryPath(row), row]));
}

interface Assembly extends KnownBlobs, Pick<Selection, "leftOut"> {
  flagsOf: (path: string) => LinguistFlags;
  /** The manifest that the new one replaces, where its languages may be kept. */
  previous: ManifestByPath;
}

/** Turns tree entries into manifest rows, from what their blobs turned out to be. */
export async function assembleFiles(entries: TreeEntry[], context: Assembly): Promise<FileRow[]> {
  const turn = new Turn();
  const rows: FileRow[] = [];
  for (const entry of entries) {
    const { mode, sha } = entry;
    const size = context.stored.get(sha)?.size ?? entry.size;
    const { path, path_bytes } = displayPath(entry.path);
    const { state, reason } = stateOf(entry, context);
    const language = state === "submodule" ? null : languageOf(entry, context);
    const { generated, vendored } = context.flagsOf(path);
    rows.push({ path, path_bytes, mode, sha, size, language, state, reason, generated, vendored });
    if (turn.isOver()) await turn.next();
  }
  return rows;
}

function languageOf(entry: TreeEntry, { languages, stored, previous, leftOut }: Assembly): string | null {
  const { path, sha } = entry;
  const { language, hint } = languageOfName(path);
  if (hint === null || leftOut.has(entry) || stored.get(sha)?.state !== "indexed") return language;
  const told = languages.get(textKey(sha, hint));
  const before = previous.get(path);
  if (told === undefined && before?.sha === sha) return before.language;
  return told ?? language;
}

function stateOf(
  entry: TreeEntry,
  { stored, unreadable, leftOut }: Assembly,
): { state: FileState; reason: string | null } {
  const skipped = leftOut.get(entry);
  if (skipped) return skipped;
  const state = stored.get(entry.sha)?.state;
  if (state) return { state, reason: state === "indexed" ? null : reasonFor(state) };
  return { state: "unreadable", reason: unreadable.get(entry.sha) ?? "GitHub did not deliver this file." };
}

/** What must be written to turn the manifest `previous` into `next`. */
export async function diffFiles(previous: ManifestByPath, next: FileRow[]): Promise<FilesDiff> {
  const diff: FilesDiff = { added: [], changed: [], removed: [], unchanged: 0 };
  const kept = new Set<FileRow>();
  const turn = new Turn();
  for (const row of next) {
    if (turn.isOver()) await turn.next();
    const old = previous.get(entryPath(row));
    if (old) kept.add(old);
    if (!old) diff.added.push(row);
    else if (isSame(old, row)) diff.unchanged += 1;
    else diff.changed.push(row);
  }
  for (const row of previous.values()) if (!kept.has(row)) diff.removed.push(row);
  return diff;
}

function isSame(a: FileRow, b: FileRow): boolean {
  return (
    a.sha === b.sha &&
    a.mode === b.mode &&
    a.size === b.size &&
    a.state === b.state &&
    a.language === b.language &&
    a.reason === b.reason &&
    a.generated === b.generated &&
    a.vendored === b.vendored
  );
}
