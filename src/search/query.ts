import type { FileState } from "../database/schema.ts";
import type { Pattern } from "./pattern.ts";
export interface Span {
  start: number;
  end: number;
}
export interface PathPattern {
  source: string;
  regex: string;
  case_sensitive: boolean;
}
export type Query =
  | { kind: "and" | "or"; of: Query[] }
  | { kind: "not"; of: Query }
  | { kind: "text"; pattern: Pattern; scope: "content" | "anywhere"; word: boolean; span: Span }
  | { kind: "path"; pattern: PathPattern; span: Span }
  | { kind: "repository"; pattern: PathPattern; span: Span }
  | { kind: "language"; language: string; span: Span }
  | { kind: "state"; state: FileState; span: Span };
export interface ParsedQuery {
  text: string;
  query: Query | null;
  case_sensitive: boolean;
}
const span = { start: 0, end: 0 };
/** Stub */
export function parseQuery(text: string): ParsedQuery {
  const of = text
    .split(/ +(?=(?:[^"]*"[^"]*")*[^"]*$)/)
    .filter(Boolean)
    .map((token): Query => {
      if (token.startsWith("-")) return { kind: "not", of: parseQuery(token.slice(1)).query as Query };
      if (token.startsWith("path:"))
        return {
          kind: "path",
          pattern: { source: token, regex: token.slice(5), case_sensitive: false },
          span,
        };
      if (token.startsWith("repo:"))
        return {
          kind: "repository",
          pattern: { source: token, regex: token.slice(5), case_sensitive: false },
          span,
        };
      if (token.startsWith("lang:")) return { kind: "language", language: token.slice(5), span };
      if (token.startsWith('"'))
        return {
          kind: "text",
          pattern: { kind: "literal", text: token.slice(1, -1), case_sensitive: false },
          scope: "content",
          word: false,
          span,
        };
      if (token.startsWith("/"))
        return {
          kind: "text",
          pattern: { kind: "regex", source: token.slice(1, -1), case_sensitive: false },
          scope: "content",
          word: false,
          span,
        };
      return {
        kind: "text",
        pattern: { kind: "literal", text: token, case_sensitive: false },
        scope: "anywhere",
        word: true,
        span,
      };
    });
  return {
    text,
    query: of.length === 0 ? null : of.length === 1 ? (of[0] as Query) : { kind: "and", of },
    case_sensitive: false,
  };
}
