import { parentPort } from "node:worker_threads";
import { type ParseRequest, parseBlobs } from "./parse.ts";

parentPort?.on("message", (request: ParseRequest) => {
  const batch = parseBlobs(request);
  const pieces = [...batch.rows.blobs, ...batch.rows.chunks];
  parentPort?.postMessage(
    batch,
    pieces.map((piece) => piece.buffer),
  );
});
