import type { AST } from "@eslint-community/regexpp";
import {
  type Characters,
  complementOf,
  DIGITS,
  EVERY,
  SPACE,
  unionOf,
  WORD,
  withCases,
  writeCharacters,
} from "./characters.ts";
import { parseRegex, RegexFault } from "./regex.ts";

/** What a path, or a repository's name, must be like. */
export interface PathPattern {
  /** As it was written. */
  source: string;
  /**
   * The same as a regular expression, which finds what it matches anywhere: JavaScript with the flag u alone, and
   * PostgreSQL with `~`, read it alike, whatever the locale. Where case does not count it says so by itself.
   */
  regex: string;
  case_sensitive: boolean;
}

/** PostgreSQL's bound on {…}. */
const MAX_REPEATED = 255;
/** The parts of a pattern, repetitions written out, that PostgreSQL compiles in a few milliseconds. */
const MAX_PARTS = 1_000;

/** A path that has this text in it. */
export function pathWithText(text: string, caseSensitive: boolean): PathPattern {
  return { source: text, regex: writeText(text, caseSensitive), case_sensitive: caseSensitive };
}

/**
 * A path that a glob matches: `*` and `?` within a name, `**` across them. It may begin at any folder, and ends where
 * the path does; a "/" in front ties it to the root. Without a wildcard: any path that has the text in it.
 */
export function pathLikeGlob(glob: string, caseSensitive: boolean): PathPattern {
  const rooted = glob.startsWith("/");
  const pieces = readGlob(rooted ? glob.slice(1) : glob);
  const body = pieces.map((piece) => writePiece(piece, caseSensitive)).join("");
  const isGlob = pieces.some(({ wild }) => wild);
  const below = isGlob && glob.endsWith("/") ? `${ANY}+` : "";
  const start = isGlob ? "(?:^|/)" : "";
  const regex = (rooted ? "^" : start) + body + below + (isGlob ? "$" : "");
  return { source: glob, regex, case_sensitive: caseSensitive };
}

/** A repository `owner/name`, with wildcards; or, without a slash, one whose full name has the text in it. */
export function repositoryLikeGlob(glob: string): PathPattern {
  const pieces = readGlob(glob);
  const body = pieces.map((piece) => writePiece(piece, false)).join("");
  if (!glob.includes("/")) {
    const regex = pieces.some(({ wild }) => wild) ? `^[^/]*/${body}$` : body;
    return { source: glob, regex, case_sensitive: false };
  }
  const regex = `^${glob.startsWith("/") ? "[^/]*" : ""}${body}${glob.endsWith("/") ? "[^/]*" : ""}$`;
  return { source: glob, regex, case_sensitive: false };
}

/** A path in which a regular expression of our dialect matches. Throws a RegexFault. */
export function pathLikeRegex(source: string, caseSensitive: boolean): PathPattern {
  const pattern = parseRegex(source, MAX_PARTS);
  return {
    source,
    regex: writeBranches(pattern.alternatives, caseSensitive),
    case_sensitive: caseSensitive,
  };
}

const ANY = writeCharacters(EVERY) ?? "";
const NOT_NEWLINE = writeCharacters(complementOf([[0x0a, 0x0a]])) ?? "";

type Piece = { wild: true; text: "*" | "?" | "**" | "**/" } | { wild: false; text: string };

/** A backslash makes a wildcard, or a backslash, an ordinary character. */
function readGlob(glob: string): Piece[] {
  const pieces: Piece[] = [];
  for (const [token] of glob.matchAll(/(?<=^|\/)\*\*+\/|\*\*+|[*?]|\\[*?\\]|[^*?\\]+|\\/gu)) {
    if (/^\*\*+\/$/.test(token)) pieces.push({ wild: true, text: "**/" });
    else if (token.startsWith("**")) pieces.push({ wild: true, text: "**" });
    else if (token === "*" || token === "?") pieces.push({ wild: true, text: token });
    else pieces.push({ wild: false, text: /^\\./.test(token) ? token.slice(1) : token });
  }
  return pieces;
}

