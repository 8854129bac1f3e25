import { entryPath, gitBlobSha, type TreeEntry } from "../scan/manifest.ts";
import {
  type Head,
  HeadMoved,
  type RawTreeEntry,
  type Source,
  SourceError,
  type TreeListing,
} from "../scan/source.ts";
import { bounded, type Octokit } from "./client.ts";
import { httpFailureOf, translateError } from "./errors.ts";
import { readTarball, type TarballLimits } from "./tarball.ts";

/** GraphQL cuts Blob.text at this many bytes; larger blobs are read raw. docs.github.com gives no figure: measured. */
const GRAPHQL_TEXT_BYTES = 512_000;
const BATCH_BLOBS = 100;
const BATCH_BYTES = 1_000_000;
const BATCH_TREES = 50;
const SUBTREES_AT_ONCE = 4;
/** A branch or commit that is not found may just have been replaced: so often the head is read in all. */
const HEAD_READS = 3;
const MOVED_PERMANENTLY = 301;

export interface RepositoryName {
  id: string;
  owner: string;
  name: string;
}

/** What GitHub says of a repository when its head is read. */
export interface SeenRepository extends RepositoryName {
  private: boolean;
  archived: boolean;
  default_branch: string;
}

export interface SourceOptions {
  octokit: Octokit;
  repository: RepositoryName;
  limits: TarballLimits;
  /** Told what GitHub calls the repository now, whenever the head is read. */
  onSeen: (seen: SeenRepository) => Promise<void>;
}

