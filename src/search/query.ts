import type { FileState } from "../database/schema.ts";
import { languageNamed, languagesLike } from "./languages.ts";
import {
  type PathPattern,
  pathLikeGlob,
  pathLikeRegex,
  pathWithText,
  repositoryLikeGlob,
} from "./path-pattern.ts";
import type { Pattern } from "./pattern.ts";
import { QuerySyntaxError, type Span } from "./query-error.ts";
import { parseRegex, RegexFault } from "./regex.ts";
import { readTokens, type Term, type Token, type Value } from "./tokens.ts";

/** What a file must be like. */
export type Query =
  | { kind: "and" | "or"; of: Query[] }
  | { kind: "not"; of: Query }
  /** Some line of its content is like the pattern; or, with the scope "anywhere", its path is. */
  | { kind: "text"; pattern: Pattern; scope: "content" | "anywhere"; word: boolean; span: Span }
  | { kind: "path"; pattern: PathPattern; span: Span }
  | { kind: "repository"; pattern: PathPattern; span: Span }
  | { kind: "language"; language: string; span: Span }
  | { kind: "state"; state: FileState; span: Span };

export interface ParsedQuery {
  /** As it was written. */
  text: string;
  /** Null where nothing is asked. */
  query: Query | null;
  case_sensitive: boolean;
}

export const MAX_LENGTH = 1_000;
/** Each reads the index, and every text that is left. */
export const MAX_TEXTS = 20;
export const MAX_FILTERS = 20;
export const MAX_DEPTH = 20;

const STATES = Object.keys({
  indexed: true,
  binary: true,
  oversize: true,
  encoding: true,
  lfs: true,
  symlink: true,
  submodule: true,
  excluded: true,
  unreadable: true,
} satisfies Record<FileState, true>) as FileState[];

/** Reads a query (docs/query-language.md). Throws a QuerySyntaxError that points at what is wrong. */
export function parseQuery(text: string): ParsedQuery {
  checkText(text);
  const { tokens, caseSensitive } = takeCase(readTokens(text));
  checkCounts(tokens);
  if (tokens.length === 0) return { text, query: null, case_sensitive: caseSensitive };
  const reading: Reading = { tokens, at: 0, depth: 0, caseSensitive };
  const query = readChoice(reading);
  const rest = tokens[reading.at];
  if (rest) throw new QuerySyntaxError('There is no ( for this ). To search for it, write ")".', rest.span);
  return { text, query, case_sensitive: caseSensitive };
}

function checkText(text: string): void {
  if (text.length > MAX_LENGTH)
    throw new QuerySyntaxError(`A query has at most ${MAX_LENGTH.toLocaleString("en")} characters.`, {
      start: MAX_LENGTH,
      end: text.length,
    });
  const broken = /\0|\p{Surrogate}/u.exec(text);
  if (broken)
    throw new QuerySyntaxError("No text has this character. Leave it out.", {
      start: broken.index,
      end: broken.index + 1,
    });
}

/** Takes out `case:`, which holds for all the query. */
function takeCase(tokens: Token[]): { tokens: Token[]; caseSensitive: boolean } {
  let depth = 0;
  let caseSensitive: boolean | null = null;
  const rest = tokens.filter((token, index) => {
    if (token.kind === "(") depth += 1;
    if (token.kind === ")") depth -= 1;
    if (token.kind !== "term" || token.qualifier !== "case") return true;
    const before = tokens[index - 1]?.kind;
    const isPart = before !== undefined && before !== "term" && before !== ")";
    if (depth > 0 || isPart || isJoining(tokens[index + 1]?.kind))
      throw new QuerySyntaxError(
        "case: holds for the whole query. Write it at the end, outside of parentheses, without AND, OR or NOT.",
        token.span,
      );
    if (caseSensitive !== null)
      throw new QuerySyntaxError("case: is there already. Write it once.", token.span);
    caseSensitive = readCase(token.value);
    return false;
  });
  return { tokens: rest, caseSensitive: caseSensitive ?? false };
}

function isJoining(kind: Token["kind"] | undefined): boolean {
  return kind === "AND" || kind === "OR";
}

function readCase({ kind, text, span }: Value): boolean {
  if (kind === "word" && text === "yes") return true;
  if (kind === "word" && text === "no") return false;
  throw new QuerySyntaxError("case: is yes or no.", span);
}

function checkCounts(tokens: Token[]): void {
  const terms = tokens.filter((token) => token.kind === "term");
  const texts = terms.filter(isText);
  const filters = terms.filter((term) => !isText(term));
  const [text, filter] = [texts[MAX_TEXTS], filters[MAX_FILTERS]];
  if (text)
    throw new QuerySyntaxError(
      `A query has at most ${MAX_TEXTS} words, texts and patterns. A phrase in quotes is one: "a b c".`,
      text.span,
    );
  if (filter)
    throw new QuerySyntaxError(
      `A query has at most ${MAX_FILTERS} filters. A pattern can stand for many: path:/a|b/.`,
      filter.span,
    );
}

function isText({ qualifier }: Term): boolean {
  return qualifier === null || qualifier === "content";
}

interface Reading {
  tokens: Token[];
  /** The next token. */
  at: number;
  /** Parentheses and negations around it. */
  depth: number;
  caseSensitive: boolean;
}

function readChoice(reading: Reading): Query {
  const choices = [readSequence(reading)];
  while (reading.tokens[reading.at]?.kind === "OR") {
    reading.at += 1;
    choices.push(readSequence(reading));
  }
  return combine("or", choices);
}

