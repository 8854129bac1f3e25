import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "pino";
import type { Transaction } from "../database/connect.ts";
import type { RunMode, RunProgress, RunTrigger, Settings } from "../database/schema.ts";
import { pathLine } from "../grams/unit.ts";
import { fetchMissing } from "./fetch.ts";
import {
  assembleFiles,
  byPath,
  diffFiles,
  entriesToAsk,
  type FileRow,
  type KnownBlobs,
  type ManifestByPath,
  textKey,
} from "./files.ts";
import { GramSink } from "./gram-sink.ts";
import { languageOfText } from "./language-of-text.ts";
import type { TreeEntry } from "./manifest.ts";
import type { Parser } from "./parser.ts";
import { type Proof, type ReadTree, readTree } from "./prove.ts";
import { indexesDefault, reviewSettings } from "./review.ts";
import { readFlags, type Selection, selectEntries } from "./select.ts";
import { SETTINGS_PATH, selectSame } from "./settings.ts";
import { type KnownSettings, readSettings } from "./settings-store.ts";
import { slicesOf } from "./slices.ts";
import { BranchMissing, type Head, HeadLags, HeadMoved, type Source } from "./source.ts";
import {
  collectBlobs,
  countFiles,
  type Indexed,
  type PathLines,
  type Publication,
  publishManifest,
  readIndexed,
  readManifest,
  readTexts,
  removeManifest,
} from "./store.ts";

/** A ref may lag its webhook: it is read again before a push is called "nothing to do". Twice, a second apart. */
const REF_REREADS = 2;
const REF_REREAD_MS = 1_000;
/** Still the old head: the run comes back after 2, 4, 8, 16 and 32 seconds before the push counts as undone. */
const MAX_LAGGING_CLAIMS = 5;

const TEXTS_AT_ONCE = 100;
/** What languageOfText looks at, in chunks. */
const HEAD_CHUNKS = 7;

export interface ScanRun {
  id: string;
  repository_id: string;
  trigger: RunTrigger;
  mode: RunMode;
  wanted_head: string | null;
  /** Newest commit of the default branch that a push told of, where another branch is indexed. */
  wanted_default: string | null;
  /** How often the run was claimed. */
  epoch: number;
  /** How many attempts have failed. */
  failures: number;
}

export interface ScanLimits {
  /** Files larger than this many bytes are listed but not indexed. */
  maxFileBytes: number;
  /** Files and directories of one tree. */
  maxFiles: number;
}

/** What a scan needs of its run: it writes only through `write`, which proves that the run is still held. */
export interface ScanTools {
  source: Source;
  parser: Parser;
  limits: ScanLimits;
  signal: AbortSignal;
  log: Logger;
  write<T>(
    work: (transaction: Transaction) => Promise<T>,
    moved?: { stage?: string; progress?: RunProgress },
  ): Promise<T>;
  /** Fixes the commit this run indexes. */
  setHead(transaction: Transaction, head: { sha: string; tree_sha: string | null }): Promise<void>;
  /** Adds a warning to the run's log. */
  warn(
    transaction: Transaction,
    event: { kind: string; message: string; data: Record<string, unknown> },
  ): Promise<void>;
  /** Ends the run; called in the transaction of the last write. */
  finish(transaction: Transaction, result: { verified: boolean | null; message: string }): Promise<void>;
}

/**
 * Makes the index of a repository equal to the newest commit of its branch: configuration → head → tree, proven →
 * fetch → diff → publish → collect. Safe to break off anywhere: blobs stay, and the manifest changes in one
 * transaction.
 */
