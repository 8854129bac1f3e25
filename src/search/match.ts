import { type AST, visitRegExpAST } from "@eslint-community/regexpp";
import type { Pattern } from "./pattern.ts";
import { escapeRegex, parseRegex } from "./regex.ts";

/** A line in which a pattern was found. */
export interface LineMatch {
  /** From 0. */
  line: number;
  /** UTF-16 columns in the line, in order and apart from each other, empty only where the match is; none of a line that is only counted. */
  ranges: [number, number][];
}

/** A pattern made ready to match many texts. */
export interface CompiledPattern {
  /**
   * The lines that match, in order, at most `limit`, of which the first `ranged` have their ranges (all, if not given). A
   * line is what stands before a \n, without a \r at its end.
   */
  matchLines(text: string, limit: number, ranged?: number): LineMatch[];
  /** Whether any line matches. */
  test(text: string): boolean;
}

/** No one looks at more of them in one line. */
export const MAX_RANGES = 100;

/** The first match in the text at or after a position. */
type Find = (text: string, from: number) => [number, number] | null;

/**
 * Matches as if each line stood alone. Most patterns cannot tell, or can be written so that they cannot: these run
 * over the whole text at once. Throws a RegexFault for what is not of our dialect.
 */
export function compilePattern(pattern: Pattern): CompiledPattern {
  const flags = pattern.case_sensitive ? "gsu" : "gisu";
  const compile = (source: string) => findRegex(new RegExp(source, flags));
  if (pattern.kind === "literal") {
    const find = pattern.case_sensitive ? findText(pattern.text) : compile(escapeRegex(pattern.text));
    return /^[^\r\n]+$/.test(pattern.text) ? inWhole(find) : lineByLine(compile(escapeRegex(pattern.text)));
  }
  const ast = parseRegex(pattern.source);
  const within = writeWithinLines(ast, flags);
  if (within === pattern.source && !canSeeReturn(ast, flags) && leastLength(ast.alternatives) > 0)
    return inWhole(compile(within));
  return withoutReturns(inWhole(compile(within)), lineByLine(compile(pattern.source)));
}

function findText(wanted: string): Find {
  return (text, from) => {
    const start = text.indexOf(wanted, from);
    return start < 0 ? null : [start, start + wanted.length];
  };
}

function findRegex(regex: RegExp): Find {
  return (text, from) => {
    regex.lastIndex = from;
    const match = regex.exec(text);
    return match && [match.index, regex.lastIndex];
  };
}

function withoutReturns(whole: CompiledPattern, byLine: CompiledPattern): CompiledPattern {
  const choose = (text: string) => (text.includes("\r") ? byLine : whole);
  return {
    matchLines: (text, limit, ranged) => choose(text).matchLines(text, limit, ranged),
    test: (text) => choose(text).test(text),
  };
}

/** For what neither matches a line's end nor looks past it. */
function inWhole(find: Find): CompiledPattern {
  const findInLines: Find = (text, from) => {
    const match = find(text, from);
    // Behind the last \n there is no line.
    return match?.[0] === text.length && (text === "" || text.endsWith("\n")) ? null : match;
  };
  return {
    matchLines: (text, limit, ranged = limit) => matchWhole(findInLines, text, { limit, ranged }),
    test: (text) => findInLines(text, 0) !== null,
  };
}

interface Bounds {
  limit: number;
  ranged: number;
}

function matchWhole(find: Find, text: string, { limit, ranged }: Bounds): LineMatch[] {
  const lines: LineMatch[] = [];
  let line = 0;
  let start = 0;
  let end = lineEnd(text, 0);
  let match = find(text, 0);
  while (match && lines.length < limit) {
    while (match[0] > end) {
      line += 1;
      start = end + 1;
      end = lineEnd(text, start);
    }
    const ranges: [number, number][] = [];
    const most = lines.length < ranged ? MAX_RANGES : 0;
    while (match && match[0] <= end && ranges.length < most) {
      ranges.push([match[0] - start, match[1] - start]);
      const next = afterMatch(text, match);
      match = next > text.length ? null : find(text, next);
    }
    lines.push({ line, ranges });
    if (match && match[0] <= end) match = end < text.length ? find(text, end + 1) : null;
  }
  return lines;
}

