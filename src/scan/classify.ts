import { isUtf8 } from "node:buffer";
import type { BlobState, FileState } from "../database/schema.ts";
import { decodeLegacy, decodeWhole } from "./encoding.ts";
import { SUBMODULE_MODE, type TreeEntry } from "./manifest.ts";

export type Classified =
  | { state: "indexed"; encoding: string; text: string }
  | { state: Exclude<BlobState, "indexed"> };

/** git-lfs.com, docs/spec.md: pointer files are smaller than 1,024 bytes. */
const LFS_POINTER =
  /^version https:\/\/git-lfs\.github\.com\/spec\/v1\n(?:[a-z0-9.-]+ .*\n)*oid sha256:[0-9a-f]{64}\n/;
const LFS_MAX_BYTES = 1_024;

const UTF16_BOMS = [
  { encoding: "utf-16le", bytes: Buffer.from([0xff, 0xfe]) },
  { encoding: "utf-16be", bytes: Buffer.from([0xfe, 0xff]) },
];

/** Says what a blob is from its content: text with its encoding, or why it is not indexed. */
export function classifyBlob(content: Buffer): Classified {
  const utf16 = UTF16_BOMS.find(({ bytes }) => content.subarray(0, 2).equals(bytes));
  if (utf16) return decode(content, utf16.encoding);
  if (content.includes(0)) return { state: "binary" };
  if (!isUtf8(content)) {
    const decoded = decodeLegacy(content);
    return decoded ? { state: "indexed", ...decoded } : { state: "encoding" };
  }
  const text = content.toString();
  if (content.length < LFS_MAX_BYTES && LFS_POINTER.test(text)) return { state: "lfs" };
  return { state: "indexed", encoding: "utf-8", text };
}

function decode(content: Buffer, encoding: string): Classified {
  const text = decodeWhole(content, encoding);
  return text === null || text.includes("\0") ? { state: "binary" } : { state: "indexed", encoding, text };
}

const MIB = 1024 * 1024;

export interface SizeLimit {
  maxFileBytes: number;
  /** Where it is set, if not by the operator. */
  setBy?: string;
}

/** Why an entry is left out for its kind or size, or null. */
export function skipReasonOf(
  entry: Pick<TreeEntry, "mode" | "size">,
  { maxFileBytes, setBy = "MAX_FILE_BYTES" }: SizeLimit,
): { state: FileState; reason: string } | null {
  if (entry.mode === "120000")
    return { state: "symlink", reason: "A symbolic link: its target is indexed by itself." };
  if (entry.mode === SUBMODULE_MODE)
    return { state: "submodule", reason: "A submodule: its content is another repository's." };
  if ((entry.size ?? 0) > maxFileBytes) {
    const reason = `Larger than ${sizeText(maxFileBytes)}, the limit set by ${setBy}.`;
    return { state: "oversize", reason };
  }
  return null;
}

function sizeText(bytes: number): string {
  return bytes % MIB === 0 ? `${bytes / MIB} MiB` : `${bytes.toLocaleString("en-US")} bytes`;
}

const REASONS: Record<Exclude<BlobState, "indexed">, string> = {
  binary: "Not text: it holds NUL bytes.",
  encoding: "Its encoding is not known. Save it as UTF-8 to have it indexed.",
  lfs: "A Git LFS pointer: the content is not in the repository.",
};

/** The sentence that goes with a state that a blob's content led to. */
export function reasonFor(state: Exclude<BlobState, "indexed">): string {
  return REASONS[state];
}
