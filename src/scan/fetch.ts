import type { BlobState, RunMode, RunProgress } from "../database/schema.ts";
import { type FileRow, type KnownBlobs, type ManifestByPath, type StoredBlob, textKey } from "./files.ts";
import type { GramSink } from "./gram-sink.ts";
import { languageOfName } from "./language.ts";
import { EMPTY_BLOB_SHA, gitBlobSha, type TreeEntry } from "./manifest.ts";
import type { ParsedBatch, ParseRequest } from "./parse.ts";
import type { ScanTools } from "./scan.ts";
import { slicesOf } from "./slices.ts";
import { type Head, SourceError } from "./source.ts";
import { readBlobs, storeBlobs } from "./store.ts";
import { Turn } from "./turn.ts";

/** A batch is parsed and written once it holds this many bytes of content or this many blobs. */
const BATCH_BYTES = 4 * 1024 * 1024;
const BATCH_BLOBS = 1_000;
/** So many batches may be on their way: one is written and one waits parsed while a third is parsed. */
const BATCHES_AT_ONCE = 3;
/** How many SHAs the database is asked for at once. */
const ASK_BLOBS = 10_000;
/** Above this share of the repository's bytes, one archive costs less than the blobs one by one. */
const TARBALL_SHARE = 0.25;
/** Above this many missing blobs the archive is taken whatever their share: requests must not grow with files. */
const TARBALL_BLOBS = 500;
/** The same, where most of the archive is of files that are left out. */
const TARBALL_BLOBS_OF_FEW = 5_000;
/**
 * An archive that could not be read so often is done without, unless more blobs than that are missing: git refuses to
 * make one of some trees (a name such as "git~1", an encoding that .gitattributes names wrongly).
 */
const ARCHIVE_ATTEMPTS = 2;
const MANY_BLOBS = 20_000;
/** A handful of files is never worth an archive. */
const FEW_BLOBS = 20;
const FEW_BYTES = 1024 * 1024;

interface FetchContext extends ScanTools {
  run: { id: string; repository_id: string; mode: RunMode; failures: number };
  head: Head;
  grams: GramSink;
  /** The published manifest: what it calls stored is. */
  previous: ManifestByPath;
  /** Which entries' content must be stored. */
  needs: (entry: TreeEntry) => boolean;
  /** True for a few files that are fetched ahead of all others: not by archive, and not counted. */
  isAhead?: boolean;
}

/** A blob that is to be fetched: at how many paths it stands, and what its text is to be asked for. */
interface Want {
  copies: number;
  hints: readonly string[];
}

/** What nearly every blob is: one object for all of them. */
const ONCE: Want = { copies: 1, hints: [] };

/** The blobs that are to be stored: how many of them there are in all, and those that are missing. */
interface Inventory extends KnownBlobs {
  entries: TreeEntry[];
  wanted: Map<string, Want>;
  /** Bytes of what is wanted. */
  wantedBytes: number;
  /** Entries with nothing left to fetch. */
  done: number;
  /** Bytes of all entries that are to be stored. */
  bytes: number;
  /** Bytes of all others, which an archive holds too. */
  otherBytes: number;
}

/**
 * Fetches, verifies, parses and stores the blobs that are not stored yet: from one streamed archive when much is
 * missing, else in batches. Answers what all the blobs are, stored before or now.
 */
export async function fetchMissing(entries: TreeEntry[], context: FetchContext): Promise<KnownBlobs> {
  const inventory = await takeInventory(entries, context);
  const { wanted, unreadable } = inventory;
  const sink = new BlobSink(context, inventory);
  await sink.begin();
  const missing = new Set(wanted.keys());
  if (missing.delete(EMPTY_BLOB_SHA)) await sink.add(EMPTY_BLOB_SHA, Buffer.alloc(0));
  try {
    if (!context.isAhead && prefersTarball(inventory))
      await readArchive(missing, { ...context, inventory, sink });
    await readSingly(missing, { ...context, inventory, sink });
  } catch (error) {
    // What was read before a limit or an outage is kept: the next attempt goes on from there.
    if (!context.signal.aborted) await sink.flush().catch(() => {});
    throw error;
  }
  await sink.flush();
  if (unreadable.size > 0) context.log.warn({ count: unreadable.size }, "blobs could not be read");
  return inventory;
}

