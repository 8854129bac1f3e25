import { QuerySyntaxError, type Span } from "./query-error.ts";

/** What can stand in front of a value. */
const QUALIFIERS = ["case", "content", "lang", "language", "path", "repo", "state"] as const;
export type Qualifier = (typeof QUALIFIERS)[number];

/** A word or a text as it is meant, or a pattern's source; `start` is where that begins in the query. */
export interface Value {
  kind: "word" | "quoted" | "regex";
  text: string;
  start: number;
  span: Span;
}

export type Operator = "(" | ")" | "AND" | "OR" | "NOT" | "-";
export interface Term {
  kind: "term";
  qualifier: Qualifier | null;
  value: Value;
  span: Span;
}
export type Token = { kind: Operator; span: Span } | Term;

const KEYWORD = /(?:AND|OR|NOT)(?=[\s()]|$)/y;
const QUALIFIER = new RegExp(`(?:${QUALIFIERS.join("|")}):`, "y");
/** A minus that excludes what follows. `--flag`, `->x`, `-=` and a lone `-` are text. */
const MINUS = /-(?=[^\s\-=>)])/y;
/** What no path has, and no address, but many patterns. */
const PATTERN_LIKE = /[\\*+[(|^]/;
/** The same of a path that may have wildcards: a glob that is tied to the root begins with a slash as well. */
const PATTERN_NOT_GLOB = /\.[*+]|[|^]/;

/** The parts of a query, in order. Throws a QuerySyntaxError for a text or a pattern that does not end. */
export function readTokens(text: string): Token[] {
  const tokens: Token[] = [];
  for (let at = skipSpace(text, 0); at < text.length; at = skipSpace(text, at)) {
    const token = readOperator(text, at) ?? readTerm(text, at);
    tokens.push(token);
    at = token.span.end;
  }
  return tokens;
}

function readOperator(text: string, at: number): Token | null {
  const character = text[at];
  if (character === "(" || character === ")") return { kind: character, span: { start: at, end: at + 1 } };
  const keyword = matchAt(KEYWORD, text, at);
  if (keyword === "AND" || keyword === "OR" || keyword === "NOT")
    return { kind: keyword, span: { start: at, end: at + keyword.length } };
  return matchAt(MINUS, text, at) === null ? null : { kind: "-", span: { start: at, end: at + 1 } };
}

function readTerm(text: string, at: number): Term {
  const prefix = matchAt(QUALIFIER, text, at);
  const qualifier = QUALIFIERS.find((name) => prefix === `${name}:`) ?? null;
  const start = at + (prefix?.length ?? 0);
  if (qualifier && isBoundary(text, start))
    throw new QuerySyntaxError(
      `${prefix} needs a value right behind it. To search for the text itself, write "${prefix}".`,
      { start: at, end: start },
    );
  const isGlob = qualifier === "path" || qualifier === "repo";
  const value = readValue(text, start, isGlob ? PATTERN_NOT_GLOB : PATTERN_LIKE);
  return { kind: "term", qualifier, value, span: { start: at, end: value.span.end } };
}

function readValue(text: string, start: number, patternLike: RegExp): Value {
  if (text[start] === '"') return readQuoted(text, start);
  return (text[start] === "/" ? readRegex(text, start, patternLike) : null) ?? readWord(text, start);
}

/** Up to white space, or a parenthesis that the word has not opened: `main()` is a word. */
function readWord(text: string, start: number): Value {
  let open = 0;
  let end = start;
  for (; end < text.length && !isSpace(text[end]); end += 1) {
    if (text[end] === "(") open += 1;
    if (text[end] === ")" && --open < 0) break;
  }
  return { kind: "word", text: text.slice(start, end), start, span: { start, end } };
}

function readQuoted(text: string, start: number): Value {
  let content = "";
  let at = start + 1;
  for (; text[at] !== '"'; at += 1) {
    if (at >= text.length)
      throw new QuerySyntaxError('This quote is not closed. Write " at its end, or \\" for a quote within.', {
        start,
        end: text.length,
      });
    if (text[at] === "\\" && (text[at + 1] === '"' || text[at + 1] === "\\")) at += 1;
    content += text[at];
  }
  const span = { start, end: at + 1 };
  if (content === "") throw new QuerySyntaxError("There is nothing between these quotes.", span);
  if (!isBoundary(text, at + 1))
    throw new QuerySyntaxError(
      'After a closing quote white space must follow. A quote within is written \\".',
      {
        start: at,
        end: at + 1,
      },
    );
  refuseLineEnds(content, span);
  return { kind: "quoted", text: content, start: start + 1, span };
}

/** A pattern ends in a slash with white space behind it. Null for what looks like a path: `/usr/bin`. */
function readRegex(text: string, start: number, patternLike: RegExp): Value | null {
  const end = closingSlash(text, start + 1);
  if (end === start + 1) return null; // the beginning of a comment
  if (end !== null && isBoundary(text, end + 1)) {
    const span = { start, end: end + 1 };
    const source = text.slice(start + 1, end);
    refuseLineEnds(source, span);
    return { kind: "regex", text: source, start: start + 1, span };
  }
  const { span, text: word } = readWord(text, start);
  if (!patternLike.test(word)) return null;
  throw new QuerySyntaxError(
    end === null
      ? "This regular expression is not closed. Write / at its end, or put it in quotes to search for the text."
      : "A regular expression ends at its first / and takes no flags. Within it write \\/, or put a text in quotes.",
    span,
  );
}

function closingSlash(text: string, start: number): number | null {
  let inClass = false;
  for (let at = start; at < text.length; at += 1) {
    if (text[at] === "\\") at += 1;
    else if (text[at] === "[") inClass = true;
    else if (text[at] === "]") inClass = false;
    else if (text[at] === "/" && !inClass) return at;
  }
  return null;
}

function refuseLineEnds(text: string, span: Span): void {
  if (/[\r\n]/.test(text))
    throw new QuerySyntaxError(
      "Texts and patterns match within a line. Search for the lines apart from each other.",
      span,
    );
}

function matchAt(regex: RegExp, text: string, at: number): string | null {
  regex.lastIndex = at;
  return regex.exec(text)?.[0] ?? null;
}

function isBoundary(text: string, at: number): boolean {
  return at >= text.length || text[at] === ")" || isSpace(text[at]);
}

function isSpace(character: string | undefined): boolean {
  return character !== undefined && /\s/.test(character);
}

function skipSpace(text: string, from: number): number {
  let at = from;
  while (isSpace(text[at])) at += 1;
  return at;
}
