import { type AST, RegExpParser, RegExpSyntaxError, visitRegExpAST } from "@eslint-community/regexpp";

/** Repetitions written out, a pattern has no more parts than this: `(a{100}){100}`. */
const MAX_PARTS = 10_000;
/**
 * So many properties of characters may stand one after the other. V8 looks ahead over eight characters when it compiles,
 * which takes half a minute for eight choices of properties, and nothing can interrupt it.
 */
const MAX_PROPERTIES = 7;
/** More repetitions than that are no longer written out by V8. */
const MAX_WRITTEN_OUT = 3;

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
  if (propertiesOf(pattern.alternatives) > MAX_PROPERTIES)
    refuse(
      `A pattern has at most ${MAX_PROPERTIES} properties of characters. Repeat one instead: \\p{L}{8} or \\p{L}+.`,
      pattern,
    );
  return pattern;
}

/** The text as a pattern that matches it and nothing else. */
export function escapeRegex(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
}

const ACROSS_LINES =
  "Patterns match within a line, so \\n never matches. Use $ for a line's end, or search for two patterns.";

/** Where the fault is, of the place where regexpp stopped: there, just before, from the last \ or from the open (. */
type Place = "here" | "before" | "escape" | "group";

/** What regexpp says, in sentences that say what to do. */
const ADVICE: [RegExp, Place, string][] = [
  [
    /^Nothing to repeat/,
    "before",
    "There is nothing to repeat here. For the character itself write \\ before it.",
  ],
  [
    /^Lone quantifier brackets/,
    "here",
    "A brace or bracket that belongs to nothing is written \\{, \\} or \\].",
  ],
  [/^Incomplete quantifier/, "before", "A brace that repeats nothing is written \\{."],
  [/^numbers out of order/, "before", "In {2,5} the smaller number comes first."],
  [
    /^Unterminated group/,
    "group",
    "This group is not closed. Write ) at its end, or \\( for the character itself.",
  ],
  [/^Unmatched '\)'/, "here", "No group is open here. Write \\) for the character itself."],
  [
    /^Invalid group/,
    "here",
    "Groups are (…), (?:…) and (?<name>…). For case write case:yes beside the pattern.",
  ],
  [
    /^Unterminated character class/,
    "before",
    "This [ is not closed. Write ] at its end, or \\[ for the character.",
  ],
  [
    /^Range out of order/,
    "before",
    "In a range the first character comes first: [a-z]. A hyphen itself is \\-.",
  ],
  [
    /^Invalid character class/,
    "before",
    "A range goes from one character to another: [a-z]. A hyphen itself is \\-.",
  ],
  [
    /^Invalid escape/,
    "escape",
    "There is no such escape. Write the character alone, or \\\\ for a backslash.",
  ],
  [/^Invalid unicode escape/, "escape", "A character by its number is \\u0041 or \\u{1f600}."],
  [
    /^Invalid property name/,
    "escape",
    "Characters have no property of this name. Known ones are \\p{Lu} and \\p{Script=Greek}.",
  ],
  [/^Invalid named capture/, "escape", "Patterns here cannot refer back to a group."],
  [/^Duplicate capture group name/, "before", "Two groups have this name. Groups need no names here."],
  [/^Invalid capture group name/, "before", "A group's name is not complete. Groups need no names here."],
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
    const detail = error.message.replace(/^Invalid regular expression: \/.*\/\w*: /s, "");
    const [, place, advice] = ADVICE.find(([about]) => about.test(detail)) ?? [null, "here", `${detail}.`];
    const index = error instanceof RegExpSyntaxError ? error.index : 0;
    throw new RegexFault(advice, placeOf(source, place, index));
  }
}

function placeOf(source: string, place: Place, index: number): { start: number; end: number } {
  if (place === "group") {
    const start = openGroup(source);
    return { start, end: start + 1 };
  }
  if (place === "escape")
    return {
      start: Math.max(0, source.lastIndexOf("\\", index - 1)),
      end: Math.min(index + 1, source.length),
    };
  const start = Math.max(0, Math.min(place === "before" ? index - 1 : index, source.length - 1));
  return { start, end: start + 1 };
}

/** The innermost group that is not closed. */
function openGroup(source: string): number {
  const open: number[] = [];
  for (const { 0: token, index } of source.matchAll(/\\.|\[(?:\\.|[^\]])*\]|[()]/gsu)) {
    if (token === "(") open.push(index);
    if (token === ")") open.pop();
  }
  return open.at(-1) ?? 0;
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

/** The properties of characters that a text must have one after the other, at least. */
function propertiesOf(alternatives: AST.Alternative[]): number {
  const count = (element: AST.Element | AST.CharacterClassElement): number => {
    switch (element.type) {
      case "Quantifier":
        return Math.min(element.min, MAX_WRITTEN_OUT) * count(element.element);
      case "Group":
      case "CapturingGroup":
        return propertiesOf(element.alternatives);
      case "CharacterSet":
        return element.kind === "property" ? 1 : 0;
      case "CharacterClass":
        return element.elements.reduce((sum, member) => sum + count(member), 0);
      default:
        return 0;
    }
  };
  return alternatives.flatMap(({ elements }) => elements).reduce((sum, element) => sum + count(element), 0);
}
