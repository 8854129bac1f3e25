import fc from "fast-check";
import { foldText } from "../../src/search/fold.ts";
import type { Need, Pattern } from "../../src/search/pattern.ts";
import { parseRegex, RegexFault } from "../../src/search/regex.ts";

/** Few letters, so that patterns and lines meet; with those whose case is a trap. */
const LETTERS = ["a", "b", "A", "k", "K", "\u212a", "s", "ſ", "é", "É", "_", "0", " ", "-", "汉", "😀"];
const CLASSES = [
  "[ab]",
  "[a-c]",
  "[^a]",
  "[^-a]",
  "[aA]",
  "[\\d_]",
  "[k-s]",
  "[\\s-]",
  "[^\\S]",
  "[\\r]",
  "[a😀]",
];
const ATOMS = [
  ".",
  "\\w",
  "\\W",
  "\\d",
  "\\D",
  "\\s",
  "\\S",
  "\\p{Lu}",
  "\\P{L}",
  "\\r",
  "^",
  "$",
  "\\b",
  "\\B",
];
const QUANTIFIERS = ["*", "+", "?", "{2}", "{1,2}", "{2,}", "*?", "+?", "??", "{0,1}", "{0,2}"];

/** Patterns of these letters, classes and other atoms. */
function sourcesOf(letters: string[], classes: string[], atoms: string[]): fc.Arbitrary<string> {
  return fc.letrec<{ branches: string; sequence: string; piece: string }>((tie) => ({
    branches: fc.array(tie("sequence"), { minLength: 1, maxLength: 3 }).map((each) => each.join("|")),
    sequence: fc.array(tie("piece"), { maxLength: 5 }).map((each) => each.join("")),
    piece: fc.oneof(
      { maxDepth: 3 },
      { arbitrary: fc.constantFrom(...letters), weight: 5 },
      fc.constantFrom(...classes),
      fc.constantFrom(...atoms),
      fc
        .tuple(fc.constantFrom(...letters, ...classes, ".", "\\w"), fc.constantFrom(...QUANTIFIERS))
        .map(([atom, quantifier]) => atom + quantifier),
      fc
        .tuple(tie("branches"), fc.constantFrom("", ...QUANTIFIERS))
        .map(([inner, quantifier]) => `(?:${inner})${quantifier}`),
      tie("branches").map((inner) => `(${inner})`),
    ),
  })).branches;
}

/** Only a few properties of characters are of our dialect; whatever else it refuses is a fault of what drew it. */
const sources = sourcesOf(LETTERS, CLASSES, ATOMS).filter((source) => {
  try {
    parseRegex(source);
    return true;
  } catch (error) {
    if (error instanceof RegexFault && error.message.includes("properties of characters")) return false;
    throw error;
  }
});

/** Patterns of two letters, which match often. */
export const densePatterns: fc.Arbitrary<Pattern> = fc.record({
  kind: fc.constant("regex"),
  source: sourcesOf(["a", "b"], ["[ab]", "[^a]"], [".", "\\b"]),
  case_sensitive: fc.boolean(),
});

/** Regular expressions of our dialect. */
export const regexPatterns: fc.Arbitrary<Pattern> = fc.record({
  kind: fc.constant("regex"),
  source: sources,
  case_sensitive: fc.boolean(),
});

export const literalPatterns: fc.Arbitrary<Pattern> = fc.record({
  kind: fc.constant("literal"),
  text: fc.string({ unit: fc.constantFrom(...LETTERS, ".", "\\", "\r", "\n"), maxLength: 4 }),
  case_sensitive: fc.boolean(),
});

/** Texts of several lines. */
export const texts = fc.string({
  unit: fc.constantFrom(...LETTERS, "a", "b", "\n", "\n", "\r\n", "\r", "\u2028"),
  maxLength: 40,
});

/** Texts without \r, which take other ways. */
export const unixTexts = texts.map((text) => text.replaceAll("\r", ""));

/** Whether a line has what is needed. */
export function holds(need: Need, line: string, caseSensitive: boolean): boolean {
  if (need.kind === "anything") return true;
  if (need.kind === "literal") return (caseSensitive ? line : foldText(line)).includes(need.text);
  const each = (part: Need) => holds(part, line, caseSensitive);
  return need.kind === "all" ? need.of.every(each) : need.of.some(each);
}
