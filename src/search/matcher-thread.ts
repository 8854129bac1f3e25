import { parentPort } from "node:worker_threads";
import { compilePattern } from "./match.ts";
import type { MatchAnswer, MatchRequest } from "./matcher.ts";

parentPort?.on("message", ({ texts, patterns, limit, ranged }: MatchRequest) => {
  const compiled = patterns.map(compilePattern);
  const found = texts.map((text) => compiled.map((pattern) => pattern.matchLines(text, limit, ranged)));
  parentPort?.postMessage(found satisfies MatchAnswer);
});
