import { readCommit } from "../commits.ts";
import type { Git } from "../git.ts";
import { nodeId } from "../views/links.ts";

/** GraphQL cuts Blob.text at exactly this many bytes; measured, GitHub documents no figure. */
const TEXT_BYTES = 512_000;
/** Git's own rule: a NUL among the first bytes makes a file binary. */
const SNIFFED_BYTES = 8_000;

/** A resolved object: its type, and what each field says, computed when asked by its arguments and its place. */
export interface Node {
  type: string;
  fields: Record<string, (given: Record<string, unknown>, path: string[]) => unknown>;
}

/** The git object of an id or an expression as a Blob, Tree, Commit or Tag; null when there is none. */
export async function readObject(git: Git, gitDir: string, expression: string): Promise<Node | null> {
  const found = await git.find(gitDir, expression);
  if (!found) return null;
  const shared = {
    oid: () => found.sha,
    abbreviatedOid: () => found.sha.slice(0, 7),
    id: () => nodeId(found.type, found.sha),
  };
  if (found.type === "blob") {
    const blob = await git.read(gitDir, found.sha);
    return { type: "Blob", fields: { ...shared, ...blobFields(blob?.content ?? Buffer.alloc(0)) } };
  }
  if (found.type === "tree") {
    return { type: "Tree", fields: { ...shared, entries: () => readEntries(git, gitDir, found.sha) } };
  }
  if (found.type === "commit")
    return { type: "Commit", fields: { ...shared, ...commitFields(git, gitDir, found.sha) } };
  return { type: "Tag", fields: shared };
}

function blobFields(content: Buffer): Node["fields"] {
  const isBinary = content.subarray(0, SNIFFED_BYTES).includes(0);
  const isTruncated = content.length > TEXT_BYTES;
  return {
    byteSize: () => content.length,
    isBinary: () => isBinary,
    isTruncated: () => isTruncated,
    text: () => (isBinary ? null : content.toString("utf8", 0, Math.min(content.length, TEXT_BYTES))),
  };
}

function commitFields(git: Git, gitDir: string, sha: string): Node["fields"] {
  const commit = () => readCommit(git, gitDir, sha);
  return {
    message: async () => (await commit())?.message,
    committedDate: async () => (await commit())?.committer.date,
    tree: async () => readObject(git, gitDir, (await commit())?.tree ?? ""),
  };
}

/** The raw tree object, entry by entry: `<mode> SP <name> NUL <20 bytes>`. */
async function readEntries(git: Git, gitDir: string, sha: string): Promise<Node[]> {
  const content = (await git.read(gitDir, sha))?.content ?? Buffer.alloc(0);
  const entries: Node[] = [];
  for (let at = 0; at < content.length; ) {
    const space = content.indexOf(0x20, at);
    const nul = content.indexOf(0, space);
    const mode = Number.parseInt(content.toString("latin1", at, space), 8);
    const name = content.subarray(space + 1, nul);
    at = nul + 21;
    entries.push(treeEntry({ git, gitDir, mode, name, oid: content.toString("hex", nul + 1, at) }));
  }
  return entries;
}

function treeEntry(entry: { git: Git; gitDir: string; mode: number; name: Buffer; oid: string }): Node {
  const { git, gitDir, mode, name, oid } = entry;
  const type = mode === 0o160000 ? "commit" : mode === 0o040000 ? "tree" : "blob";
  return {
    type: "TreeEntry",
    fields: {
      name: () => name.toString(),
      nameRaw: () => name.toString("base64"),
      mode: () => mode,
      oid: () => oid,
      type: () => type,
      size: async () => (type === "blob" ? ((await git.find(gitDir, oid))?.size ?? 0) : 0),
      object: () => (type === "commit" ? null : readObject(git, gitDir, oid)),
    },
  };
}
