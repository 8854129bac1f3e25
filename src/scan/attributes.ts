/** Flags that a repository's .gitattributes give a file, for readers who want to leave such files out. */
export interface LinguistFlags {
  generated: boolean;
  vendored: boolean;
}

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
    .flatMap(({ dir, text }) => text.split("\n").flatMap((line) => parseRule(line, dir) ?? []));
  return (path) => {
    const flags: LinguistFlags = { generated: false, vendored: false };
    for (const rule of rules) {
      if (rule.generated === undefined && rule.vendored === undefined) continue;
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
  return {
    matches: matcherOf(quoted ? pattern.replace(/\\(.)/g, "$1") : pattern, dir),
    generated: flagOf(words, "linguist-generated"),
    vendored: flagOf(words, "linguist-vendored"),
  };
}

function flagOf(words: string[], attribute: string): boolean | undefined {
  const word = words.findLast((candidate) => candidate.replace(/^[-!]/, "").split("=")[0] === attribute);
  if (word === undefined) return undefined;
  return !word.startsWith("-") && !word.startsWith("!") && !word.endsWith("=false");
}

/** A pattern without a slash matches a name at any depth; with one, the path from the file's own folder. */
function matcherOf(pattern: string, dir: string): (path: string) => boolean {
  const anchored = pattern.includes("/");
  const regex = globRegex(pattern.replace(/^\//, ""));
  const prefix = dir === "" ? "" : `${dir}/`;
  return (path) => {
    if (!path.startsWith(prefix)) return false;
    const below = path.slice(prefix.length);
    return regex.test(anchored ? below : below.slice(below.lastIndexOf("/") + 1));
  };
}

function globRegex(glob: string): RegExp {
  const body = glob.replace(/\*\*\/|\/\*\*$|\*+|\?|\[!?[^\]]+\]|\\.|[.+^${}()|[\]\\]/g, (token) => {
    if (token === "**/") return "(?:.*/)?";
    if (token === "/**") return "/.+";
    if (token.startsWith("*")) return "[^/]*";
    if (token === "?") return "[^/]";
    if (token.length > 2 && token.startsWith("["))
      return `[${token.slice(1, -1).replace(/^!/, "^").replaceAll("\\", "\\\\")}]`;
    return token.length === 2 ? `\\${token.slice(1)}` : `\\${token}`;
  });
  try {
    return new RegExp(`^${body}$`, "su");
  } catch {
    return /^(?!)/; // a pattern that is no pattern matches nothing, as in git
  }
}
