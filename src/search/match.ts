import type { Pattern } from "./pattern.ts";
export interface LineMatch {
  line: number;
  ranges: [number, number][];
}
export interface CompiledPattern {
  matchLines(text: string, limit: number): LineMatch[];
  test(text: string): boolean;
}
export function compilePattern(pattern: Pattern): CompiledPattern {
  const source =
    pattern.kind === "regex" ? pattern.source : pattern.text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
  const regex = new RegExp(source, pattern.case_sensitive ? "gu" : "giu");
  const matchLines = (text: string, limit: number): LineMatch[] => {
    const found: LineMatch[] = [];
    text.split("\n").forEach((line, i) => {
      const ranges = [...line.replace(/\r$/, "").matchAll(regex)].map((m): [number, number] => [
        m.index,
        m.index + m[0].length,
      ]);
      if (ranges.length && found.length < limit) found.push({ line: i, ranges });
    });
    return found;
  };
  return { matchLines, test: (text) => matchLines(text, 1).length > 0 };
}