async function takeInventory(entries: TreeEntry[], context: FetchContext): Promise<Inventory> {
  const stored = context.run.mode === "incremental" ? storedOf(context.previous.values()) : new Map();
  const due = entries.filter(context.needs);
  await addStored(stored, due, context);
  const inventory: Inventory = {
    entries,
    stored,
    unreadable: new Map(),
    languages: new Map(),
    wanted: new Map(),
    wantedBytes: 0,
    done: entries.length - due.length,
    bytes: 0,
    otherBytes: 0,
  };
  for (const { size } of entries) inventory.otherBytes += size ?? 0;
  const turn = new Turn();
  for (const { path, sha, size } of due) {
    if (turn.isOver()) await turn.next();
    inventory.bytes += size ?? 0;
    inventory.otherBytes -= size ?? 0;
    if (stored.has(sha)) {
      inventory.done += 1;
      continue;
    }
    const before = inventory.wanted.get(sha);
    if (!before) inventory.wantedBytes += size ?? 0;
    inventory.wanted.set(sha, addPath(before, languageOfName(path).hint));
  }
  return inventory;
}

function addPath(want: Want | undefined, hint: string | null): Want {
  if (!want && hint === null) return ONCE;
  const { copies, hints } = want ?? { copies: 0, hints: [] };
  return { copies: copies + 1, hints: hint === null || hints.includes(hint) ? hints : [...hints, hint] };
}

const STORED_STATES: ReadonlySet<string> = new Set<BlobState>(["indexed", "binary", "encoding", "lfs"]);

function storedOf(files: Iterable<FileRow>): Map<string, StoredBlob> {
  const stored = new Map<string, StoredBlob>();
  for (const { sha, state, size } of files) {
    if (STORED_STATES.has(state)) stored.set(sha, { state: state as BlobState, size: size ?? 0 });
  }
  return stored;
}

/**
 * Adds what is stored beside the published manifest: by an attempt that did not get to publish. A full run renews
 * what older runs stored, and keeps what its own earlier attempts did.
 */
async function addStored(
  stored: Map<string, StoredBlob>,
  due: TreeEntry[],
  { run, write }: FetchContext,
): Promise<void> {
  const unknown = [...new Set(due.map(({ sha }) => sha).filter((sha) => !stored.has(sha)))];
  for (const some of slicesOf(unknown, ASK_BLOBS)) {
    const blobs = await write(({ trx }) => readBlobs(trx, run.repository_id, some));
    for (const { sha, state, size, run_id } of blobs) {
      if (run.mode === "incremental" || run_id === run.id) stored.set(sha, { state, size });
    }
  }
}

function prefersTarball({ wanted, wantedBytes, bytes, otherBytes }: Inventory): boolean {
  if (wanted.size <= FEW_BLOBS && wantedBytes <= FEW_BYTES) return false;
  const most = otherBytes > bytes ? TARBALL_BLOBS_OF_FEW : TARBALL_BLOBS;
  return wanted.size > most || wantedBytes > (bytes + otherBytes) * TARBALL_SHARE;
}

type Fetching = FetchContext & { inventory: Inventory; sink: BlobSink };

/** Takes from the archive what hashes to its SHA; `export-subst` and eol attributes change bytes on the way. */
async function readArchive(missing: Set<string>, context: Fetching): Promise<void> {
  const shaOfPath = new Map<string, string>();
  for (const { path, sha } of context.inventory.entries) if (missing.has(sha)) shaOfPath.set(path, sha);
  const wanted = (path: Buffer) => missing.has(shaOfPath.get(path.toString("latin1")) ?? "");
  const files = context.source.streamFiles(context.head.sha, { wanted, signal: context.signal });
  try {
    for await (const { path, content } of files) {
      const sha = shaOfPath.get(path.toString("latin1"));
      if (sha === undefined || gitBlobSha(content) !== sha || !missing.delete(sha)) continue;
      await context.sink.add(sha, content);
    }
  } catch (error) {
    const isBad = error instanceof SourceError && error.code === "bad_archive";
    if (!isBad || context.run.failures < ARCHIVE_ATTEMPTS || missing.size > MANY_BLOBS) throw error;
    context.log.warn({ err: error, missing: missing.size }, "the archive is done without");
  }
}

async function readSingly(
  missing: Set<string>,
  { inventory, sink, source, signal }: Fetching,
): Promise<void> {
  if (missing.size === 0) return;
  const { unreadable } = inventory;
  const blobs = new Map<string, { sha: string; size: number | null }>();
  for (const { sha, size } of inventory.entries) if (missing.has(sha)) blobs.set(sha, { sha, size });
  for await (const { sha, content } of source.readBlobs([...blobs.values()], signal)) {
    if (content === null) unreadable.set(sha, "GitHub does not have this file's content.");
    else if (gitBlobSha(content) !== sha)
      unreadable.set(sha, "GitHub delivered bytes that do not hash to the file's SHA.");
    else await sink.add(sha, content);
  }
}