export async function scanRepository(run: ScanRun, tools: ScanTools): Promise<void> {
  const { known, indexed } = await tools.write(async ({ trx }) => ({
    known: await readSettings(trx, run.repository_id),
    indexed: await readIndexed(trx, run.repository_id),
  }));
  const root = await resolveRoot(run, { ...tools, known, indexed });
  if (!root) return await finishEmpty(run, "The repository has no commits: nothing to index yet.", tools);
  const earlier = lazily(async () =>
    byPath(await tools.write(({ trx }) => readManifest(trx, run.repository_id))),
  );
  const list = (head: Head) => listTree(run, head, { ...tools, indexed, earlier });
  const reviewed = await reviewSettings(run, root, { ...tools, known, list });
  const { settings } = reviewed;
  const { branch, head } = await resolveBranch(run, root, { ...tools, settings, indexed });
  if (!head) return await finishGone(run, { root, branch }, tools);
  if (isCurrent(run, head, { indexed, settings })) {
    if (reviewed.isNew || !isAboutSettings(run)) await tools.write((t) => tools.setHead(t, head));
    refuseLagging(run, run.wanted_head, [root, head]);
    await refuseStale(run, { root, branch, head }, tools);
    return await finishUnchanged(run, tools);
  }

  const tree = (head === root ? reviewed.tree : null) ?? (await list(head));
  const { entries, proof, truncated } = tree;
  const grams = await GramSink.open(run.repository_id, tools);
  const context = { ...tools, run, head, grams, settings, previous: await earlier() };
  const selection = await selectEntries(entries, context);
  const blobs = await fetchMissing(entries, { ...context, needs: selection.needs });
  const pathLines = indexed?.pathLines ?? null;
  await publish(entries, { ...context, proof: { ...proof, truncated }, pathLines, selection, blobs });
  await collect(run, tools);
  await refuseStale(run, { root, branch, head }, tools);
  await finishPublished(proof, tools);
}

function lazily<T>(read: () => Promise<T>): () => Promise<T> {
  let reading: Promise<T> | undefined;
  return () => {
    reading ??= read();
    return reading;
  };
}

type Earlier = () => Promise<ManifestByPath>;

/** The proven tree of a head, which is the run's from now on. The manifest before it is read meanwhile. */
async function listTree(
  run: ScanRun,
  head: Head,
  { indexed, earlier, ...tools }: ScanTools & { indexed: Indexed | null; earlier: Earlier },
): Promise<ReadTree> {
  await tools.write((t) => tools.setHead(t, head), { stage: "listing files" });
  earlier().catch(() => {}); // awaited later, after what may fail before it
  return await readTree({
    treeSha: head.tree_sha,
    wasTruncated: run.mode === "incremental" && indexed?.truncated === true,
    source: tools.source,
    limits: tools.limits,
    signal: tools.signal,
    previous: async () => Array.from(await earlier(), toEntry),
  });
}

function toEntry([path, { mode, sha, size }]: [string, FileRow]): TreeEntry {
  return { path, mode, sha, size };
}

type Known = { known: KnownSettings; indexed: Indexed | null };

/** The default branch's head. */
async function resolveRoot(
  run: ScanRun,
  { known, indexed, ...tools }: ScanTools & Known,
): Promise<Head | null> {
  const { wanted_default: wanted } = run;
  if (wanted === null && known.settings.branch === null) {
    return await resolveHead(null, { ...tools, wanted: run.wanted_head, seen: indexed?.commit });
  }
  const root = await resolveHead(null, { ...tools, wanted, seen: known.commit });
  if (root && root.sha === known.commit) refuseLagging(run, wanted, [root]);
  return root;
}

/** The head of the branch to index, null where it is gone. */
async function resolveBranch(
  run: ScanRun,
  root: Head,
  { settings, indexed, ...tools }: ScanTools & { settings: Settings; indexed: Indexed | null },
): Promise<{ branch: string | null; head: Head | null }> {
  const { branch } = settings;
  if (indexesDefault(settings, root)) return { branch: null, head: root };
  try {
    const wanted = run.wanted_head === root.sha ? null : run.wanted_head;
    return { branch, head: await resolveHead(branch, { ...tools, wanted, seen: indexed?.commit }) };
  } catch (error) {
    if (error instanceof BranchMissing) return { branch, head: null };
    throw error;
  }
}

