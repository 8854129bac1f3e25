import { QuerySyntaxError } from "../../search/query-error.ts";
import { readTokens, type Term, type Token } from "../../search/tokens.ts";

/** A filter that stands in a query by itself, so that it can be taken out. */
export interface Filter {
  /** As it is written. */
  text: string;
  /** The query without it. */
  without: string;
}

/** The filters of a query that can be taken out one by one: none inside parentheses, or joined by OR and the like. */
export function filtersOf(text: string): Filter[] {
  return topTerms(text).flatMap(({ token, start, isAlone }) => {
    const isFilter = token.qualifier !== null && token.qualifier !== "case" && token.qualifier !== "content";
    if (!isFilter || !isAlone) return [];
    const { end } = token.span;
    return [{ text: text.slice(start, end), without: cut(text, start, end) }];
  });
}

/** A query that finds only what is like one more filter, such as `lang` and `C++`. */
export function narrowed(text: string, qualifier: "lang" | "repo", value: string): string {
  const { rest, isCaseSensitive } = takeCase(text);
  const choices = tokensOf(text).some(({ kind }) => kind === "OR");
  const whole = choices ? `(${rest})` : rest;
  return [whole, `${qualifier}:${quoted(value)}`, ...(isCaseSensitive ? ["case:yes"] : [])]
    .filter((part) => part !== "")
    .join(" ");
}

/** Whether a query tells capital letters from small ones, and the query that does the other. */
export function caseToggle(text: string): { isCaseSensitive: boolean; other: string } {
  const { rest, isCaseSensitive } = takeCase(text);
  return { isCaseSensitive, other: isCaseSensitive ? rest : `${rest} case:yes`.trim() };
}

function takeCase(text: string): { rest: string; isCaseSensitive: boolean } {
  const term = topTerms(text).find(({ token }) => token.qualifier === "case");
  if (!term) return { rest: text.trim(), isCaseSensitive: false };
  const { span, value } = term.token;
  return { rest: cut(text, span.start, span.end), isCaseSensitive: value.text === "yes" };
}

interface TopTerm {
  token: Term;
  /** Where it begins, with the minus before it. */
  start: number;
  /** Nothing joins it to its neighbours. */
  isAlone: boolean;
}

function topTerms(text: string): TopTerm[] {
  const tokens = tokensOf(text);
  let depth = 0;
  return tokens.flatMap((token, i) => {
    if (token.kind === "(") depth += 1;
    if (token.kind === ")") depth -= 1;
    if (token.kind !== "term" || depth > 0) return [];
    const isExcluded = tokens[i - 1]?.kind === "-";
    const before = tokens[isExcluded ? i - 2 : i - 1];
    const isAlone = !isJoining(before) && !isJoining(tokens[i + 1]);
    return [{ token, start: (isExcluded ? tokens[i - 1] : token)?.span.start ?? 0, isAlone }];
  });
}

function isJoining(token: Token | undefined): boolean {
  return token?.kind === "AND" || token?.kind === "OR" || token?.kind === "NOT" || token?.kind === "-";
}

/** The parts of a query, or none where it is not one. */
function tokensOf(text: string): Token[] {
  try {
    return readTokens(text);
  } catch (error) {
    if (error instanceof QuerySyntaxError) return [];
    throw error;
  }
}

function cut(text: string, start: number, end: number): string {
  return `${text.slice(0, start).trimEnd()} ${text.slice(end).trimStart()}`.trim();
}

function quoted(value: string): string {
  return /^[\w.+#/-]+$/.test(value) ? value : `"${value.replace(/["\\]/g, "\\$&")}"`;
}
