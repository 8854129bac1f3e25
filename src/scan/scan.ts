import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "pino";
import type { Transaction } from "../database/connect.ts";
import type { RunMode, RunProgress, RunTrigger } from "../database/schema.ts";
import { fetchMissing } from "./fetch.ts";
import { assembleFiles, diffFiles, type FileRow } from "./files.ts";
import type { TreeEntry } from "./manifest.ts";
import { listTree, type Proof, proveManifest } from "./prove.ts";
import { type Head, HeadMoved, type Source } from "./source.ts";
import {
  collectBlobs,
  countFiles,
  listBlobs,
  type Publication,
  publishManifest,
  readIndexed,
  readManifest,
  readTextByPath,
} from "./store.ts";

/** A ref may lag its webhook: it is read again before a push is called "nothing to do". Twice, a second apart. */
const REF_REREADS = 2;
const REF_REREAD_MS = 1_000;

export interface ScanRun {
  id: string;
  repository_id: string;
  trigger: RunTrigger;
  mode: RunMode;
  wanted_head: string | null;
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
 * Makes the index of a repository equal to the newest commit of its branch: head → tree → diff → fetch → prove →
 * publish → collect. Safe to break off anywhere: blobs stay, and the manifest changes in one transaction.
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
  if (isCurrent(run, head, indexed)) return await finishUnchanged(run, tools);

  const previous = async () =>
    (await tools.write(({ trx }) => readManifest(trx, run.repository_id))).map(toEntry);
  const listing = await listTree(head.tree_sha, { ...tools, previous });
  const { entries, proof } = await proveManifest(listing, { treeSha: head.tree_sha, ...tools });
  const unreadable = await storeMissing(run, entries, { ...tools, head });
  await publish(run, entries, { ...tools, head, proof, unreadable });
  await collect(run, tools);
  await refuseStale(run, head, tools);
  await finishPublished(proof, tools);
}

function toEntry({ path, path_bytes, mode, sha, size }: FileRow): TreeEntry {
  return { path: path_bytes ?? Buffer.from(path), mode, sha, size };
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

async function finishEmpty(run: ScanRun, tools: ScanTools): Promise<void> {
  await tools.write((t) => publishManifest(t, { repository_id: run.repository_id, head: null }), {
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

/** Fetches and stores every blob that is not there yet; answers those that could not be read, with the reason. */
async function storeMissing(
  run: ScanRun,
  entries: TreeEntry[],
  tools: ScanTools & { head: Head },
): Promise<Map<string, string>> {
  const stored = await tools.write(({ trx }) => listBlobs(trx, run.repository_id));
  // A full scan renews what older runs stored, and keeps what its own earlier attempts did.
  const isStored = (sha: string) => {
    const blob = stored.get(sha);
    return blob !== undefined && (run.mode === "incremental" || blob.run_id === run.id);
  };
  return await fetchMissing(entries, { ...tools, run, isStored });
}

async function publish(
  run: ScanRun,
  entries: TreeEntry[],
  tools: ScanTools & { head: Head; proof: Proof; unreadable: Map<string, string> },
): Promise<void> {
  const { head, proof, unreadable, limits, signal } = tools;
  const context = await tools.write(
    async ({ trx }) => ({
      blobs: await listBlobs(trx, run.repository_id),
      attributes: await readTextByPath(trx, run.repository_id, entries.filter(isAttributesFile)),
      previous: await readManifest(trx, run.repository_id),
    }),
    { stage: "publishing" },
  );
  signal.throwIfAborted();
  const files: FileRow[] = assembleFiles(entries, { ...context, unreadable, limits });
  const diff = diffFiles(context.previous, files);
  const publication: Publication = { repository_id: run.repository_id, head, proof, diff };
  await tools.write(
    async (t) => {
      await publishManifest(t, publication);
      const progress = await countFiles(t.trx, run.repository_id);
      await recordProgress(t, run, {
        ...progress,
        files_changed: diff.added.length + diff.changed.length,
        files_removed: diff.removed.length,
      });
    },
    { stage: "publishing" },
  );
}

function isAttributesFile(entry: TreeEntry): boolean {
  const path = entry.path.toString("latin1");
  return path === ".gitattributes" || path.endsWith("/.gitattributes");
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