/** A branch's newest head; read again while a push told of another one and nothing seems to have changed. */
async function resolveHead(
  branch: string | null,
  options: Pick<ScanTools, "source" | "signal"> & { wanted: string | null; seen: string | null | undefined },
): Promise<Head | null> {
  const { source, signal, wanted, seen } = options;
  for (let reread = 0; ; reread += 1) {
    const head = await source.readHead(signal, branch);
    if (!wanted || head?.sha === wanted || reread === REF_REREADS) return head;
    if (head && head.sha !== seen) return head;
    await delay(REF_REREAD_MS, undefined, { signal });
  }
}

/** True when there is provably nothing to do. A person's request looks at the tree all the same. */
function isCurrent(
  run: ScanRun,
  head: Head,
  { indexed, settings }: { indexed: Indexed | null; settings: Settings },
): boolean {
  const byPerson = run.trigger === "rescan" || run.trigger === "rerun";
  return (
    !byPerson &&
    run.mode === "incremental" &&
    indexed?.verified === true &&
    indexed.commit === head.sha &&
    indexed.searchable &&
    indexed.branch === head.branch &&
    selectSame(indexed.settings, settings)
  );
}

/** Asked for by a push to the default branch alone, while another is indexed: of interest where that changes something. */
function isAboutSettings(run: ScanRun): boolean {
  return run.trigger === "push" && run.wanted_head === null && run.wanted_default !== null;
}

/** A push must not be answered with "nothing to do" because the host does not show it yet. */
function refuseLagging({ epoch }: ScanRun, wanted: string | null, looked: Head[]): void {
  if (wanted === null || looked.some(({ sha }) => sha === wanted) || epoch > MAX_LAGGING_CLAIMS) return;
  throw new HeadLags(wanted, 1_000 * 2 ** epoch);
}

async function finishEmpty(run: ScanRun, message: string, tools: ScanTools): Promise<void> {
  await tools.write((t) => removeManifest(t, run.repository_id), {
    stage: "publishing",
    progress: { files_total: 0, files_done: 0 },
  });
  await collect(run, tools);
  await tools.write((t) => tools.finish(t, { verified: null, message }));
}

/** The configured branch was deleted, unless a push has just told of it. */
async function finishGone(
  run: ScanRun,
  { root, branch }: { root: Head; branch: string | null },
  tools: ScanTools,
): Promise<void> {
  refuseLagging(run, run.wanted_head, [root]);
  const message = `There is no branch ${branch} any more, which ${SETTINGS_PATH} names: nothing is indexed.`;
  await finishEmpty(run, message, tools);
}

async function finishUnchanged(run: ScanRun, tools: ScanTools): Promise<void> {
  await tools.write(async (t) => {
    const progress = await countFiles(t.trx, run.repository_id);
    await recordProgress(t, run, { ...progress, files_changed: 0, files_removed: 0 });
    await tools.finish(t, { verified: true, message: "Already indexed at this commit: nothing to do." });
  });
}

/** Makes the entries the index of their repository, with all that is known of them. */
async function publish(
  entries: TreeEntry[],
  tools: ScanTools &
    Pick<Publication, "head" | "proof" | "settings"> & {
      run: ScanRun;
      grams: GramSink;
      pathLines: number | null;
      previous: ManifestByPath;
      selection: Selection;
      blobs: KnownBlobs;
    },
): Promise<void> {
  const { run, head, grams, proof, settings, previous, blobs, signal } = tools;
  const { leftOut, attributes } = tools.selection;
  // A full scan takes no language from older ones.
  const trusted: ManifestByPath = run.mode === "incremental" ? previous : new Map();
  await tools.write(async () => {}, { stage: "publishing" });
  await askTexts(run, await entriesToAsk(entries, { ...blobs, previous: trusted, leftOut }), tools);
  const flagsOf = await readFlags(attributes, tools);
  const files = await assembleFiles(entries, { ...blobs, flagsOf, previous: trusted, leftOut });
  const diff = await diffFiles(previous, files);
  signal.throwIfAborted();
  await grams.flush(choosePathLines(run, { files, added: diff.added, pathLines: tools.pathLines }));
  await tools.write(
    async (t) => {
      const { repository_id } = run;
      const counts = await publishManifest(t, { repository_id, head, proof, settings, diff });
      await recordProgress(t, run, {
        ...counts,
        files_changed: diff.added.length + diff.changed.length,
        files_removed: diff.removed.length,
      });
    },
    { stage: "publishing" },
  );
}

