import { parentPort } from "node:worker_threads";
import { encodeCopy } from "../database/copy.ts";
import { POSTING_COLUMNS, rowsOfUnits } from "../grams/segment.ts";
import { UnitIndexer } from "../grams/unit.ts";
import { parseBlobs } from "./parse.ts";
import type { ThreadAnswer, ThreadRequest } from "./parser.ts";

const indexer = new UnitIndexer();

/** The answer to a request, and the buffers that move with it. */
function answer(request: ThreadRequest): { answer: ThreadAnswer; moved: ArrayBuffer[] } {
  if (request.kind === "parse") {
    const batch = parseBlobs(request, indexer);
    const { rows, units } = batch;
    const { content } = request; // goes back, to be filled again
    const pieces = [...rows.blobs, ...rows.chunks];
    const moved = [content, units.keys, units.counts, ...pieces].map(({ buffer }) => buffer as ArrayBuffer);
    return { answer: { kind: "parse", ...batch, content }, moved };
  }
  if (request.kind === "index") {
    for (const { first, chunks, isPaths } of request.texts) indexer.add(chunks, { first, isPaths });
    const units = indexer.take();
    return {
      answer: { kind: "index", units },
      moved: [units.keys.buffer as ArrayBuffer, units.counts.buffer as ArrayBuffer],
    };
  }
  const rows = rowsOfUnits(request.pieces).map(({ key, data }) => [key, request.segment_id, data]);
  const postings = [...encodeCopy(POSTING_COLUMNS, rows)];
  return { answer: { kind: "segment", postings }, moved: postings.map(({ buffer }) => buffer) };
}

parentPort?.on("message", (request: ThreadRequest) => {
  const { answer: message, moved } = answer(request);
  parentPort?.postMessage(message, moved);
});
