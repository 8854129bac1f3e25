import { compilePattern, type LineMatch } from "./match.ts";
import type { Pattern } from "./pattern.ts";
export class TimedOut extends Error {}
export class Matcher {
  constructor(_: { threads: number }) {}
  async match(
    texts: string[],
    patterns: Pattern[],
    { limit }: { deadline: number; limit: number; signal?: AbortSignal },
  ): Promise<LineMatch[][][]> {
    const compiled = patterns.map(compilePattern);
    return texts.map((text) => compiled.map((pattern) => pattern.matchLines(text, limit)));
  }
  async close() {}
}