/** Reads one repository through GitHub's REST and GraphQL with an installation's token. */
export function createSource(options: SourceOptions): Source {
  let { owner, name } = options.repository;
  const { octokit } = options;
  const where = () => ({ owner, repo: name });
  /** The commit that was the newest when the head was last read. */
  let latest: string | null = null;

  async function ask<T>(doing: string, request: () => Promise<T>, signal: AbortSignal): Promise<T> {
    try {
      return await request();
    } catch (error) {
      signal.throwIfAborted();
      throw translateError(error, doing);
    }
  }

  /** The head of the branch that is the default one now. What is replaced while it is read is read again. */
  async function readHead(signal: AbortSignal): Promise<Head | null> {
    for (let round = 1; ; round += 1) {
      const seen = await ask("read the repository", () => see(signal), signal);
      ({ owner, name } = seen);
      await options.onSeen(seen);
      const found = await readBranchHead(seen.default_branch, signal);
      if (!(found instanceof SourceError)) {
        latest = found?.sha ?? null;
        return found;
      }
      if (round === HEAD_READS) throw found;
    }
  }

  /** A branch's newest commit, null where there is none at all; or the error that says what is not to be found. */
  async function readBranchHead(branch: string, signal: AbortSignal): Promise<Head | null | SourceError> {
    let sha: string | undefined;
    try {
      const request = bounded(signal);
      const ref = await octokit.rest.git.getRef({ ...where(), ref: `heads/${branch}`, request });
      sha = ref.data.object.sha;
      const commit = await octokit.rest.git.getCommit({
        ...where(),
        commit_sha: sha,
        request: bounded(signal),
      });
      return { branch, sha, tree_sha: commit.data.tree.sha };
    } catch (error) {
      signal.throwIfAborted();
      const status = httpFailureOf(error)?.status;
      if (status === 409) return null; // "Git Repository is empty."
      const translated = translateError(error, "read the newest commit");
      if (status !== 404) throw translated;
      if (sha !== undefined) return incomplete(translated);
      const message = `GitHub shows no branch ${branch}, which it calls the default.`;
      return new SourceError("branch_missing", message, { retryable: true, cause: error });
    }
  }

  async function see(signal: AbortSignal): Promise<SeenRepository> {
    const { data } = await octokit.rest.repos.get({ ...where(), request: bounded(signal) });
    if (String(data.id) !== options.repository.id) {
      const message = `${owner}/${name} is another repository now. Repodex waits to hear where this one went.`;
      throw new SourceError("renamed_away", message, { retryable: true });
    }
    return {
      id: String(data.id),
      owner: data.owner.login,
      name: data.name,
      private: data.private,
      archived: data.archived,
      default_branch: data.default_branch,
    };
  }

  async function listTree(
    treeSha: string,
    signal: AbortSignal,
  ): Promise<TreeListing & { truncated: boolean }> {
    const listing: TreeListing = { entries: [], subtrees: new Map([["", treeSha]]) };
    const { tree, truncated } = await ask(
      "list the files",
      () => getTree(treeSha, { recursive: true, signal }),
      signal,
    );
    addEntries(listing, tree, "");
    return { ...listing, truncated };
  }

  async function walkTree(treeSha: string, signal: AbortSignal): Promise<TreeListing> {
    const listing: TreeListing = { entries: [], subtrees: new Map([["", treeSha]]) };
    await ask("list the files", () => splitTree(listing, { sha: treeSha, prefix: "" }, signal), signal);
    return listing;
  }

  async function listInto(
    listing: TreeListing,
    tree: { sha: string; prefix: string },
    signal: AbortSignal,
  ): Promise<void> {
    const whole = await getTree(tree.sha, { recursive: true, signal });
    if (whole.truncated) await splitTree(listing, tree, signal);
    else addEntries(listing, whole.tree, tree.prefix);
  }

  /** A tree too large for one answer: its first level by itself, then each of its subtrees. */
  async function splitTree(
    listing: TreeListing,
    tree: { sha: string; prefix: string },
    signal: AbortSignal,
  ): Promise<void> {
    const level = await getTree(tree.sha, { recursive: false, signal });
    addEntries(listing, level.tree, tree.prefix);
    const subtrees = level.tree.filter((entry) => entry.type === "tree");
    for (let i = 0; i < subtrees.length; i += SUBTREES_AT_ONCE) {
      const some = subtrees.slice(i, i + SUBTREES_AT_ONCE);
      await Promise.all(
        some.map((entry) =>
          listInto(listing, { sha: entry.sha, prefix: `${tree.prefix}${entry.path}/` }, signal),
        ),
      );
    }
  }

  async function getTree(sha: string, { recursive, signal }: { recursive: boolean; signal: AbortSignal }) {
    const { data } = await octokit.rest.git.getTree({
      ...where(),
      tree_sha: sha,
      ...(recursive && { recursive: "1" }),
      request: bounded(signal),
    });
    return data;
  }

  async function* readBlobs(blobs: { sha: string; size: number | null }[], signal: AbortSignal) {
    for (const batch of batchesOf(blobs)) {
      const texts = await ask("read files", () => readTexts(batch, signal), signal);
      for (const { sha } of batch) {
        const content = texts.get(sha) ?? (await ask("read a file", () => readRaw(sha, signal), signal));
        if (content === null) await refuseMoved(signal);
        yield { sha, content };
      }
    }
  }

  /** What is not found may have gone with a commit that was replaced: throws HeadMoved then. */
  async function refuseMoved(signal: AbortSignal): Promise<void> {
    const before = latest;
    const now = await readHead(signal);
    if (before !== null && now?.sha !== before) throw new HeadMoved(before);
  }

  /** Those of the blobs that GraphQL gave whole: text that hashes to its SHA. */
  async function readTexts(batch: { sha: string; size: number | null }[], signal: AbortSignal) {
    const small = batch.filter((blob) => (blob.size ?? 0) <= GRAPHQL_TEXT_BYTES);
    const texts = new Map<string, Buffer>();
    if (small.length === 0) return texts;
    const fields = small.map(
      ({ sha }, i) => `b${i}: object(oid: "${sha}") { ...on Blob { isBinary isTruncated text } }`,
    );
    const objects = await queryObjects<{
      isBinary: boolean | null;
      isTruncated: boolean;
      text: string | null;
    }>(fields, signal);
    small.forEach(({ sha }, i) => {
      const blob = objects[`b${i}`];
      if (!blob || blob.isBinary || blob.isTruncated || blob.text === null) return;
      const content = Buffer.from(blob.text);
      if (gitBlobSha(content) === sha) texts.set(sha, content);
    });
    return texts;
  }

  async function readRaw(sha: string, signal: AbortSignal): Promise<Buffer | null> {
    try {
      const { data } = await octokit.request("GET /repos/{owner}/{repo}/git/blobs/{file_sha}", {
        ...where(),
        file_sha: sha,
        headers: { accept: "application/vnd.github.raw+json" },
        request: { ...bounded(signal), parseSuccessResponseBody: false },
      });
      return await bytesOf(data);
    } catch (error) {
      if (httpFailureOf(error)?.status === 404) return null;
      throw error;
    }
  }

  async function readRawTrees(shas: string[], signal: AbortSignal): Promise<Map<string, RawTreeEntry[]>> {
    const trees = new Map<string, RawTreeEntry[]>();
    for (let start = 0; start < shas.length; start += BATCH_TREES) {
      const batch = shas.slice(start, start + BATCH_TREES);
      const fields = batch.map(
        (sha, i) => `t${i}: object(oid: "${sha}") { ...on Tree { entries { nameRaw mode oid size } } }`,
      );
      const objects = await ask(
        "list the files",
        () =>
          queryObjects<{ entries: { nameRaw: string; mode: number; oid: string; size: number }[] }>(
            fields,
            signal,
          ),
        signal,
      );
      batch.forEach((sha, i) => {
        const entries = objects[`t${i}`]?.entries ?? [];
        trees.set(
          sha,
          entries.map(({ nameRaw, mode, oid, size }) => ({
            name: Buffer.from(nameRaw, "base64").toString("latin1"),
            mode: mode.toString(8).padStart(6, "0"),
            sha: oid,
            size: mode === 0o160000 ? null : size,
          })),
        );
      });
    }
    return trees;
  }

  async function queryObjects<T>(
    fields: string[],
    signal: AbortSignal,
  ): Promise<Record<string, T | null | undefined>> {
    const query = `query ($owner: String!, $name: String!) { repository(owner: $owner, name: $name) { ${fields.join("\n")} } }`;
    const answer = await octokit.graphql<{ repository: Record<string, T | null> | null }>(query, {
      owner,
      name,
      request: bounded(signal),
    });
    return answer.repository ?? {};
  }

  async function* streamFiles(
    commitSha: string,
    { wanted, signal }: { wanted: (path: Buffer) => boolean; signal: AbortSignal },
  ) {
    const body = await ask("send the archive", () => openTarball(commitSha, signal), signal);
    try {
      yield* readTarball(body, { limits: options.limits, signal, wanted });
    } catch (error) {
      signal.throwIfAborted();
      throw error instanceof SourceError ? error : translateTarball(error);
    }
  }

  async function openTarball(commitSha: string, signal: AbortSignal): Promise<ReadableStream<Uint8Array>> {
    let redirect = await askForTarball(commitSha, signal);
    if (Number(redirect.status) === MOVED_PERMANENTLY) {
      ({ owner, name } = await see(signal)); // renamed: this led to the API under the new name, not to the archive
      redirect = await askForTarball(commitSha, signal);
    }
    const location = redirect.headers.location;
    if (!location)
      throw new SourceError("no_archive", "GitHub offered no archive of the commit.", { retryable: true });
    // The address carries a secret of its own: it goes to no log, and our token does not go to it.
    const response = await fetch(location, { signal });
    if (!response.ok || !response.body) {
      const error = Object.assign(new Error("archive"), { status: response.status });
      throw translateError(error, "send the archive");
    }
    return response.body;
  }

  async function askForTarball(commitSha: string, signal: AbortSignal) {
    return await octokit.request("GET /repos/{owner}/{repo}/tarball/{ref}", {
      ...where(),
      ref: commitSha,
      request: { ...bounded(signal), redirect: "manual" },
    });
  }

  /** A commit that was the head a moment ago and is not found: moved on, or truly missing. */
  function withHeadCheck<A extends unknown[], T>(
    read: (sha: string, ...rest: A) => Promise<T>,
    signalOf: (...rest: A) => AbortSignal,
  ) {
    return async (sha: string, ...rest: A): Promise<T> => {
      try {
        return await read(sha, ...rest);
      } catch (error) {
        if (!(error instanceof SourceError) || error.code !== "not_found") throw error;
        const head = await readHead(signalOf(...rest));
        throw head?.sha === sha || head?.tree_sha === sha ? incomplete(error) : new HeadMoved(sha, error);
      }
    };
  }

  return {
    readHead,
    listTree: withHeadCheck(listTree, (signal) => signal),
    walkTree: withHeadCheck(walkTree, (signal) => signal),
    readRawTrees,
    readBlobs,
    async *streamFiles(commitSha, options) {
      try {
        yield* streamFiles(commitSha, options);
      } catch (error) {
        if (!(error instanceof SourceError) || error.code !== "not_found") throw error;
        const head = await readHead(options.signal);
        throw head?.sha === commitSha ? incomplete(error) : new HeadMoved(commitSha, error);
      }
    },
  };
}

