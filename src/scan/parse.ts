import { type Column, encodeCopy } from "../database/copy.ts";
import type { BlobState } from "../database/schema.ts";
import type { IndexedUnits, UnitIndexer } from "../grams/unit.ts";
import { chunkText, lineCount } from "./chunk.ts";
import { type Classified, classifyBlob } from "./classify.ts";
import { languageOfText } from "./language-of-text.ts";

/** Blobs to parse, in one buffer, so that they move to another thread at the cost of a pointer. */
export interface ParseRequest {
  repository_id: string;
  run_id: string;
  /** The number that the first chunk gets; chunksAtMost says how many may be used. */
  first_chunk: number;
  content: Uint8Array<ArrayBuffer>;
  blobs: { sha: string; start: number; end: number; hints: string[] }[];
}

export interface ParsedBlob {
  sha: string;
  size: number;
  state: BlobState;
  chunks: number;
  /** By hint (languageOfName), as asked for: the language its text tells, or null where it tells none. */
  languages: Record<string, string | null>;
}

/** What blobs turned out to be, and the rows that say so, ready to be sent to the database. */
export interface ParsedBatch {
  blobs: ParsedBlob[];
  /** Blobs that our own code could not read, with what it said. */
  failed: { sha: string; message: string }[];
  /** Whole binary COPY streams, in pieces. */
  rows: { blobs: Uint8Array<ArrayBuffer>[]; chunks: Uint8Array<ArrayBuffer>[] };
  /** What the search index is made of. */
  units: IndexedUnits;
}

/** More chunks than any blob of so many bytes is cut into. */
export function chunksAtMost(bytes: number): number {
  return 4 + Math.ceil(bytes / 1_024);
}

export const BLOB_COLUMNS: Column[] = [
  { name: "repository_id", type: "int8" },
  { name: "sha", type: "bytea" },
  { name: "size", type: "int4" },
  { name: "state", type: "text" },
  { name: "encoding", type: "text" },
  { name: "chunk_count", type: "int4" },
  { name: "line_count", type: "int4" },
  { name: "run_id", type: "int8" },
  { name: "first_chunk", type: "int8" },
];

export const CHUNK_COLUMNS: Column[] = [
  { name: "repository_id", type: "int8" },
  { name: "id", type: "int8" },
  { name: "sha", type: "bytea" },
  { name: "start_line", type: "int4" },
  { name: "start_column", type: "int4" },
  { name: "text", type: "text" },
];

/**
 * Classifies, chunks and indexes blobs, and encodes what is to be stored of them. Pure, and run on a thread of its own.
 */
export function parseBlobs(
  { repository_id, run_id, first_chunk, content, blobs }: ParseRequest,
  indexer: UnitIndexer,
): ParsedBatch {
  const batch: Pick<ParsedBatch, "blobs" | "failed"> = { blobs: [], failed: [] };
  const blobRows: unknown[][] = [];
  const chunkRows: unknown[][] = [];
  let next = first_chunk;
  for (const { sha, start, end, hints } of blobs) {
    try {
      const bytes = Buffer.from(content.buffer, content.byteOffset + start, end - start);
      const { classified, chunks } = parseBlob(bytes);
      const { state } = classified;
      const { text, encoding } = state === "indexed" ? classified : { text: "", encoding: null };
      const key = Buffer.from(sha, "hex");
      const size = bytes.length;
      blobRows.push([
        repository_id,
        key,
        size,
        state,
        encoding,
        chunks.length,
        lineCount(text),
        run_id,
        next,
      ]);
      for (const { ordinal, start_line, start_column, text: piece } of chunks) {
        chunkRows.push([repository_id, next + ordinal, key, start_line, start_column, piece]);
      }
      indexer.add(chunks, { first: next });
      next += chunks.length;
      const languages = Object.fromEntries(hints.map((hint) => [hint, languageOfText(hint, text)]));
      batch.blobs.push({ sha, size, state, chunks: chunks.length, languages });
    } catch (error) {
      batch.failed.push({ sha, message: String(error) });
    }
  }
  return {
    ...batch,
    rows: {
      blobs: [...encodeCopy(BLOB_COLUMNS, blobRows)],
      chunks: [...encodeCopy(CHUNK_COLUMNS, chunkRows)],
    },
    units: indexer.take(),
  };
}

function parseBlob(bytes: Buffer): { classified: Classified; chunks: ReturnType<typeof chunkText> } {
  const classified = classifyBlob(bytes);
  return { classified, chunks: classified.state === "indexed" ? chunkText(classified.text) : [] };
}
