/** What one place of a path segment must be: any run of characters, any one, or one of a kind. */
type Token = "*" | ((character: string) => boolean);
/** A path segment's tokens; "**" stands for any number of segments. */
type Segment = "**" | Token[];

/** Longer ones are nobody's names. */
const MAX_GLOB_LENGTH = 1_000;

/**
 * Reads a pattern as git's wildmatch has it: `*`, `?` and `[…]` within a path segment, `**` across them.
 * git-scm.com/docs/gitignore, "Pattern format". What is no pattern matches nothing.
 */
export function parseGlob(glob: string): Segment[] | null {
  if (glob.length > MAX_GLOB_LENGTH) return null;
  const segments: Segment[] = [];
  for (const text of glob.split("/")) {
    const tokens = text === "**" ? "**" : parseSegment([...text]);
    if (tokens === null) return null;
    segments.push(tokens);
  }
  return segments;
}

function parseSegment(characters: string[]): Token[] | null {
  const tokens: Token[] = [];
  for (let i = 0; i < characters.length; i += 1) {
    const character = characters[i] ?? "";
    if (character === "*") {
      if (tokens.at(-1) !== "*") tokens.push("*");
    } else if (character === "?") tokens.push(() => true);
    else if (character === "[") {
      const end = characters.indexOf(
        "]",
        i + (characters[i + 1] === "!" || characters[i + 1] === "^" ? 3 : 2),
      );
      if (end === -1) return null;
      tokens.push(parseClass(characters.slice(i + 1, end)));
      i = end;
    } else {
      if (character === "\\") i += 1;
      const literal = characters[i] ?? "";
      tokens.push((other) => other === literal);
    }
  }
  return tokens;
}

function parseClass(characters: string[]): (character: string) => boolean {
  const negated = characters[0] === "!" || characters[0] === "^";
  const members = negated ? characters.slice(1) : characters;
  const ranges: [string, string][] = [];
  for (let i = 0; i < members.length; i += 1) {
    const from = members[i] ?? "";
    const to = members[i + 1] === "-" ? members[i + 2] : undefined;
    ranges.push([from, to ?? from]);
    if (to !== undefined) i += 2;
  }
  return (character) => ranges.some(([from, to]) => from <= character && character <= to) !== negated;
}

/** Whether a path, cut at its slashes, matches: in time proportional to pattern × path, whatever the pattern. */
export function matchesGlob(glob: Segment[] | null, path: string[]): boolean {
  if (glob === null) return false;
  // A "**" at the end stands for everything inside, so for one segment at least.
  const pattern: Segment[] = glob.at(-1) === "**" ? [...glob, ["*"]] : glob;
  return matches(pattern, path, {
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
