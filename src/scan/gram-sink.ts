import { sql } from "kysely";
import type { MemberBlob } from "../grams/members.ts";
import { MAX_UNITS, type UnitKeys } from "../grams/segment.ts";
import { drawSegmentId, storeSegment } from "../grams/store.ts";
import type { IndexedUnits } from "../grams/unit.ts";
import { chunkText } from "./chunk.ts";
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
    if (this.#units + counts.length > MAX_UNITS || this.#keys + keys.length > MAX_KEYS) await this.flush();
    this.#pieces.push({ keys, counts });
    for (const blob of blobs) this.#blobs.push(blob);
    this.#keys += keys.length;
    this.#units += counts.length;
    const last = blobs.at(-1) as MemberBlob;
    this.#end = last.first + last.units.reduce((sum, size) => sum + size, 0);
  }

  /** Writes what was added since the last segment, together with the lines of these paths where there are any. */
  async flush(paths: PathLines | null = null): Promise<void> {
    const first = this.#next;
    const chunks = paths ? chunkText(paths.lines.join("\n")) : [];
    if (chunks.length > 0) {
      this.#next += chunks.length;
      await this.add(await this.#tools.parser.index([{ first, chunks, isPaths: true }]));
    }
    const segment = await this.#makeSegment();
    if (segment === null && paths === null) return;
    const repository_id = this.#repositoryId;
    await this.#tools.write(async (t) => {
      if (paths) await storePaths(t, { repository_id, first, chunks, ...paths });
      if (segment === null) return;
      await storeSegment(t, { ...segment, parts: [{ repository_id, blobs: segment.blobs }] });
      await sql`update repositories set grams_through = ${segment.through} where id = ${repository_id}`.execute(
        t.trx,
      );
    });
  }

  /** The rows of what was added, and up to which chunk that is; null where nothing was. */
  async #makeSegment() {
    if (this.#blobs.length === 0) return null;
    const { write, parser } = this.#tools;
    const [pieces, blobs, through] = [this.#pieces, this.#blobs, this.#end - 1];
    this.#pieces = [];
    this.#blobs = [];
    this.#keys = 0;
    this.#units = 0;
    const id = await write(({ trx }) => drawSegmentId(trx));
    return { id, blobs, through, postings: await parser.makeSegment(id, pieces) };
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
