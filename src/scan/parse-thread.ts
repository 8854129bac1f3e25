import { parentPort } from "node:worker_threads";
import { type ParseRequest, parseBlobs } from "./parse.ts";
import type { ParserAnswer } from "./parser.ts";

parentPort?.on("message", (request: ParseRequest) => {
  const batch = parseBlobs(request);
  const pieces = [...batch.rows.blobs, ...batch.rows.chunks];
  const { content } = request; // goes back, to be filled again
  parentPort?.postMessage({ ...batch, content } satisfies ParserAnswer, [
    content.buffer,
    ...pieces.map((piece) => piece.buffer),
  ]);
});
