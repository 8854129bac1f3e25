import { sql } from "kysely";
import type { MemberBlob } from "../grams/members.ts";
import { MAX_UNITS, type UnitKeys } from "../grams/segment.ts";
import { drawSegmentId, storeSegment } from "../grams/store.ts";
import type { IndexedUnits } from "../grams/unit.ts";
import { type Chunk, chunkText } from "./chunk.ts";
import { chunksAtMost } from "./parse.ts";
import type { ScanTools } from "./scan.ts";
import { type PathLines, readNumbered, readUnindexed, storePaths, type UnindexedBlob } from "./store.ts";

/** A segment is written once it has so many keys: they are held in memory until then, four bytes each. */
const MAX_KEYS = 8_000_000;
/** How many chunks are read at once to be indexed anew: 4 MB. */
const READ_CHUNKS = 512;

/**
 * Collects what the search index is made of and writes it in segments, in the order of chunk numbers. So all chunks up
 * to one number are in segments, and it is enough to store that number (repositories.grams_through).
 */
export class GramSink {
  readonly #repositoryId: string;
  readonly #tools: ScanTools;
  #next = 0;
  #pieces: UnitKeys[] = [];
  #blobs: MemberBlob[] = [];
  #keys = 0;
  #units = 0;
  /** The segment that is being written: one at a time, while others are read. */
  #writing: Promise<void> = Promise.resolve();
  /** The first number after all that was added. */
  #end = 0;

  private constructor(repositoryId: string, tools: ScanTools) {
    this.#repositoryId = repositoryId;
    this.#tools = tools;
  }

  /** Opens a repository's; what an attempt before this one stored but did not index is indexed first. */
  static async open(repositoryId: string, tools: ScanTools): Promise<GramSink> {
    const sink = new GramSink(repositoryId, tools);
    const { through, last, blobs } = await tools.write(({ trx }) => readUnindexed(trx, repositoryId));
    sink.#end = through + 1;
    sink.#next = Math.max(through, last) + 1;
    await sink.#indexStored(blobs);
    return sink;
  }

  /** Numbers for the chunks of so many blobs of so many bytes; they may be more than there are. */
  reserve(sizes: number[]): number {
    const first = this.#next;
    for (const size of sizes) this.#next += chunksAtMost(size);
    return first;
  }

  /** Takes the units of chunks that are stored by now. */
  async add({ keys, counts, blobs }: IndexedUnits): Promise<void> {
    if (blobs.length === 0) return;
    if (this.#units + counts.length > MAX_UNITS || this.#keys + keys.length > MAX_KEYS)
      await this.#writeSegment(null);
    this.#pieces.push({ keys, counts });
    for (const blob of blobs) this.#blobs.push(blob);
    this.#keys += keys.length;
    this.#units += counts.length;
    const last = blobs.at(-1) as MemberBlob;
    this.#end = last.first + last.units.reduce((sum, size) => sum + size, 0);
  }

  /** Writes what was added, together with the lines of these paths where there are any; all is stored once it resolves. */
  async flush(paths: PathLines | null = null): Promise<void> {
    const first = this.#next;
    const chunks = paths ? chunkText(paths.lines.join("\n")) : [];
    if (chunks.length > 0) {
      this.#next += chunks.length;
      await this.add(await this.#tools.parser.index([{ first, chunks, isPaths: true }]));
    }
    await this.#writeSegment(paths && { first, chunks, ...paths });
    await this.#writing;
  }

  /** Begins to write a segment of what was added, once the one before it is written. */
  async #writeSegment(paths: (PathLines & { first: number; chunks: Chunk[] }) | null): Promise<void> {
    await this.#writing;
    const segment = this.#takeSegment();
    if (segment === null && paths === null) return;
    const { write, parser } = this.#tools;
    const repository_id = this.#repositoryId;
    const work = async () => {
      const made = segment && { ...segment, ...(await makeSegment(segment.pieces, { write, parser })) };
      await write(async (t) => {
        if (paths) await storePaths(t, { repository_id, ...paths });
        if (made === null) return;
        await storeSegment(t, { ...made, parts: [{ repository_id, blobs: made.blobs }] });
        await sql`update repositories set grams_through = ${made.through} where id = ${repository_id}`.execute(
          t.trx,
        );
      });
    };
    this.#writing = work();
    this.#writing.catch(() => {}); // whoever adds or flushes next is told
  }

  /** What was added, and up to which chunk that is; null where nothing was. */
  #takeSegment() {
    if (this.#blobs.length === 0) return null;
    const taken = { pieces: this.#pieces, blobs: this.#blobs, through: this.#end - 1 };
    this.#pieces = [];
    this.#blobs = [];
    this.#keys = 0;
    this.#units = 0;
    return taken;
  }

  async #indexStored(blobs: UnindexedBlob[]): Promise<void> {
    const { parser, signal, write } = this.#tools;
    let some: UnindexedBlob[] = [];
    let chunks = 0;
    const index = async () => {
      signal.throwIfAborted();
      const texts = await write(({ trx }) => readNumbered(trx, this.#repositoryId, some));
      await this.add(await parser.index(texts));
      some = [];
      chunks = 0;
    };
    for (const blob of blobs) {
      if (chunks > 0 && chunks + blob.chunks > READ_CHUNKS) await index();
      some.push(blob);
      chunks += blob.chunks;
    }
    if (some.length > 0) await index();
  }
}

async function makeSegment(
  pieces: UnitKeys[],
  { write, parser }: Pick<ScanTools, "write" | "parser">,
): Promise<{ id: string; postings: Uint8Array[] }> {
  const id = await write(({ trx }) => drawSegmentId(trx));
  return { id, postings: await parser.makeSegment(id, pieces) };
}