/** Access is intact and the head is the same, so what was not found must come. */
function incomplete(cause: SourceError): SourceError {
  const message = "GitHub did not find the files of the commit that it calls the newest.";
  return new SourceError("commit_incomplete", message, { retryable: true, cause });
}

function addEntries(
  listing: TreeListing,
  tree: { path: string; mode: string; sha: string; type: string; size?: number }[],
  prefix: string,
): void {
  for (const { path, mode, sha, type, size } of tree) {
    const full = entryPath({ path: prefix + path, path_bytes: null });
    if (type === "tree") listing.subtrees.set(full, sha);
    else listing.entries.push({ path: full, mode, sha, size: size ?? null } satisfies TreeEntry);
  }
}

function* batchesOf(blobs: { sha: string; size: number | null }[]) {
  let batch: typeof blobs = [];
  let bytes = 0;
  for (const blob of blobs) {
    const size = blob.size ?? 0;
    if (batch.length > 0 && (batch.length >= BATCH_BLOBS || bytes + size > BATCH_BYTES)) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(blob);
    bytes += size;
  }
  if (batch.length > 0) yield batch;
}

async function bytesOf(data: unknown): Promise<Buffer> {
  if (data instanceof ArrayBuffer) return Buffer.from(data);
  if (data instanceof ReadableStream) return Buffer.from(await new Response(data).arrayBuffer());
  return Buffer.from(String(data));
}

function translateTarball(error: unknown): SourceError {
  const message = error instanceof Error ? error.message : String(error);
  const retryable =
    error instanceof Error && (error.name === "TarballTruncated" || !error.name.startsWith("Tarball"));
  return new SourceError("bad_archive", `The archive from GitHub could not be read: ${message}`, {
    retryable,
    cause: error,
  });
}