/** Lines of paths that are gone are left behind, until they are as many as those that are not, and so many more. */
const SPARE_PATH_LINES = 1_000;

/** The paths that the search index must be told of: new ones, or all where it knows none or too many that are gone. */
function choosePathLines(
  { mode }: ScanRun,
  { files, added, pathLines }: { files: FileRow[]; added: FileRow[]; pathLines: number | null },
): PathLines | null {
  const most = files.length * 2 + SPARE_PATH_LINES;
  const replace = mode === "full" || pathLines === null || pathLines + added.length > most;
  if (!replace && added.length === 0) return null;
  return { lines: (replace ? files : added).map(({ path }) => pathLine(path)), replace };
}

/** Asks stored texts for their language: those of an attempt that did not get to publish, and of renamed files. */
async function askTexts(
  run: ScanRun,
  asking: { sha: string; hint: string }[],
  { write, blobs }: ScanTools & { blobs: KnownBlobs },
): Promise<void> {
  for (const some of slicesOf(asking, TEXTS_AT_ONCE)) {
    const shas = some.map(({ sha }) => sha);
    const texts = await write(({ trx }) => readTexts(trx, run.repository_id, { shas, chunks: HEAD_CHUNKS }));
    for (const { sha, hint } of some) {
      blobs.languages.set(textKey(sha, hint), languageOfText(hint, texts.get(sha) ?? ""));
    }
  }
}

async function collect(run: ScanRun, tools: ScanTools): Promise<void> {
  let more = true;
  while (more) {
    more = await tools.write(({ trx }) => collectBlobs(trx, run.repository_id), { stage: "tidying up" });
  }
}

/**
 * A ref may lag its webhook by longer than the first reads waited. A push that asked for another commit than was
 * looked at is therefore not answered before the head was seen to be still the same.
 */
async function refuseStale(
  run: ScanRun,
  { root, branch, head }: { root: Head; branch: string | null; head: Head },
  { source, signal }: ScanTools,
): Promise<void> {
  const looked = [root.sha, head.sha];
  const stale = [
    { wanted: run.wanted_default, branch: null, read: root },
    { wanted: run.wanted_head, branch, read: head },
  ].filter(({ wanted }) => wanted !== null && !looked.includes(wanted));
  for (const { branch: name, read } of stale) {
    const now = await source.readHead(signal, name);
    if (now?.sha !== read.sha) throw new HeadMoved(read.sha);
  }
}

async function finishPublished(proof: Proof, tools: ScanTools): Promise<void> {
  await tools.write((t) =>
    tools.finish(t, {
      verified: proof.verified,
      message: proof.verified
        ? `Indexed; the manifest hashes to tree ${proof.tree_sha.slice(0, 7)}, the commit's own.`
        : `Indexed, but the manifest does not hash to the commit's tree (${proof.unverified_path || "the root"}).`,
    }),
  );
}

async function recordProgress(t: Transaction, run: ScanRun, progress: RunProgress): Promise<void> {
  await t.trx
    .updateTable("runs")
    .set({ progress: JSON.stringify(progress) })
    .where("id", "=", run.id)
    .execute();
}
