import type { Random } from "./random.ts";

/** A pattern as ripgrep takes it; the same is asked of the search. */
export interface Asked {
  pattern: string;
  isRegex: boolean;
  caseSensitive: boolean;
}

/** The same as a query. */
export function queryOf({ pattern, isRegex, caseSensitive }: Asked): string {
  const text = isRegex ? `/${pattern.replaceAll("/", "\\/")}/` : `"${pattern.replace(/["\\]/g, "\\$&")}"`;
  return caseSensitive ? `${text} case:yes` : text;
}

/** The same as a regular expression that is asked of one line. */
export function lineRegexOf({ pattern, isRegex, caseSensitive }: Asked): RegExp {
  return new RegExp(isRegex ? pattern : literally(pattern), caseSensitive ? "u" : "iu");
}

/** Draws a query from a text that is indexed; null where what was drawn makes none. */
export function drawQuery(text: string, random: Random): Asked | null {
  const at = random.below(text.length);
  const length = random.pick([3, 4, 5, 6, 8, 10, 14, 20, 40, 80, 300]);
  const [line = ""] = text.slice(at, at + length).split("\n");
  const literal = line.replace(/\r/g, "");
  if (literal.trim() === "" || literal.length < 3 || /[\ud800-\udfff\ufffd\0]/.test(literal)) return null;
  const caseSensitive = random.chance(0.3);
  const kind = random.below(100);
  if (kind < 45) return { pattern: literal, isRegex: false, caseSensitive };
  if (kind < 55) return { pattern: flipCase(literal), isRegex: false, caseSensitive: false };
  const pattern = drawRegex(literal, text, random);
  return pattern ? { pattern, isRegex: true, caseSensitive } : null;
}

function flipCase(text: string): string {
  return text === text.toLowerCase() ? text.toUpperCase() : text.toLowerCase();
}

function drawRegex(literal: string, text: string, random: Random): string {
  const half = Math.floor(literal.length / 2);
  const [left, right] = [literally(literal.slice(0, half)), literally(literal.slice(half))];
  const other = literally(text.slice(0, 6).split(/[\r\n]/)[0] ?? "");
  return random.pick([
    () => `${left}.*${right}`,
    () => `(${left}|${other || "x"})${right}`,
    () => `${left}[a-zA-Z0-9_]*${right}`,
    () => `^[ \\t]*${literally(literal.trimStart())}`,
    () => `${literally(literal)}$`,
    () => `${left}(${right})?[;,)]`,
    () => "[0-9]{6,}",
    () => `[A-Z]{${random.pick([5, 8, 12])},}`,
    () => `^${left}`,
    () => `${left}[^a-z\\n]${right.slice(right.startsWith("\\") ? 2 : 1)}`,
  ])();
}

function literally(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
}
