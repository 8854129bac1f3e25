import type { StoredError } from "../database/schema.ts";
import { messageOf } from "../redact.ts";
import type { TreeEntry } from "./manifest.ts";

/** The commit to index, as the host of the repository names it now. SHAs are 40 hex digits. */
export interface Head {
  branch: string;
  sha: string;
  tree_sha: string;
}

/** All leaf entries below a tree; `subtrees` are the directories' SHAs as the host gave them, by path, "" the root. */
export interface TreeListing {
  entries: TreeEntry[];
  subtrees: Map<string, string>;
}

/** One entry of one tree object. */
export interface RawTreeEntry {
  /** Its true bytes, one latin1 character each. */
  name: string;
  mode: string;
  sha: string;
  size: number | null;
}

export interface TarballFile {
  path: Buffer;
  content: Buffer;
}

/**
 * Reads one repository. The scan declares it, src/github implements it; every failure is a SourceError.
 * What it yields is not trusted: the scan checks each blob and the whole tree against their SHAs.
 */
export interface Source {
  /**
   * The newest commit of a branch, by default of the default one; null for a repository without commits. Throws
   * BranchMissing.
   */
  readHead(signal: AbortSignal, branch?: string | null): Promise<Head | null>;
  /** The blob at a path of a commit that was just the head, or null where there is none. */
  findFile(
    commitSha: string,
    path: string,
    signal: AbortSignal,
  ): Promise<{ sha: string; size: number } | null>;
  /** The listing in one request; `truncated` where the host gives only a part of a tree so large. */
  listTree(treeSha: string, signal: AbortSignal): Promise<TreeListing & { truncated: boolean }>;
  /** Single tree objects with raw names, for paths that JSON cannot carry. */
  readRawTrees(treeShas: string[], signal: AbortSignal): Promise<Map<string, RawTreeEntry[]>>;
  /** Blobs by SHA, in any order; a blob the host does not have comes with null. */
  readBlobs(
    blobs: { sha: string; size: number | null }[],
    signal: AbortSignal,
  ): AsyncIterable<{ sha: string; content: Buffer | null }>;
  /** The commit's archive as a stream; `wanted` says which paths' content to keep. */
  streamFiles(
    commitSha: string,
    options: { wanted: (path: Buffer) => boolean; signal: AbortSignal },
  ): AsyncIterable<TarballFile>;
}

/** Base of everything a Source may throw: a code, a sentence for the repository's owner, and whether to try again. */
export class SourceError extends Error {
  override readonly name: string = "SourceError";
  readonly code: string;
  readonly retryable: boolean;

  constructor(code: string, message: string, options: { retryable: boolean; cause?: unknown }) {
    super(message, { cause: options.cause });
    this.code = code;
    this.retryable = options.retryable;
  }
}

/** The host asks us to wait: no failure of the run, its budget stays untouched. */
export class RateLimited extends SourceError {
  override readonly name: string = "RateLimited";
  readonly resetAt: Date;

  constructor(resetAt: Date, cause?: unknown, what = "GitHub's rate limit is used up") {
    super("rate_limited", `${what} until ${resetAt.toISOString().slice(11, 16)} UTC.`, {
      retryable: true,
      cause,
    });
    this.resetAt = resetAt;
  }
}

/** What is left of the hour's requests is for pushes and people: background work waits, and nothing else does. */
export class BudgetReserved extends RateLimited {
  override readonly name = "BudgetReserved";

  constructor(resetAt: Date) {
    super(resetAt, undefined, "What is left of GitHub's rate limit is kept for pushes and commands");
  }
}

/** A commit or tree that was the head a moment ago is gone, with access intact: a force push. Read the head again. */
export class HeadMoved extends SourceError {
  override readonly name = "HeadMoved";

  constructor(sha: string, cause?: unknown) {
    super("head_moved", `Commit ${sha.slice(0, 7)} was replaced while it was being read.`, {
      retryable: true,
      cause,
    });
  }
}

/** A push told of a commit that the host does not show as the head yet: no failure of the run, to be read again. */
export class HeadLags extends SourceError {
  override readonly name = "HeadLags";
  readonly retryAfterMs: number;

  constructor(sha: string, retryAfterMs: number) {
    super("head_lags", `GitHub does not show the pushed commit ${sha.slice(0, 7)} yet.`, { retryable: true });
    this.retryAfterMs = retryAfterMs;
  }
}

/**
 * GitHub is away, answers with errors, or takes too long: no failure of the run, which waits and comes back. So does a
 * run for which the App's own credentials are refused, since they are the operator's to put right.
 */
export class HostUnavailable extends SourceError {
  override readonly name = "HostUnavailable";

  constructor(code: string, message: string, cause?: unknown) {
    super(code, message, { retryable: true, cause });
  }
}

/** The owner suspended the installation: its runs wait until that ends. */
export class InstallationSuspended extends SourceError {
  override readonly name = "InstallationSuspended";

  constructor(cause?: unknown) {
    super("suspended", SUSPENDED, { retryable: true, cause });
  }
}

export const SUSPENDED =
  "The installation is suspended. Unsuspend it in the GitHub settings of its owner: the scan then goes on.";

/** The repository has commits, but not this branch, or does not show it yet. */
export class BranchMissing extends SourceError {
  override readonly name = "BranchMissing";

  constructor(branch: string, { isDefault, cause }: { isDefault: boolean; cause?: unknown }) {
    const named = isDefault ? ", which it calls the default" : "";
    super("branch_missing", `GitHub shows no branch ${branch}${named}.`, { retryable: true, cause });
  }
}

/** What an error looks like in a run's log and reason: no secret in it. */
export function describeError(error: unknown): StoredError {
  const message = messageOf(error);
  const cause = error instanceof Error ? causeOf(error) : null;
  if (error instanceof SourceError) return { code: error.code, message, cause };
  const pgCode =
    error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : null;
  if (pgCode && /^[0-9A-Z]{5}$/.test(pgCode)) {
    return { code: "database_error", message: `The database refused a statement: ${message}`, cause: pgCode };
  }
  return { code: "internal_error", message: `Repodex failed: ${message}`, cause };
}

function causeOf({ cause }: Error): string | null {
  return cause === undefined ? null : messageOf(cause);
}
