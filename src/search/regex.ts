import { type AST, RegExpParser, RegExpSyntaxError, visitRegExpAST } from "@eslint-community/regexpp";

/** Repetitions written out, a pattern has no more parts than this: `(a{100}){100}`. */
const MAX_PARTS = 10_000;

/** What is wrong with a regular expression, and where in it. */
export class RegexFault extends Error {
  readonly start: number;
  readonly end: number;

  constructor(message: string, { start, end }: { start: number; end: number }) {
    super(message);
    this.name = "RegexFault";
    this.start = start;
    this.end = end;
  }
}

/**
 * Reads a pattern of our dialect: ECMAScript's syntax with the flag `u`, without what can look back or ahead.
 * Throws a RegexFault that says what to write instead.
 */
export function parseRegex(source: string, maxParts = MAX_PARTS): AST.Pattern {
  const pattern = parseSyntax(source);
  const refuse = (message: string, node: AST.Node): never => {
    throw new RegexFault(message, node);
  };
  visitRegExpAST(pattern, {
    onAssertionEnter(node) {
      if (node.kind === "lookahead" || node.kind === "lookbehind")
        refuse("Patterns here cannot look ahead or behind. Search for two patterns instead: /a/ /b/.", node);
    },
    onBackreferenceEnter: (node) => {
      refuse("Patterns here cannot refer back to a group.", node);
    },
    onGroupEnter(node) {
      if (node.modifiers) refuse("Patterns here have no modifiers. Write case:yes beside the pattern.", node);
    },
    onCharacterEnter(node) {
      if (node.value === 0x0a && node.parent.type === "Alternative") refuse(ACROSS_LINES, node);
    },
    onCharacterClassEnter(node) {
      if (node.negate) return;
      if (node.elements.length === 0) refuse("[] matches nothing. To search for it write \\[\\].", node);
      if (node.elements.every((element) => element.type === "Character" && element.value === 0x0a))
        refuse(ACROSS_LINES, node);
    },
    onQuantifierEnter(node) {
      if (node.element.type === "Character" && node.element.value === 0x0a) refuse(ACROSS_LINES, node);
    },
  });
  if (partsOf(pattern.alternatives) > maxParts)
    refuse("This pattern repeats too much. Use smaller numbers in {…}.", pattern);
  return pattern;
}

/** The text as a pattern that matches it and nothing else. */
export function escapeRegex(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
}

const ACROSS_LINES =
  "Patterns match within a line, so \\n never matches. Use $ for a line's end, or search for two patterns.";

/** What regexpp says, in sentences that say what to do. */
const ADVICE: [RegExp, string][] = [
  [
    /^Nothing to repeat/,
    "There is nothing to repeat here. To search for the character itself write \\ before it",
  ],
  [/^Lone quantifier brackets/, "A brace that repeats nothing is written \\{ or \\}"],
  [/^(Incomplete|Invalid) quantifier/, "A brace that repeats nothing is written \\{ or \\}"],
  [/^Unterminated group/, "This group is not closed. Write ) at its end, or \\( for the character itself"],
  [/^Unmatched '\)'/, "No group is open here. Write \\) for the character itself"],
  [
    /^Unterminated character class/,
    "This [ is not closed. Write ] at its end, or \\[ for the character itself",
  ],
  [/^Invalid escape/, "There is no such escape. Write the character without \\, or \\\\ for a backslash"],
  [/^Lone ]|^Unmatched ']'/, "A bracket that closes nothing is written \\]"],
  [/^\\ at end of pattern/, "A backslash must stand before something. Write \\\\ for the character itself"],
];

function parseSyntax(source: string): AST.Pattern {
  try {
    const pattern = new RegExpParser({ ecmaVersion: 2025 }).parsePattern(source, 0, source.length, {
      unicode: true,
    });
    new RegExp(source, "u"); // knows fewer or other names of properties, perhaps
    return pattern;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    const at = error instanceof RegExpSyntaxError ? Math.min(error.index, source.length - 1) : 0;
    const detail = error.message.replace(/^Invalid regular expression: \/.*\/\w*: /s, "");
    const advice = ADVICE.find(([about]) => about.test(detail))?.[1] ?? detail;
    throw new RegexFault(`${advice}.`, {
      start: Math.max(0, at),
      end: error instanceof RegExpSyntaxError ? Math.max(0, at) + 1 : source.length,
    });
  }
}

function partsOf(alternatives: AST.Alternative[]): number {
  let parts = 0;
  for (const { elements } of alternatives) for (const element of elements) parts += partsOfElement(element);
  return parts;
}

function partsOfElement(element: AST.Element): number {
  if (element.type === "Quantifier") {
    const times = Number.isFinite(element.max) ? element.max : element.min + 1;
    return times * (1 + partsOfElement(element.element));
  }
  return element.type === "Group" || element.type === "CapturingGroup" ? partsOf(element.alternatives) : 1;
}