/**
 * Collects verified blobs, has them parsed and writes them in bounded, fenced transactions, in order. Reading,
 * parsing and writing go on side by side; whoever reads too fast waits.
 */
class BlobSink {
  readonly #context: FetchContext;
  readonly #inventory: Inventory;
  readonly #progress: Required<Pick<RunProgress, "files_total" | "files_done" | "chunks" | "bytes">>;
  #batch: { sha: string; content: Buffer }[] = [];
  #bytes = 0;
  /** Filled again and again: new memory for each batch would keep the garbage collector busy. */
  readonly #buffers: Uint8Array<ArrayBuffer>[] = [];
  /** Batches on their way, each until it is written. */
  readonly #sent: Promise<void>[] = [];

  constructor(context: FetchContext, inventory: Inventory) {
    this.#context = context;
    this.#inventory = inventory;
    const { entries, done } = inventory;
    this.#progress = { files_total: entries.length, files_done: done, chunks: 0, bytes: 0 };
  }

  async begin(): Promise<void> {
    await this.#context.write(async () => {}, this.#moved());
  }

  async add(sha: string, content: Buffer): Promise<void> {
    this.#context.signal.throwIfAborted();
    this.#batch.push({ sha, content });
    this.#bytes += content.length;
    if (this.#bytes >= BATCH_BYTES || this.#batch.length >= BATCH_BLOBS) await this.#send();
  }

  /** Writes what is left; everything is stored once it resolves. */
  async flush(): Promise<void> {
    if (this.#batch.length > 0) await this.#send();
    await Promise.all(this.#sent);
  }

  async #send(): Promise<void> {
    if (this.#sent.length === BATCHES_AT_ONCE) await this.#sent.shift();
    const parsing = this.#parse(this.#take());
    parsing.catch(() => {}); // awaited below, after the batch before it
    const written = this.#writeAfter(this.#sent.at(-1), parsing);
    written.catch(() => {}); // whoever awaits it next is told
    this.#sent.push(written);
  }

  async #parse(request: ParseRequest): Promise<ParsedBatch> {
    const { content, ...parsed } = await this.#context.parser.parse(request);
    this.#buffers.push(content);
    return parsed;
  }

  async #writeAfter(before: Promise<void> | undefined, parsing: Promise<ParsedBatch>): Promise<void> {
    await before;
    await this.#write(await parsing);
  }

  #take(): ParseRequest {
    const content = this.#bufferOf(this.#bytes);
    let end = 0;
    const blobs = this.#batch.map(({ sha, content: bytes }) => {
      const start = end;
      content.set(bytes, start);
      end += bytes.length;
      return { sha, start, end, hints: [...(this.#inventory.wanted.get(sha)?.hints ?? [])] };
    });
    this.#batch = [];
    this.#bytes = 0;
    const { id: run_id, repository_id } = this.#context.run;
    const first_chunk = this.#context.grams.reserve(blobs.map(({ start, end: after }) => after - start));
    return { repository_id, run_id, first_chunk, content, blobs };
  }

  #bufferOf(bytes: number): Uint8Array<ArrayBuffer> {
    const buffer = this.#buffers.pop();
    return buffer && buffer.length >= bytes ? buffer : new Uint8Array(Math.max(bytes, BATCH_BYTES * 1.25));
  }

  async #write(parsed: ParsedBatch): Promise<void> {
    const { wanted, stored, languages, unreadable } = this.#inventory;
    for (const { sha, size, state, chunks, languages: told } of parsed.blobs) {
      stored.set(sha, { state, size });
      for (const [hint, language] of Object.entries(told)) languages.set(textKey(sha, hint), language);
      this.#progress.files_done += wanted.get(sha)?.copies ?? 0;
      this.#progress.chunks += chunks;
      this.#progress.bytes += size;
    }
    for (const { sha, message } of parsed.failed) {
      unreadable.set(sha, "Repodex failed to read this file; its log says how.");
      this.#context.log.error({ sha, error: message }, "a blob could not be parsed");
    }
    const { run, write, grams } = this.#context;
    const owner = { repository_id: run.repository_id, replace: run.mode === "full" };
    await write((t) => storeBlobs(t, owner, parsed), this.#moved());
    await grams.add(parsed.units);
  }

  #moved(): { stage: string; progress?: RunProgress } {
    if (this.#context.isAhead) return { stage: "reading .gitattributes" };
    return { stage: "reading files", progress: this.#progress };
  }
}
