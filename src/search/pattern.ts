import type { AST } from "@eslint-community/regexpp";
import { foldCharacter, foldText } from "./fold.ts";
import { parseRegex } from "./regex.ts";

/** What is looked for in a line. */
export type Pattern =
  | { kind: "literal"; text: string; case_sensitive: boolean }
  | { kind: "regex"; source: string; case_sensitive: boolean };

/**
 * What a text must contain, at least, for a pattern to match somewhere in one line of it. A literal stands within one
 * line, has one character at least, and is folded (foldText) where the pattern does not care about case.
 */
export type Need =
  | { kind: "anything" }
  | { kind: "literal"; text: string }
  | { kind: "all"; of: Need[] }
  | { kind: "any"; of: Need[] };

/** More ways to write one piece than this are not told apart. */
const MAX_WAYS = 32;
/** A class of more characters than this is any character: what stands beside it tells more. */
const MAX_CLASS = 12;
const MAX_LITERAL = 200;
/** Of what must be there together, so many parts are kept: each is held against the others. */
const MAX_PARTS = 8;
/** Choices of more ways together are not held against each other. */
const MAX_COMPARED = 64;
/** `x{100}` needs no more than this many x in a row. */
const MAX_REPEATED = 16;

const ANYTHING: Need = { kind: "anything" };

/**
 * What is known of the texts that a part of a pattern matches: all of them, where they are few; else what each begins
 * and ends with, and needs. After Russ Cox, "Regular Expression Matching with a Trigram Index".
 */
interface Facts {
  exact: string[] | null;
  first: string[];
  last: string[];
  need: Need;
}

/** Matches are texts that hold what this asks for; others may hold it too. */
export function needOf(pattern: Pattern): Need {
  if (pattern.kind === "literal")
    return anyOf([pattern.case_sensitive ? pattern.text : foldText(pattern.text)]);
  const fold = pattern.case_sensitive ? (character: number) => character : foldCharacter;
  return wholeNeed(factsOfBranches(parseRegex(pattern.source).alternatives, fold));
}

type Fold = (character: number) => number;

function factsOfBranches(branches: AST.Alternative[], fold: Fold): Facts {
  const all = branches.map(({ elements }) =>
    elements.map((element) => factsOf(element, fold)).reduce(join, exactly([""])),
  );
  return all.length === 1 && all[0] ? all[0] : either(all);
}

function factsOf(element: AST.Element, fold: Fold): Facts {
  switch (element.type) {
    case "Character":
      return exactly([String.fromCodePoint(fold(element.value))]);
    case "CharacterClass": {
      const members = membersOf(element, fold);
      return members ? exactly(members) : UNKNOWN;
    }
    case "CharacterSet":
      return element.kind === "digit" && !element.negate ? exactly([..."0123456789"]) : UNKNOWN;
    case "Group":
    case "CapturingGroup":
      return factsOfBranches(element.alternatives, fold);
    case "Quantifier":
      return repeated(element, factsOf(element.element, fold));
    case "Assertion":
      return exactly([""]);
    default:
      return UNKNOWN;
  }
}

/** The few characters that a class stands for; null where they are many. */
function membersOf(characters: AST.CharacterClass, fold: Fold): string[] | null {
  if (characters.negate) return null;
  const members = new Set<number>();
  for (const element of characters.elements) {
    const range = rangeOf(element);
    if (range === null || range[1] - range[0] >= 2 * MAX_CLASS) return null;
    for (let character = range[0]; character <= range[1]; character += 1) members.add(fold(character));
  }
  return members.size > MAX_CLASS ? null : [...members].map((character) => String.fromCodePoint(character));
}

function rangeOf(element: AST.CharacterClassElement): [number, number] | null {
  if (element.type === "Character") return [element.value, element.value];
  if (element.type === "CharacterClassRange") return [element.min.value, element.max.value];
  if (element.type === "CharacterSet" && element.kind === "digit" && !element.negate) return [0x30, 0x39];
  return null;
}

function repeated({ min, max }: AST.Quantifier, facts: Facts): Facts {
  if (max === 0) return exactly([""]);
  if (min === 0) return max === 1 && facts.exact ? either([exactly([""]), facts]) : UNKNOWN;
  let times = facts;
  const counted = Math.min(min, MAX_REPEATED);
  for (let count = 1; count < counted; count += 1) times = join(times, facts);
  return counted === max ? times : inexact(times);
}

const UNKNOWN: Facts = { exact: null, first: [""], last: [""], need: ANYTHING };