function lineEnd(text: string, start: number): number {
  const end = text.indexOf("\n", start);
  return end < 0 ? text.length : end;
}

/** Where the next match may begin: after an empty one, a character further. */
function afterMatch(text: string, [start, end]: [number, number]): number {
  if (end > start) return end;
  return end + ((text.codePointAt(end) ?? 0) > 0xffff ? 2 : 1);
}

function lineByLine(find: Find): CompiledPattern {
  return {
    matchLines: (text, limit, ranged = limit) => matchEachLine(find, text, { limit, ranged }),
    test: (text) => matchEachLine(find, text, { limit: 1, ranged: 0 }).length > 0,
  };
}

function matchEachLine(find: Find, text: string, { limit, ranged }: Bounds): LineMatch[] {
  const lines: LineMatch[] = [];
  let line = 0;
  for (let start = 0; start < text.length && lines.length < limit; line += 1) {
    const end = lineEnd(text, start);
    const content = text.slice(start, end > start && text[end - 1] === "\r" ? end - 1 : end);
    const ranges: [number, number][] = [];
    let match = find(content, 0);
    const isFound = match !== null;
    const most = lines.length < ranged ? MAX_RANGES : 0;
    while (match && ranges.length < most) {
      ranges.push(match);
      const next = afterMatch(content, match);
      match = next > content.length ? null : find(content, next);
    }
    if (isFound) lines.push({ line, ranges });
    start = end + 1;
  }
  return lines;
}

/** The pattern's source, changed so that in a text of many lines (without \r) it matches what it does in each. */
function writeWithinLines(ast: AST.Pattern, flags: string): string {
  let written = "";
  let copied = 0;
  const replace = ({ start, end }: AST.Node, text: string) => {
    written += ast.raw.slice(copied, start) + text;
    copied = end;
  };
  visitRegExpAST(ast, {
    onAssertionEnter(node) {
      if (node.kind === "start") replace(node, "(?<=^|\\n)");
      if (node.kind === "end") replace(node, "(?=\\n|$)");
    },
    onCharacterSetEnter(node) {
      if (node.parent.type === "CharacterClass" || !matches(node, "\n", flags)) return;
      replace(node, node.kind === "any" ? "[^\\n]" : `(?:(?!\\n)${node.raw})`);
    },
    onCharacterClassEnter(node) {
      if (!matches(node, "\n", flags)) return;
      // In front of a "-" it would begin a range.
      const open = node.negate && !node.raw.startsWith("[^-");
      replace(node, open ? `[^\\n${node.raw.slice(2)}` : `(?:(?!\\n)${node.raw})`);
    },
  });
  return written + ast.raw.slice(copied);
}

function canSeeReturn(ast: AST.Pattern, flags: string): boolean {
  let sees = false;
  visitRegExpAST(ast, {
    onCharacterEnter(node) {
      if (node.parent.type !== "CharacterClass" && node.parent.type !== "CharacterClassRange")
        sees ||= node.value === 0x0d;
    },
    onCharacterSetEnter(node) {
      if (node.parent.type !== "CharacterClass") sees ||= matches(node, "\r", flags);
    },
    onCharacterClassEnter(node) {
      sees ||= matches(node, "\r", flags);
    },
  });
  return sees;
}

function matches({ raw }: AST.Node, character: string, flags: string): boolean {
  return new RegExp(`^${raw}$`, flags).test(character);
}

/** The length of the shortest text that matches. */
function leastLength(alternatives: AST.Alternative[]): number {
  return Math.min(
    ...alternatives.map(({ elements }) => elements.reduce((sum, element) => sum + leastOf(element), 0)),
  );
}

function leastOf(element: AST.Element): number {
  if (element.type === "Quantifier") return element.min && element.min * leastOf(element.element);
  if (element.type === "Group" || element.type === "CapturingGroup") return leastLength(element.alternatives);
  return element.type === "Assertion" ? 0 : 1;
}
