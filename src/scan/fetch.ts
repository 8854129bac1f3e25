import type { RunMode, RunProgress } from "../database/schema.ts";
import { chunkText, lineCount } from "./chunk.ts";
import { classifyBlob, skipReasonOf } from "./classify.ts";
import { EMPTY_BLOB_SHA, gitBlobSha, type TreeEntry } from "./manifest.ts";
import type { ScanTools } from "./scan.ts";
import type { Head } from "./source.ts";
import { type StoredBlob, storeBlobs } from "./store.ts";

/** A batch is written once it holds this many bytes of text or this many blobs. */
const BATCH_BYTES = 4 * 1024 * 1024;
const BATCH_BLOBS = 1_000;
/** Above this share of the repository's bytes, one archive costs less than the blobs one by one. */
const TARBALL_SHARE = 0.25;
/** Above this many missing blobs the archive is taken whatever their share: requests must not grow with files. */
const TARBALL_BLOBS = 500;
/** A handful of files is never worth an archive. */
const FEW_BLOBS = 20;
const FEW_BYTES = 1024 * 1024;

interface FetchContext extends ScanTools {
  run: { id: string; repository_id: string; mode: RunMode };
  head: Head;
  isStored: (sha: string) => boolean;
}

/**
 * Fetches, verifies, classifies, chunks and stores the blobs that are not stored yet: from one streamed archive
 * when much is missing, else in batches. Answers the SHAs that could not be read, each with its reason.
 */
export async function fetchMissing(
  entries: TreeEntry[],
  context: FetchContext,
): Promise<Map<string, string>> {
  const wanted = new Map<string, TreeEntry>();
  let done = 0;
  let total = 0;
  let totalBytes = 0;
  for (const entry of entries) {
    if (skipReasonOf(entry, context.limits)) {
      done += 1;
      continue;
    }
    total += 1;
    totalBytes += entry.size ?? 0;
    if (context.isStored(entry.sha)) done += 1;
    else wanted.set(entry.sha, entry);
  }
  const sink = new BlobSink(context, { entries, missing: new Set(wanted.keys()), done });
  await sink.begin();
  if (wanted.delete(EMPTY_BLOB_SHA)) await sink.add(EMPTY_BLOB_SHA, Buffer.alloc(0));
  if (prefersTarball(wanted, totalBytes)) await readArchive(entries, wanted, { ...context, sink });
  const unreadable = await readSingly(wanted, { ...context, sink });
  await sink.flush();
  if (unreadable.size > 0) context.log.warn({ count: unreadable.size, total }, "blobs could not be read");
  return unreadable;
}

function prefersTarball(wanted: Map<string, TreeEntry>, totalBytes: number): boolean {
  const bytes = [...wanted.values()].reduce((sum, entry) => sum + (entry.size ?? 0), 0);
  if (wanted.size <= FEW_BLOBS && bytes <= FEW_BYTES) return false;
  return wanted.size > TARBALL_BLOBS || bytes > totalBytes * TARBALL_SHARE;
}

/** Takes from the archive what hashes to its SHA; `export-subst` and eol attributes change bytes on the way. */
async function readArchive(
  entries: TreeEntry[],
  wanted: Map<string, TreeEntry>,
  context: FetchContext & { sink: BlobSink },
): Promise<void> {
  const shaOfPath = new Map(
    entries
      .filter((entry) => wanted.has(entry.sha))
      .map((entry) => [entry.path.toString("latin1"), entry.sha]),
  );
  const isWanted = (path: Buffer) => {
    const sha = shaOfPath.get(path.toString("latin1"));
    return sha !== undefined && wanted.has(sha);
  };
  const files = context.source.streamFiles(context.head.sha, { wanted: isWanted, signal: context.signal });
  for await (const { path, content } of files) {
    const sha = shaOfPath.get(path.toString("latin1"));
    if (sha === undefined || gitBlobSha(content) !== sha || !wanted.delete(sha)) continue;
    await context.sink.add(sha, content);
  }
}

async function readSingly(
  wanted: Map<string, TreeEntry>,
  context: FetchContext & { sink: BlobSink },
): Promise<Map<string, string>> {
  const unreadable = new Map<string, string>();
  if (wanted.size === 0) return unreadable;
  const blobs = [...wanted.values()].map(({ sha, size }) => ({ sha, size }));
  for await (const { sha, content } of context.source.readBlobs(blobs, context.signal)) {
    if (content === null) unreadable.set(sha, "GitHub does not have this file's content.");
    else if (gitBlobSha(content) !== sha)
      unreadable.set(sha, "GitHub delivered bytes that do not hash to the file's SHA.");
    else await context.sink.add(sha, content);
  }
  return unreadable;
}

/** Collects verified blobs and writes them in bounded, fenced transactions. */
class BlobSink {
  readonly #context: FetchContext;
  readonly #copies = new Map<string, number>();
  readonly #progress: Required<Pick<RunProgress, "files_total" | "files_done" | "chunks" | "bytes">>;
  #batch: StoredBlob[] = [];
  #bytes = 0;
  #writing: Promise<void> = Promise.resolve();

  constructor(context: FetchContext, scope: { entries: TreeEntry[]; missing: Set<string>; done: number }) {
    this.#context = context;
    for (const { sha } of scope.entries) {
      if (scope.missing.has(sha)) this.#copies.set(sha, (this.#copies.get(sha) ?? 0) + 1);
    }
    this.#progress = { files_total: scope.entries.length, files_done: scope.done, chunks: 0, bytes: 0 };
  }

  async begin(): Promise<void> {
    await this.#context.write(async () => {}, { stage: "reading files", progress: this.#progress });
  }

  async add(sha: string, content: Buffer): Promise<void> {
    this.#context.signal.throwIfAborted();
    this.#batch.push(toStoredBlob(sha, content));
    this.#bytes += content.length;
    if (this.#bytes < BATCH_BYTES && this.#batch.length < BATCH_BLOBS) return;
    await this.#writing; // one batch is written while the next one is read: no more wait in memory
    this.#writing = this.#write(this.#take());
    this.#writing.catch(() => {}); // whoever awaits it next is told
  }

  /** Writes what is left; everything is stored once it resolves. */
  async flush(): Promise<void> {
    await this.#writing;
    await this.#write(this.#take());
  }

  #take(): StoredBlob[] {
    const batch = this.#batch;
    this.#batch = [];
    this.#bytes = 0;
    return batch;
  }

  async #write(batch: StoredBlob[]): Promise<void> {
    if (batch.length === 0) return;
    for (const blob of batch) {
      this.#progress.files_done += this.#copies.get(blob.sha) ?? 0;
      this.#progress.chunks += blob.chunks.length;
      this.#progress.bytes += blob.size;
    }
    const { run } = this.#context;
    await this.#context.write(
      (t) =>
        storeBlobs(
          t,
          { repository_id: run.repository_id, run_id: run.id, replace: run.mode === "full" },
          batch,
        ),
      { stage: "reading files", progress: this.#progress },
    );
  }
}

function toStoredBlob(sha: string, content: Buffer): StoredBlob {
  const classified = classifyBlob(content);
  if (classified.state !== "indexed") {
    return { sha, size: content.length, state: classified.state, encoding: null, line_count: 0, chunks: [] };
  }
  return {
    sha,
    size: content.length,
    state: "indexed",
    encoding: classified.encoding,
    line_count: lineCount(classified.text),
    chunks: chunkText(classified.text),
  };
}