function exactly(texts: string[]): Facts {
  return { exact: texts, first: texts, last: texts, need: ANYTHING };
}

function inexact(facts: Facts): Facts {
  return { ...facts, exact: null, need: wholeNeed(facts) };
}

function join(left: Facts, right: Facts): Facts {
  const both = left.exact && right.exact && pairs(left.exact, right.exact);
  if (both) return exactly(both);
  return {
    exact: null,
    first: left.exact ? (pairs(left.exact, right.first) ?? left.exact) : left.first,
    last: right.exact ? (pairs(left.last, right.exact) ?? right.exact) : right.last,
    need: allOf([wholeNeed(left), wholeNeed(right), anyOf(pairs(left.last, right.first) ?? [""])]),
  };
}

function either(branches: Facts[]): Facts {
  const exact = branches.every((branch) => branch.exact) && few(branches.flatMap(({ exact }) => exact ?? []));
  if (exact) return exactly(exact);
  return {
    exact: null,
    first: few(branches.flatMap(({ first }) => first)) ?? [""],
    last: few(branches.flatMap(({ last }) => last)) ?? [""],
    need: someOf(branches.map(wholeNeed)),
  };
}

function wholeNeed({ exact, first, last, need }: Facts): Need {
  return exact ? anyOf(exact) : allOf([need, anyOf(first), anyOf(last)]);
}

/** Each left text with each right one behind it; null where they are many, or long. */
function pairs(left: string[], right: string[]): string[] | null {
  if (left.length * right.length > MAX_WAYS) return null;
  const texts = few(left.flatMap((start) => right.map((end) => start + end)));
  return texts?.some(({ length }) => length > MAX_LITERAL) ? null : texts;
}

function few(texts: string[]): string[] | null {
  const distinct = [...new Set(texts)];
  return distinct.length > MAX_WAYS ? null : distinct;
}

function anyOf(texts: string[]): Need {
  return someOf(texts.map((text) => (text === "" ? ANYTHING : { kind: "literal", text })));
}

/** What is implied by another part of the choice adds nothing to it. */
function someOf(needs: Need[]): Need {
  const kept: Need[] = [];
  for (const need of needs.flatMap((each) => (each.kind === "any" ? each.of : [each]))) {
    if (need.kind === "anything") return ANYTHING;
    if (kept.some((other) => implies(need, other))) continue;
    kept.splice(0, kept.length, ...kept.filter((other) => !implies(other, need)), need);
  }
  return kept.length === 1 && kept[0] ? kept[0] : { kind: "any", of: kept };
}

function allOf([first, ...others]: [Need, ...Need[]]): Need {
  // The first, which grows from part to part, is held against itself already.
  const kept: Need[] = first.kind === "all" ? [...first.of] : first.kind === "anything" ? [] : [first];
  for (const need of others.flatMap((each) => (each.kind === "all" ? each.of : [each]))) {
    if (need.kind === "anything" || kept.some((other) => implies(other, need))) continue;
    kept.splice(0, kept.length, ...kept.filter((other) => !implies(need, other)), need);
    if (kept.length > MAX_PARTS) kept.splice(kept.indexOf(leastTelling(kept)), 1);
  }
  if (kept.length === 0) return ANYTHING;
  return kept.length === 1 && kept[0] ? kept[0] : { kind: "all", of: kept };
}

/** The part that most texts have: with the shortest of many ways. To leave it out asks for less, which is safe. */
function leastTelling(needs: Need[]): Need {
  const scores = new Map(needs.map((need) => [need, lengthOf(need)]));
  return needs.reduce((least, need) => ((scores.get(need) ?? 0) < (scores.get(least) ?? 0) ? need : least));
}

function lengthOf(need: Need): number {
  if (need.kind === "anything") return 0;
  if (need.kind === "literal") return need.text.length;
  const lengths = need.of.map(lengthOf);
  return need.kind === "all" ? Math.max(...lengths) : Math.min(...lengths) - need.of.length / MAX_WAYS;
}

/** Whether a text that has what `need` asks has surely what `other` asks. */
function implies(need: Need, other: Need): boolean {
  if (other.kind === "anything") return true;
  if (need.kind === "any" && other.kind === "any" && need.of.length * other.of.length > MAX_COMPARED)
    return false;
  if (need.kind === "any") return need.of.every((each) => implies(each, other));
  if (other.kind === "all") return other.of.every((each) => implies(need, each));
  if (need.kind === "all") return need.of.some((each) => implies(each, other));
  if (other.kind === "any") return other.of.some((each) => implies(need, each));
  return need.kind === "literal" && need.text.includes(other.text);
}
