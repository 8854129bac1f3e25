import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "pino";
import type { Transaction } from "../database/connect.ts";
import type { RunMode, RunProgress, RunTrigger } from "../database/schema.ts";
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
import { languageOfText } from "./language-of-text.ts";
import { displayPath, type TreeEntry } from "./manifest.ts";
import type { Parser } from "./parser.ts";
import { type Proof, readTree } from "./prove.ts";
import { slicesOf } from "./slices.ts";
import { type Head, HeadLags, HeadMoved, type Source } from "./source.ts";
import {
  collectBlobs,
  countFiles,
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
const ATTRIBUTES_FILE = /(?:^|\/)\.gitattributes$/;
/** Attributes cost time for each file: real ones are far below. */
const MAX_ATTRIBUTES_FILES = 1_000;
const MAX_ATTRIBUTES_CHUNKS = 32;

export interface ScanRun {
  id: string;
  repository_id: string;
  trigger: RunTrigger;
  mode: RunMode;
  wanted_head: string | null;
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
  /** Ends the run; called in the transaction of the last write. */
  finish(transaction: Transaction, result: { verified: boolean | null; message: string }): Promise<void>;
}

/**
 * Makes the index of a repository equal to the newest commit of its branch: head → tree, proven → fetch →
 * diff → publish → collect. Safe to break off anywhere: blobs stay, and the manifest changes in one transaction.
 */
export async function scanRepository(run: ScanRun, tools: ScanTools): Promise<void> {
  const head = await resolveHead(run, tools);
  if (!head) return await finishEmpty(run, tools);
  const indexed = await tools.write(
    async (t) => {
      await tools.setHead(t, head);
      return await readIndexed(t.trx, run.repository_id);
    },
    { stage: "listing files" },
  );
  if (isCurrent(run, head, indexed)) {
    refuseLagging(run, head);
    return await finishUnchanged(run, tools);
  }

  const earlier = tools.write(({ trx }) => readManifest(trx, run.repository_id)).then(byPath);
  earlier.catch(() => {}); // awaited below, after what may fail before it
  const { entries, proof, truncated } = await readTree({
    treeSha: head.tree_sha,
    wasTruncated: run.mode === "incremental" && indexed?.truncated === true,
    source: tools.source,
    limits: tools.limits,
    signal: tools.signal,
    previous: async () => Array.from(await earlier, toEntry),
  });
  const previous = await earlier;
  const blobs = await fetchMissing(entries, { ...tools, run, head, previous });
  await publish(run, entries, { ...tools, head, proof: { ...proof, truncated }, previous, blobs });
  await collect(run, tools);
  await refuseStale(run, head, tools);
  await finishPublished(proof, tools);
}

function toEntry([path, { mode, sha, size }]: [string, FileRow]): TreeEntry {
  return { path, mode, sha, size };
}

/** The newest head; read again while it disagrees with the push that asked and nothing seems to have changed. */
async function resolveHead(run: ScanRun, tools: ScanTools): Promise<Head | null> {
  for (let reread = 0; ; reread += 1) {
    const head = await tools.source.readHead(tools.signal);
    if (!run.wanted_head || head?.sha === run.wanted_head || reread === REF_REREADS) return head;
    const indexed = await tools.write(({ trx }) => readIndexed(trx, run.repository_id));
    if (head && head.sha !== indexed?.commit) return head;
    await delay(REF_REREAD_MS, undefined, { signal: tools.signal });
  }
}

/** True when there is provably nothing to do. A person's request looks at the tree all the same. */
function isCurrent(
  run: ScanRun,
  head: Head,
  indexed: { commit: string; branch: string | null; verified: boolean } | null,
) {
  const byPerson = run.trigger === "rescan" || run.trigger === "rerun";
  return (
    !byPerson &&
    run.mode === "incremental" &&
    indexed?.verified === true &&
    indexed.commit === head.sha &&
    indexed.branch === head.branch
  );
}

/** A push must not be answered with "nothing to do" because the host does not show it yet. */
function refuseLagging({ wanted_head, epoch }: ScanRun, head: Head): void {
  if (!wanted_head || wanted_head === head.sha || epoch > MAX_LAGGING_CLAIMS) return;
  throw new HeadLags(wanted_head, 1_000 * 2 ** epoch);
}

async function finishEmpty(run: ScanRun, tools: ScanTools): Promise<void> {
  await tools.write((t) => removeManifest(t, run.repository_id), {
    stage: "publishing",
    progress: { files_total: 0, files_done: 0 },
  });
  await collect(run, tools);
  const message = "The repository has no commits: nothing to index yet.";
  await tools.write((t) => tools.finish(t, { verified: null, message }));
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
  run: ScanRun,
  entries: TreeEntry[],
  tools: ScanTools & Pick<Publication, "head" | "proof"> & { previous: ManifestByPath; blobs: KnownBlobs },
): Promise<void> {
  const { head, proof, previous, blobs, limits, signal } = tools;
  // A full scan takes no language from older ones.
  const trusted: ManifestByPath = run.mode === "incremental" ? previous : new Map();
  await tools.write(async () => {}, { stage: "publishing" });
  await askTexts(run, await entriesToAsk(entries, { ...blobs, previous: trusted }), tools);
  const attributes = await readAttributes(run, entries, tools);
  const files = await assembleFiles(entries, { ...blobs, attributes, previous: trusted, limits });
  const diff = await diffFiles(previous, files);
  signal.throwIfAborted();
  await tools.write(
    async (t) => {
      const counts = await publishManifest(t, { repository_id: run.repository_id, head, proof, diff });
      await recordProgress(t, run, {
        ...counts,
        files_changed: diff.added.length + diff.changed.length,
        files_removed: diff.removed.length,
      });
    },
    { stage: "publishing" },
  );
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

/** The .gitattributes files that say something, by path; the topmost where there are very many. */
async function readAttributes(
  run: ScanRun,
  entries: TreeEntry[],
  { write, blobs }: ScanTools & { blobs: KnownBlobs },
): Promise<Map<string, string>> {
  const found = entries
    .filter(({ path, sha }) => ATTRIBUTES_FILE.test(path) && blobs.stored.get(sha)?.state === "indexed")
    .sort((a, b) => a.path.split("/").length - b.path.split("/").length)
    .slice(0, MAX_ATTRIBUTES_FILES);
  const attributes = new Map<string, string>();
  for (const some of slicesOf(found, TEXTS_AT_ONCE)) {
    const shas = some.map(({ sha }) => sha);
    const texts = await write(({ trx }) =>
      readTexts(trx, run.repository_id, { shas, chunks: MAX_ATTRIBUTES_CHUNKS }),
    );
    for (const { path, sha } of some) attributes.set(displayPath(path).path, texts.get(sha) ?? "");
  }
  return attributes;
}

async function collect(run: ScanRun, tools: ScanTools): Promise<void> {
  let more = true;
  while (more) {
    more = await tools.write(({ trx }) => collectBlobs(trx, run.repository_id), { stage: "tidying up" });
  }
}

/**
 * A ref may lag its webhook by longer than the first reads waited. A push that asked for another commit than was
 * indexed is therefore not answered before the head was seen to be still the same.
 */
async function refuseStale(run: ScanRun, head: Head, tools: ScanTools): Promise<void> {
  if (!run.wanted_head || run.wanted_head === head.sha) return;
  const now = await tools.source.readHead(tools.signal);
  if (now?.sha !== head.sha) throw new HeadMoved(head.sha);
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
