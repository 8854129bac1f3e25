import type { Git } from "./git.ts";

interface TreeRequest {
  git_dir: string;
  sha: string;
  recursive: boolean;
  limit: { entries: number; bytes: number };
  /** Where the addresses of the entries begin. */
  url: string;
}

/** The entries of a tree in git's order, each as JSON, cut where GitHub would cut a recursive listing. */
export async function readTree(
  git: Git,
  { git_dir, sha, recursive, limit, url }: TreeRequest,
): Promise<{ entries: string[]; truncated: boolean }> {
  const flags = recursive ? ["-r", "-t"] : [];
  const entries: string[] = [];
  let size = 0;
  for await (const line of linesOf(git.stream(git_dir, ["ls-tree", "-z", "-l", ...flags, sha]))) {
    const entry = describeEntry(line, url);
    size += Buffer.byteLength(entry) + 1;
    if (recursive && (entries.length >= limit.entries || size > limit.bytes))
      return { entries, truncated: true };
    entries.push(entry);
  }
  return { entries, truncated: false };
}

/** `<mode> SP <type> SP <sha> SP+ <size or -> TAB <path>`; JSON carries no bytes that are not UTF-8. */
function describeEntry(line: Buffer, url: string): string {
  const tab = line.indexOf(9);
  const [mode = "", type = "", sha = "", size = "-"] = line.toString("latin1", 0, tab).split(/ +/);
  return JSON.stringify({
    path: line.toString("utf8", tab + 1),
    mode,
    type,
    sha,
    ...(type === "blob" && { size: Number(size) }),
    ...(type !== "commit" && { url: `${url}/${type}s/${sha}` }),
  });
}

async function* linesOf(stream: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let rest = Buffer.alloc(0);
  for await (const chunk of stream) {
    const data = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk;
    let start = 0;
    for (let end = data.indexOf(0); end >= 0; end = data.indexOf(0, start)) {
      yield data.subarray(start, end);
      start = end + 1;
    }
    rest = Buffer.from(data.subarray(start));
  }
}
