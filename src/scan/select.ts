import type { FileState, RunMode, Settings } from "../database/schema.ts";
import { type LinguistFlags, linguistFlags } from "./attributes.ts";
import { type SizeLimit, skipReasonOf } from "./classify.ts";
import { fetchMissing } from "./fetch.ts";
import type { KnownBlobs, ManifestByPath } from "./files.ts";
import type { GramSink } from "./gram-sink.ts";
import { findIgnored } from "./ignore.ts";
import { displayPath, type TreeEntry } from "./manifest.ts";
import type { ScanTools } from "./scan.ts";
import { SETTINGS_PATH } from "./settings.ts";
import { slicesOf } from "./slices.ts";
import type { Head } from "./source.ts";
import { readTexts } from "./store.ts";
import { Turn } from "./turn.ts";

const ATTRIBUTES_FILE = ".gitattributes";
/** Attributes cost time for each file: real ones are far below. */
const MAX_ATTRIBUTES_FILES = 1_000;
const MAX_ATTRIBUTES_CHUNKS = 32;
const TEXTS_AT_ONCE = 100;

/** Why an entry is left out before its content is looked at. */
export interface LeftOut {
  state: FileState;
  reason: string;
}

/** What of a tree is indexed. */
export interface Selection {
  leftOut: ReadonlyMap<TreeEntry, LeftOut>;
  /** The .gitattributes files; the topmost where there are very many. */
  attributes: TreeEntry[];
  /** Whether an entry's content must be stored: it is indexed, or says something of files that are. */
  needs: (entry: TreeEntry) => boolean;
}

interface SelectContext extends ScanTools {
  run: { id: string; repository_id: string; mode: RunMode; failures: number };
  head: Head;
  grams: GramSink;
  settings: Settings;
  previous: ManifestByPath;
}

/**
 * Decides what of a tree is indexed under a repository's settings. Where generated files are not, .gitattributes are
 * fetched ahead of all else, so that what they call generated is never fetched.
 */
export async function selectEntries(entries: TreeEntry[], context: SelectContext): Promise<Selection> {
  const { settings, limits } = context;
  const leftOut = await leaveOut(entries, context);
  const attributes = attributesFiles(entries).filter((entry) => !skipReasonOf(entry, limits));
  const speaking = new Set(attributes);
  if (!settings.index_generated) {
    const needs = (entry: TreeEntry) => speaking.has(entry);
    const blobs = await fetchMissing(entries, { ...context, needs, isAhead: true });
    const flagsOf = await readFlags(attributes, { ...context, blobs });
    const turn = new Turn();
    for (const entry of entries) {
      if (!leftOut.has(entry) && flagsOf(displayPath(entry.path).path).generated)
        leftOut.set(entry, GENERATED);
      if (turn.isOver()) await turn.next();
    }
  }
  return { leftOut, attributes, needs: (entry) => !leftOut.has(entry) || speaking.has(entry) };
}

const EXCLUDED: LeftOut = { state: "excluded", reason: `Excluded by ${SETTINGS_PATH}.` };
const NOT_INCLUDED: LeftOut = { state: "excluded", reason: `Not among what ${SETTINGS_PATH} includes.` };
const GENERATED: LeftOut = {
  state: "excluded",
  reason: `Generated, as .gitattributes says, which ${SETTINGS_PATH} leaves out.`,
};

/** What is left out by its path, kind or size. */
async function leaveOut(
  entries: TreeEntry[],
  { settings, limits }: Pick<SelectContext, "settings" | "limits">,
): Promise<Map<TreeEntry, LeftOut>> {
  const excluded = await findIgnored(entries, settings.exclude);
  const included = settings.include.length > 0 ? await findIgnored(entries, settings.include) : null;
  const limit = sizeLimit(settings, limits);
  const leftOut = new Map<TreeEntry, LeftOut>();
  const turn = new Turn();
  for (const entry of entries) {
    const skipped = skipReasonOf(entry, limit);
    if (excluded.has(entry)) leftOut.set(entry, EXCLUDED);
    else if (included && !included.has(entry)) leftOut.set(entry, NOT_INCLUDED);
    else if (skipped) leftOut.set(entry, skipped);
    if (turn.isOver()) await turn.next();
  }
  return leftOut;
}

/** The repository's own limit counts where it is the lower one. */
function sizeLimit({ max_file_bytes: own }: Settings, { maxFileBytes }: { maxFileBytes: number }): SizeLimit {
  if (own === null || own >= maxFileBytes) return { maxFileBytes };
  return { maxFileBytes: own, setBy: `max_file_bytes in ${SETTINGS_PATH}` };
}

function attributesFiles(entries: TreeEntry[]): TreeEntry[] {
  return entries
    .filter(({ path }) => path === ATTRIBUTES_FILE || path.endsWith(`/${ATTRIBUTES_FILE}`))
    .sort((a, b) => a.path.split("/").length - b.path.split("/").length)
    .slice(0, MAX_ATTRIBUTES_FILES);
}

/** What the stored .gitattributes files say of each path. */
export async function readFlags(
  attributes: TreeEntry[],
  { run, write, blobs }: ScanTools & Pick<SelectContext, "run"> & { blobs: KnownBlobs },
): Promise<(path: string) => LinguistFlags> {
  const found = attributes.filter(({ sha }) => blobs.stored.get(sha)?.state === "indexed");
  const files: { dir: string; text: string }[] = [];
  for (const some of slicesOf(found, TEXTS_AT_ONCE)) {
    const shas = some.map(({ sha }) => sha);
    const texts = await write(({ trx }) =>
      readTexts(trx, run.repository_id, { shas, chunks: MAX_ATTRIBUTES_CHUNKS }),
    );
    for (const { path, sha } of some) {
      const dir = displayPath(path).path.slice(0, -ATTRIBUTES_FILE.length - 1);
      files.push({ dir, text: texts.get(sha) ?? "" });
    }
  }
  return linguistFlags(files);
}
