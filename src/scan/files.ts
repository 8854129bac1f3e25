import type { BlobState, FileState } from "../database/schema.ts";
import { linguistFlags } from "./attributes.ts";
import { reasonFor, skipReasonOf } from "./classify.ts";
import { languageOf } from "./language.ts";
import { displayPath, type TreeEntry } from "./manifest.ts";

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

/** Turns tree entries into manifest rows, from what their blobs turned out to be. */
export function assembleFiles(
  entries: TreeEntry[],
  context: {
    blobs: ReadonlyMap<string, { state: BlobState }>;
    /** Why a blob could not be read, by SHA. */
    unreadable: ReadonlyMap<string, string>;
    /** The .gitattributes files by path. */
    attributes: ReadonlyMap<string, string>;
    limits: { maxFileBytes: number };
  },
): FileRow[] {
  const flagsOf = linguistFlags(
    [...context.attributes].map(([path, text]) => ({
      dir: path.slice(0, -".gitattributes".length - 1),
      text,
    })),
  );
  return entries.map((entry) => {
    const { path, path_bytes } = displayPath(entry.path);
    const state = stateOf(entry, context);
    return {
      path,
      path_bytes,
      mode: entry.mode,
      sha: entry.sha,
      size: entry.size,
      language: state.state === "submodule" ? null : languageOf(path),
      ...state,
      ...flagsOf(path),
    };
  });
}

function stateOf(
  entry: TreeEntry,
  context: Parameters<typeof assembleFiles>[1],
): { state: FileState; reason: string | null } {
  const skipped = skipReasonOf(entry, context.limits);
  if (skipped) return skipped;
  const blob = context.blobs.get(entry.sha);
  if (blob) return { state: blob.state, reason: blob.state === "indexed" ? null : reasonFor(blob.state) };
  return {
    state: "unreadable",
    reason: context.unreadable.get(entry.sha) ?? "GitHub did not deliver this file.",
  };
}

/** What must be written to turn the manifest `previous` into `next`. */
export function diffFiles(previous: readonly FileRow[], next: readonly FileRow[]): FilesDiff {
  const before = new Map(previous.map((row) => [keyOf(row), row]));
  const diff: FilesDiff = { added: [], changed: [], removed: [], unchanged: 0 };
  for (const row of next) {
    const key = keyOf(row);
    const old = before.get(key);
    before.delete(key);
    if (!old) diff.added.push(row);
    else if (isSame(old, row)) diff.unchanged += 1;
    else diff.changed.push(row);
  }
  diff.removed.push(...before.values());
  return diff;
}

function keyOf(row: FileRow): string {
  return row.path_bytes ? `\0${row.path_bytes.toString("latin1")}` : row.path;
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
