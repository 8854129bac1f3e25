import { matchesGlob, parseGlob } from "./glob.ts";
import { SUBMODULE_MODE, type TreeEntry } from "./manifest.ts";
import { Turn } from "./turn.ts";

/** One line of a .gitignore. */
interface Rule {
  negated: boolean;
  directoriesOnly: boolean;
  /** `path` from the root, `name` its last part; one latin1 character a byte. */
  matches: (path: string, name: string) => boolean;
}

/**
 * Those of the entries that git ignores where the .gitignore at the root has these lines: the last pattern that
 * matches decides, and what lies in a matched directory is matched, whatever comes later. Bytes are compared, as git
 * does, and submodules are directories. git-scm.com/docs/gitignore. Takes time in proportion to patterns × paths.
 */
export async function findIgnored<Entry extends Pick<TreeEntry, "path" | "mode">>(
  entries: Entry[],
  lines: string[],
): Promise<Set<Entry>> {
  const rules = lines.flatMap((line) => parseRule(line) ?? []).reverse();
  const ignored = new Set<Entry>();
  if (rules.length === 0) return ignored;
  const turn = new Turn();
  const directories = new Map([["", false]]);
  const isIgnored = async (path: string, isDirectory: boolean) =>
    directories.get(parentOf(path)) === true || (await decide(path, { isDirectory, rules, turn }));
  for (const entry of entries) {
    for (const directory of unknownAbove(entry.path, directories))
      directories.set(directory, await isIgnored(directory, true));
    if (await isIgnored(entry.path, entry.mode === SUBMODULE_MODE)) ignored.add(entry);
  }
  return ignored;
}

/** Directories above a path that are not known yet, topmost first. */
function unknownAbove(path: string, known: ReadonlyMap<string, boolean>): string[] {
  const unknown: string[] = [];
  for (let above = parentOf(path); !known.has(above); above = parentOf(above)) unknown.push(above);
  return unknown.reverse();
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}

/** What the rules, last first, say of a path by itself. */
async function decide(
  path: string,
  { isDirectory, rules, turn }: { isDirectory: boolean; rules: Rule[]; turn: Turn },
): Promise<boolean> {
  const name = path.slice(path.lastIndexOf("/") + 1);
  for (const rule of rules) {
    if ((isDirectory || !rule.directoriesOnly) && rule.matches(path, name)) return !rule.negated;
    if (turn.isOver()) await turn.next();
  }
  return false;
}

/** Whether git makes anything of a line: it is no blank, no comment, and there are paths that it could match. */
export function isPattern(line: string): boolean {
  return parseRule(line) !== null;
}

/** As git's dir.c has it: the part without wildcards is compared as it is, the rest by wildmatch. */
function parseRule(line: string): Rule | null {
  if (line.startsWith("#")) return null;
  const text = Buffer.from(trimSpaces(line)).toString("latin1");
  const negated = text.startsWith("!");
  const [, body = "", slash] = /^!?(.*?)(\/?)$/s.exec(text) ?? [];
  const matches = body.includes("/") ? matchPath(body.replace(/^\//, "")) : matchName(body);
  return matches && { negated, directoriesOnly: slash === "/", matches };
}

/** Spaces at the end count only after a backslash. */
function trimSpaces(line: string): string {
  let end = 0;
  for (let at = 0; at < line.length; at += 1) {
    if (line[at] === " ") continue;
    if (line[at] === "\\") at += 1;
    end = at + 1;
  }
  return line.slice(0, end);
}

/** A pattern without a slash matches names at any depth. */
function matchName(pattern: string): Rule["matches"] | null {
  if (pattern === "") return null;
  if (isLiteral(pattern)) return (_, name) => name === pattern;
  const end = pattern.slice(1);
  if (pattern.startsWith("*") && isLiteral(end)) return (_, name) => name.endsWith(end);
  const glob = parseGlob(pattern);
  return glob && ((_, name) => matchesGlob(glob, [name]));
}

/** A pattern with a slash, not counting one at its end, matches from the root. */
function matchPath(pattern: string): Rule["matches"] | null {
  const start = pattern.slice(0, /[*?[\\]|$/.exec(pattern)?.index);
  if (start === pattern) return pattern === "" ? null : (path) => path === pattern;
  const glob = parseGlob(pattern.slice(start.length));
  return glob && ((path) => path.startsWith(start) && matchesGlob(glob, path.slice(start.length).split("/")));
}

function isLiteral(pattern: string): boolean {
  return !/[*?[\\]/.test(pattern);
}
