import { refuseDeep } from "../scan/listing-limits.ts";
import { EMPTY_TREE_SHA, gitBlobSha } from "../scan/manifest.ts";
import { slicesOf } from "../scan/slices.ts";
import {
  BranchMissing,
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
import { parseRawTree, parseTree } from "./tree-answers.ts";

/** GraphQL cuts Blob.text at this many bytes; larger blobs are read raw. docs.github.com gives no figure: measured. */
const GRAPHQL_TEXT_BYTES = 512_000;
const BATCH_BLOBS = 100;
const BATCH_BYTES = 1_000_000;
const BATCH_TREES = 100;
/** A query of so few trees that GitHub could not answer is not asked for by halves. */
const FEWEST_TREES = 10;
const QUERIES_AT_ONCE = 4;
/** How GitHub says that a query is too much for it: by 502 or 504, by no answer in time, or by far too long a one. */
const TOO_MUCH = new Set(["github_error", "github_timeout", "answer_too_large"]);
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
  /** The branch whose head was read last, null for the default one, and the commit that was the newest then. */
  let latest: { branch: string | null; sha: string | null } = { branch: null, sha: null };

  async function ask<T>(doing: string, request: () => Promise<T>, signal: AbortSignal): Promise<T> {
    try {
      return await request();
    } catch (error) {
      signal.throwIfAborted();
      throw translateError(error, doing);
    }
  }

  /** The head of a branch, or of the one that is the default now. What is replaced while it is read is read again. */
  async function readHead(signal: AbortSignal, branch: string | null = null): Promise<Head | null> {
    for (let round = 1; ; round += 1) {
      const seen = await ask("read the repository", () => see(signal), signal);
      ({ owner, name } = seen);
      await options.onSeen(seen);
      const isDefault = branch === null || branch === seen.default_branch;
      const found = await readBranchHead(branch ?? seen.default_branch, { isDefault, signal });
      if (!(found instanceof SourceError)) {
        latest = { branch, sha: found?.sha ?? null };
        return found;
      }
      if (round === HEAD_READS) throw found;
    }
  }

  /** A branch's newest commit, null where there is none at all; or the error that says what is not to be found. */
  async function readBranchHead(
    branch: string,
    { isDefault, signal }: { isDefault: boolean; signal: AbortSignal },
  ): Promise<Head | null | SourceError> {
    let sha: string | undefined;
    try {
      const request = bounded(signal);
      const ref = await octokit.rest.git.getRef({ ...where(), ref: `heads/${branch}`, request });
      sha = shaOf(ref.data?.object);
      const commit = await octokit.rest.git.getCommit({
        ...where(),
        commit_sha: sha,
        request: bounded(signal),
      });
      return { branch, sha, tree_sha: shaOf(commit.data?.tree) };
    } catch (error) {
      signal.throwIfAborted();
      const status = httpFailureOf(error)?.status;
      if (status === 409) return null; // "Git Repository is empty."
      const translated = translateError(error, "read the newest commit");
      if (status !== 404) throw translated;
      if (sha !== undefined) return incomplete(translated);
      return new BranchMissing(branch, { isDefault, cause: error });
    }
  }

  async function see(signal: AbortSignal): Promise<SeenRepository> {
    const { data } = await octokit.rest.repos.get({ ...where(), request: bounded(signal) });
    if (typeof data?.id !== "number" || !data.owner?.login || !data.name || !data.default_branch) {
      throw unreadableAnswer("the repository");
    }
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
    const root = new Map([["", treeSha]]);
    if (treeSha === EMPTY_TREE_SHA) return { entries: [], subtrees: root, truncated: false };
    const listing = parseTree(await ask("list the files", () => getTree(treeSha, signal), signal));
    refuseDeep(listing.subtrees.keys());
    listing.subtrees.set("", treeSha);
    return listing;
  }

  /** Parsed by ourselves: Octokit looks for integers beyond 2^53 first, which takes ten times as long. */
  async function getTree(treeSha: string, signal: AbortSignal): Promise<unknown> {
    const { data } = await octokit.rest.git.getTree({
      ...where(),
      tree_sha: treeSha,
      recursive: "1",
      request: { ...bounded(signal), parseSuccessResponseBody: false },
    });
    const body = await bytesOf(data);
    try {
      return JSON.parse(body.toString());
    } catch {
      return null; // not what parseTree takes
    }
  }

  async function findFile(commitSha: string, path: string, signal: AbortSignal) {
    const fields = [
      `commit: object(oid: "${commitSha}") { oid }`,
      `file: object(expression: ${JSON.stringify(`${commitSha}:${path}`)}) { ... on Blob { oid byteSize } }`,
    ];
    const find = () => queryObjects<{ oid?: string; byteSize?: number }>(fields, signal);
    const { commit, file } = await ask("find a file", find, signal);
    if (!commit) throw new HeadMoved(commitSha);
    return file?.oid ? { sha: file.oid, size: file.byteSize ?? 0 } : null;
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
    const now = await readHead(signal, before.branch);
    if (before.sha !== null && now?.sha !== before.sha) throw new HeadMoved(before.sha);
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
      if (!blob || blob.isBinary || blob.isTruncated || typeof blob.text !== "string") return;
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
    const trees = new Map<string, RawTreeEntry[]>([[EMPTY_TREE_SHA, []]]);
    const asked = shas.filter((sha) => sha !== EMPTY_TREE_SHA);
    const batches = slicesOf(asked, BATCH_TREES);
    for (const some of slicesOf(batches, QUERIES_AT_ONCE)) {
      await Promise.all(some.map((batch) => readTreeBatch(batch, { trees, signal })));
    }
    return trees;
  }

  /** What is too much for one answer is asked for by halves. */
  async function readTreeBatch(
    batch: string[],
    into: { trees: Map<string, RawTreeEntry[]>; signal: AbortSignal },
  ): Promise<void> {
    const { trees, signal } = into;
    const fields = batch.map(
      (sha, i) => `t${i}: object(oid: "${sha}") { ...on Tree { entries { nameRaw mode oid size } } }`,
    );
    try {
      const objects = await ask("list the files", () => queryObjects<unknown>(fields, signal), signal);
      for (const [i, sha] of batch.entries()) {
        const tree = objects[`t${i}`];
        if (!tree) await refuseMoved(signal);
        trees.set(sha, parseRawTree(tree));
      }
    } catch (error) {
      const isTooMuch = error instanceof SourceError && TOO_MUCH.has(error.code);
      if (!isTooMuch || batch.length < FEWEST_TREES) throw error;
      for (const half of slicesOf(batch, Math.ceil(batch.length / 2))) await readTreeBatch(half, into);
    }
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
    if (!location) throw noArchive();
    const address = URL.parse(location, redirect.url);
    if (address?.protocol !== "https:" && address?.protocol !== "http:") throw noArchive();
    // The address carries a secret of its own: it goes to no log, and our token does not go to it.
    const response = await fetch(address, { signal });
    if (!response.ok || !response.body) {
      await response.body?.cancel();
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

  /** What to throw where a commit or tree that was the head a moment ago is not found: moved on, or truly missing. */
  async function explainMissing(error: unknown, sha: string, signal: AbortSignal): Promise<unknown> {
    if (!(error instanceof SourceError) || error.code !== "not_found") return error;
    const head = await readHead(signal, latest.branch);
    return head?.sha === sha || head?.tree_sha === sha ? incomplete(error) : new HeadMoved(sha, error);
  }

  return {
    readHead,
    async listTree(treeSha, signal) {
      try {
        return await listTree(treeSha, signal);
      } catch (error) {
        throw await explainMissing(error, treeSha, signal);
      }
    },
    findFile,
    readRawTrees,
    readBlobs,
    async *streamFiles(commitSha, options) {
      try {
        yield* streamFiles(commitSha, options);
      } catch (error) {
        throw await explainMissing(error, commitSha, options.signal);
      }
    },
  };
}

/** Access is intact and the head is the same, so what was not found must come. */
function incomplete(cause: SourceError): SourceError {
  const message = "GitHub did not find the files of the commit that it calls the newest.";
  return new SourceError("commit_incomplete", message, { retryable: true, cause });
}

function shaOf(named: unknown): string {
  const { sha } = (named ?? {}) as { sha?: unknown };
  if (typeof sha !== "string" || !/^[0-9a-f]{40}$/.test(sha)) throw unreadableAnswer("the newest commit");
  return sha;
}

function unreadableAnswer(what: string): SourceError {
  const message = `What GitHub says of ${what} could not be read.`;
  return new SourceError("bad_answer", message, { retryable: true });
}

function noArchive(): SourceError {
  const message = "GitHub offered no archive of the commit.";
  return new SourceError("no_archive", message, { retryable: true });
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
  const name = error instanceof Error ? error.name : "";
  const hopeless = name === "TarballTooLarge" || name === "TarballUnsafe";
  return new SourceError("bad_archive", `The archive from GitHub could not be read: ${message}`, {
    retryable: !hopeless,
    cause: error,
  });
}
