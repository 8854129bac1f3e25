import { matchesGlob, parseGlob } from "./glob.ts";

/** Flags that a repository's .gitattributes give a file, for readers who want to leave such files out. */
export interface LinguistFlags {
  generated: boolean;
  vendored: boolean;
}

/** Rules that are read of all files together: each is held against each path. */
const MAX_RULES = 200;

interface Rule {
  matches: (path: string) => boolean;
  generated: boolean | undefined;
  vendored: boolean | undefined;
}

/**
 * Reads `linguist-generated` and `linguist-vendored` out of .gitattributes files (`dir` is the folder each lies
 * in, "" the root). As in git, a deeper file rules over its parents', and a later line over an earlier one.
 * git-scm.com/docs/gitattributes
 */
export function linguistFlags(files: { dir: string; text: string }[]): (path: string) => LinguistFlags {
  const rules = files
    .toSorted((a, b) => depthOf(a.dir) - depthOf(b.dir))
    .flatMap(({ dir, text }) => text.split("\n").flatMap((line) => parseRule(line, dir) ?? []))
    .slice(0, MAX_RULES);
  return (path) => {
    const flags: LinguistFlags = { generated: false, vendored: false };
    for (const rule of rules) {
      if (!rule.matches(path)) continue;
      flags.generated = rule.generated ?? flags.generated;
      flags.vendored = rule.vendored ?? flags.vendored;
    }
    return flags;
  };
}

function depthOf(dir: string): number {
  return dir === "" ? 0 : dir.split("/").length;
}

function parseRule(line: string, dir: string): Rule | null {
  const text = line.trim();
  if (text === "" || text.startsWith("#") || text.startsWith("[attr]") || text.startsWith("!")) return null;
  const quoted = /^"((?:[^"\\]|\\.)*)"\s*(.*)$/.exec(text);
  const plain = /^(\S+)\s*(.*)$/.exec(text);
  const [, pattern = "", attributes = ""] = quoted ?? plain ?? [];
  if (pattern === "" || pattern.endsWith("/")) return null; // a folder has no attributes of its own
  const words = attributes.split(/\s+/);
  const generated = flagOf(words, "linguist-generated");
  const vendored = flagOf(words, "linguist-vendored");
  if (generated === undefined && vendored === undefined) return null;
  return {
    matches: matcherOf(quoted ? pattern.replace(/\\(.)/g, "$1") : pattern, dir),
    generated,
    vendored,
  };
}

function flagOf(words: string[], attribute: string): boolean | undefined {
  const word = words.findLast((candidate) => candidate.replace(/^[-!]/, "").split("=")[0] === attribute);
  if (word === undefined) return undefined;
  return !word.startsWith("-") && !word.startsWith("!") && !word.endsWith("=false");
}

/** A pattern without a slash matches a name at any depth; with one, the path from the file's own folder. */
function matcherOf(pattern: string, dir: string): (path: string) => boolean {
  const prefix = dir === "" ? "" : `${dir}/`;
  const glob = parseGlob(pattern.replace(/^\//, ""));
  const anchored = pattern.includes("/");
  return (path) => {
    if (!path.startsWith(prefix)) return false;
    const below = path.slice(prefix.length);
    return matchesGlob(glob, anchored ? below.split("/") : [below.slice(below.lastIndexOf("/") + 1)]);
  };
}