function readSequence(reading: Reading): Query {
  const parts = [readOperand(reading)];
  for (let next = reading.tokens[reading.at]; next; next = reading.tokens[reading.at]) {
    if (next.kind === "OR" || next.kind === ")") break;
    if (next.kind === "AND") reading.at += 1;
    parts.push(readOperand(reading));
  }
  return combine("and", parts);
}

function combine(kind: "and" | "or", parts: Query[]): Query {
  const of = parts.flatMap((part) => (part.kind === kind ? part.of : [part]));
  return of.length === 1 && of[0] ? of[0] : { kind, of };
}

function readOperand(reading: Reading): Query {
  const token = reading.tokens[reading.at];
  if (token?.kind === "term") {
    reading.at += 1;
    return readTerm(token, reading.caseSensitive);
  }
  if (token?.kind !== "(" && token?.kind !== "NOT" && token?.kind !== "-") throw missingOperand(reading);
  if (reading.depth === MAX_DEPTH)
    throw new QuerySyntaxError(`Parentheses and NOT go at most ${MAX_DEPTH} deep.`, token.span);
  reading.at += 1;
  reading.depth += 1;
  const query: Query =
    token.kind === "(" ? readGroup(reading, token.span) : { kind: "not", of: readOperand(reading) };
  reading.depth -= 1;
  return query;
}

function readGroup(reading: Reading, open: Span): Query {
  const query = reading.tokens.length > reading.at ? readChoice(reading) : null;
  if (query === null || reading.tokens[reading.at]?.kind !== ")")
    throw new QuerySyntaxError(
      'This ( is not closed. Write ) at its end, or put a text in quotes: "f(".',
      open,
    );
  reading.at += 1;
  return query;
}

function missingOperand({ tokens, at }: Reading): QuerySyntaxError {
  const before = tokens[at - 1];
  const here = tokens[at];
  if (before?.kind === "(" && here?.kind === ")")
    return new QuerySyntaxError('There is nothing in these parentheses. To search for them, write "()".', {
      start: before.span.start,
      end: here.span.end,
    });
  if (before && isWordOperator(before.kind))
    return new QuerySyntaxError(
      `${before.kind} needs something after it. To search for the word, write "${before.kind}".`,
      before.span,
    );
  if (here && isWordOperator(here.kind))
    return new QuerySyntaxError(
      `${here.kind} needs something before it. To search for the word, write "${here.kind}".`,
      here.span,
    );
  return new QuerySyntaxError(
    'There is no ( for this ). To search for it, write ")".',
    here?.span ?? before?.span ?? { start: 0, end: 0 },
  );
}

function isWordOperator(kind: Token["kind"]): boolean {
  return isJoining(kind) || kind === "NOT";
}

function readTerm({ qualifier, value, span }: Term, caseSensitive: boolean): Query {
  switch (qualifier) {
    case "path":
      return { kind: "path", pattern: readPath(value, caseSensitive), span };
    case "repo":
      return { kind: "repository", pattern: readRepository(value), span };
    case "lang":
    case "language":
      return { kind: "language", language: readLanguage(value), span };
    case "state":
      return { kind: "state", state: readState(value), span };
    default:
      return {
        kind: "text",
        pattern: readPattern(value, caseSensitive),
        scope: qualifier === null && value.kind === "word" ? "anywhere" : "content",
        word: value.kind === "word",
        span,
      };
  }
}

function readPattern(value: Value, caseSensitive: boolean): Pattern {
  if (value.kind !== "regex") return { kind: "literal", text: value.text, case_sensitive: caseSensitive };
  pointing(value, () => parseRegex(value.text));
  return { kind: "regex", source: value.text, case_sensitive: caseSensitive };
}

function readPath(value: Value, caseSensitive: boolean): PathPattern {
  if (value.kind === "regex") return pointing(value, () => pathLikeRegex(value.text, caseSensitive));
  return (value.kind === "quoted" ? pathWithText : pathLikeGlob)(value.text, caseSensitive);
}

/** GitHub does not tell repositories apart by case. */
function readRepository(value: Value): PathPattern {
  if (value.kind === "regex") return pointing(value, () => pathLikeRegex(value.text, false));
  return repositoryLikeGlob(value.text);
}

function readLanguage({ kind, text, span }: Value): string {
  const language = kind === "regex" ? null : languageNamed(text);
  if (language !== null) return language;
  const like = kind === "regex" ? [] : languagesLike(text);
  const advice =
    like.length > 0
      ? `Perhaps ${like.map((name) => (/\s/.test(name) ? `lang:"${name}"` : `lang:${name}`)).join(" or ")}.`
      : "Write its name as GitHub shows it: lang:python.";
  throw new QuerySyntaxError(`No language has this name. ${advice}`, span);
}

function readState({ kind, text, span }: Value): FileState {
  const state = kind === "regex" ? undefined : STATES.find((name) => name === text);
  if (state) return state;
  throw new QuerySyntaxError(
    `A file's state is one of ${STATES.join(", ")}. To search for the text, write it in quotes.`,
    span,
  );
}

/** Runs what reads a pattern, and says where in the query its fault is. */
function pointing<T>({ start, span }: Value, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof RegexFault)) throw error;
    throw new QuerySyntaxError(error.message, {
      start: Math.min(start + error.start, span.end - 1),
      end: Math.min(start + error.end, span.end),
    });
  }
}
