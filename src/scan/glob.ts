/** What one place of a path segment must be: any run of characters, any one, or one of a kind. */
type Token = "*" | ((character: string) => boolean);
/** A path segment's tokens; "**" stands for any number of segments. */
type Segment = "**" | Token[];

/** Longer ones are nobody's names. */
const MAX_GLOB_LENGTH = 1_000;

/**
 * Reads a pattern as git's wildmatch has it: `*`, `?` and `[…]` within a path segment, `**` across them.
 * git-scm.com/docs/gitignore, "Pattern format". Null for what can match nothing.
 */
export function parseGlob(glob: string): Segment[] | null {
  if (glob.length > MAX_GLOB_LENGTH) return null;
  const characters = [...glob];
  const segments: Segment[] = [];
  let tokens: Token[] = [];
  for (let at = 0; at < characters.length; ) {
    const read = readToken(characters, at);
    if (read === null) return null;
    if (read.token === "/") {
      segments.push(...closeSegment(tokens, read.end - at > 1));
      tokens = [];
    } else tokens.push(read.token);
    at = read.end;
  }
  segments.push(...closeSegment(tokens, true));
  return segments;
}

/** Stars alone between slashes stand for any number of segments; at the end, or before "\\/", for one at least. */
function closeSegment(tokens: Token[], atLeastOne: boolean): Segment[] {
  if (tokens.length < 2 || !tokens.every((token) => token === "*")) return [tokens];
  return atLeastOne ? ["**", ["*"]] : ["**"];
}

function readToken(characters: string[], at: number): { token: Token | "/"; end: number } | null {
  const character = characters[at] ?? "";
  if (character === "*" || character === "/") return { token: character, end: at + 1 };
  if (character === "?") return { token: () => true, end: at + 1 };
  if (character === "[") return readClass(characters, at);
  const end = at + (character === "\\" ? 2 : 1);
  const literal = characters[end - 1];
  if (literal === undefined) return null;
  return { token: literal === "/" ? "/" : (other) => other === literal, end };
}

type Test = (character: string) => boolean;

const KINDS: Record<string, RegExp> = {
  alnum: /[A-Za-z0-9]/,
  alpha: /[A-Za-z]/,
  blank: /[ \t]/,
  cntrl: /[^ -~\u0080-\uffff]/,
  digit: /[0-9]/,
  graph: /[\x21-\x7e]/,
  lower: /[a-z]/,
  print: /[\x20-\x7e]/,
  punct: /[!-/:-@[-`{-~]/,
  space: /[ \t\n\v\f\r]/,
  upper: /[A-Z]/,
  xdigit: /[A-Fa-f0-9]/,
};

/** A class from its "[" on. Null where it is not closed, or names a kind that there is not. */
function readClass(characters: string[], start: number): { token: Test; end: number } | null {
  const negated = characters[start + 1] === "!" || characters[start + 1] === "^";
  const first = start + (negated ? 2 : 1);
  const tests: Test[] = [];
  let from = ""; // what a range may begin with
  let at = first;
  while (at === first || characters[at] !== "]") {
    const member = readMember(characters, at, from);
    if (member === null) return null;
    tests.push(member.test);
    ({ from, end: at } = member);
  }
  return { token: (character) => tests.some((test) => test(character)) !== negated, end: at + 1 };
}

function readMember(
  characters: string[],
  at: number,
  from: string,
): { test: Test; from: string; end: number } | null {
  const character = characters[at];
  const next = characters[at + 1];
  if (character === "-" && from !== "" && next !== undefined && next !== "]") {
    const end = at + (next === "\\" ? 3 : 2);
    const to = characters[end - 1];
    return to === undefined ? null : { test: (other) => from <= other && other <= to, from: "", end };
  }
  const close = character === "[" && next === ":" ? characters.indexOf("]", at + 2) : at;
  if (close === -1) return null;
  if (close > at + 2 && characters[close - 1] === ":") {
    const name = characters.slice(at + 2, close - 1).join("");
    const kind = Object.hasOwn(KINDS, name) ? KINDS[name] : undefined;
    return kind ? { test: (other) => kind.test(other), from: "", end: close + 1 } : null;
  }
  const literal = character === "\\" ? next : character;
  if (literal === undefined) return null;
  return { test: (other) => other === literal, from: literal, end: at + (character === "\\" ? 2 : 1) };
}

/** Whether a path, cut at its slashes, matches: in time proportional to pattern × path, whatever the pattern. */
export function matchesGlob(glob: Segment[] | null, path: string[]): boolean {
  if (glob === null) return false;
  return matches(glob, path, {
    isStar: (segment) => segment === "**",
    accepts: (segment, name) => segment !== "**" && matchesSegment(segment, name),
  });
}

function matchesSegment(tokens: Token[], name: string): boolean {
  return matches(tokens, [...name], {
    isStar: (token) => token === "*",
    accepts: (token, character) => token !== "*" && token(character),
  });
}

/** The two-pointer match: a mismatch goes back to the last star alone, which takes one item more. */
function matches<Pattern, Item>(
  pattern: Pattern[],
  items: Item[],
  { isStar, accepts }: { isStar: (one: Pattern) => boolean; accepts: (one: Pattern, item: Item) => boolean },
): boolean {
  let p = 0;
  let i = 0;
  let star = -1;
  let starItem = 0;
  while (i < items.length) {
    const one = pattern[p];
    if (one !== undefined && isStar(one)) {
      star = p;
      starItem = i;
      p += 1;
    } else if (one !== undefined && accepts(one, items[i] as Item)) {
      p += 1;
      i += 1;
    } else if (star !== -1) {
      starItem += 1;
      i = starItem;
      p = star + 1;
    } else return false;
  }
  return pattern.slice(p).every(isStar);
}