function writePiece({ wild, text }: Piece, caseSensitive: boolean): string {
  if (!wild) return writeText(text, caseSensitive);
  if (text === "**/") return `(?:${ANY}*/)?`;
  if (text === "**") return `${ANY}*`;
  return text === "*" ? "[^/]*" : "[^/]";
}

function writeText(text: string, caseSensitive: boolean): string {
  let written = "";
  for (const character of text) written += writeOne(character.codePointAt(0) ?? 0, caseSensitive) ?? "";
  return written;
}

function writeOne(character: number, caseSensitive: boolean): string | null {
  const set: Characters = [[character, character]];
  return writeCharacters(caseSensitive ? set : withCases(set));
}

function writeBranches(branches: AST.Alternative[], caseSensitive: boolean): string {
  return branches
    .map(({ elements }) => elements.map((element) => writeElement(element, caseSensitive)).join(""))
    .join("|");
}

function writeElement(element: AST.Element, caseSensitive: boolean): string {
  switch (element.type) {
    case "Group":
    case "CapturingGroup":
      return `(?:${writeBranches(element.alternatives, caseSensitive)})`;
    case "Quantifier":
      return writeElement(element.element, caseSensitive) + writeQuantifier(element);
    case "Assertion":
      return writeAssertion(element, caseSensitive);
    case "Character":
    case "CharacterClass":
    case "CharacterSet":
      return writeSet(element, caseSensitive);
    default:
      throw new RegexFault("This is not possible in a pattern for paths.", element);
  }
}

function writeSet(
  element: AST.Character | AST.CharacterClass | AST.CharacterSet,
  caseSensitive: boolean,
): string {
  if (element.type === "CharacterSet" && element.kind === "any") return NOT_NEWLINE;
  const written = writeCharacters(setOf(element, caseSensitive));
  if (written === null) throw new RegexFault("No character of a path can be this.", element);
  return written;
}

function setOf(element: AST.Element | AST.CharacterClassElement, caseSensitive: boolean): Characters {
  const cased = (set: Characters) => (caseSensitive ? set : withCases(set));
  switch (element.type) {
    case "Character":
      return element.value === 0 ? [] : cased([[element.value, element.value]]);
    case "CharacterClassRange":
      return element.max.value === 0 ? [] : cased([[Math.max(1, element.min.value), element.max.value]]);
    case "CharacterClass": {
      const union = unionOf(element.elements.map((member) => setOf(member, caseSensitive)));
      return element.negate ? complementOf(union) : union;
    }
    case "CharacterSet": {
      if (element.kind === "any" || element.kind === "property") break;
      const set = { digit: DIGITS, space: SPACE, word: cased(WORD) }[element.kind];
      return element.negate ? complementOf(set) : set;
    }
  }
  throw new RegexFault("A pattern for paths cannot ask for properties of characters.", element);
}

function writeQuantifier({ min, max, greedy, start, end }: AST.Quantifier): string {
  if (min > MAX_REPEATED || (Number.isFinite(max) && max > MAX_REPEATED))
    throw new RegexFault(`A pattern for paths repeats at most ${MAX_REPEATED} times.`, { start, end });
  const upTo = Number.isFinite(max) ? String(max) : "";
  return `{${min}${min === max ? "" : `,${upTo}`}}${greedy ? "" : "?"}`;
}

function writeAssertion(element: AST.Assertion, caseSensitive: boolean): string {
  if (element.kind === "start") return "^";
  if (element.kind === "end") return "$";
  if (element.kind !== "word") throw new RegexFault("Patterns here cannot look ahead or behind.", element);
  const word = writeCharacters(caseSensitive ? WORD : withCases(WORD));
  return element.negate
    ? `(?:(?<=${word})(?=${word})|(?<!${word})(?!${word}))`
    : `(?:(?<=${word})(?!${word})|(?<!${word})(?=${word}))`;
}
