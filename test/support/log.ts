import type { Logger } from "pino";
import { createLogger } from "../../src/log.ts";

export interface CapturedLog {
  log: Logger;
  /** What was logged so far, parsed. */
  lines: Record<string, unknown>[];
  /** The same as one text, to search for what must not be in it. */
  text(): string;
}

/** A logger as the product makes it, that writes into memory. */
export function captureLog(level = "trace"): CapturedLog {
  const written: string[] = [];
  const lines: Record<string, unknown>[] = [];
  const log = createLogger(level, {
    write(line) {
      written.push(line);
      lines.push(JSON.parse(line));
    },
  });
  return { log, lines, text: () => written.join("") };
}
