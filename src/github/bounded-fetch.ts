import { SourceError } from "../scan/source.ts";

/** GitHub's largest answers, recursive trees, are near 7 MB; one directory's list may be several times that. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;
/** docs.github.com/en/rest/git/blobs: "up to 100 megabytes in size". */
const MAX_RAW_BYTES = 101 * 1024 * 1024;
const WITHOUT_BODY = new Set([204, 205, 304]);

class AnswerTooLarge extends SourceError {
  /** Octokit passes on nothing but what has this name; all else it wraps, and asks again. */
  override readonly name = "AbortError";

  constructor(limit: number) {
    const message = `GitHub's answer is larger than ${limit / 1024 ** 2} MiB, more than it ever sends.`;
    super("answer_too_large", message, { retryable: true });
  }
}

/**
 * fetch for Octokit, which reads an answer whole however large it is, and takes one that broke off for an empty one:
 * here the first is refused and the second fails.
 */
export async function boundedFetch(url: string, init: RequestInit): Promise<Response> {
  const response = await fetch(url, init);
  if (!response.body || WITHOUT_BODY.has(response.status)) return response;
  const isRaw = new Headers(init.headers).get("accept")?.includes("raw");
  const body = await readBody(response.body, isRaw ? MAX_RAW_BYTES : MAX_ANSWER_BYTES);
  const { status, statusText, headers } = response;
  return Object.defineProperty(new Response(body, { status, statusText, headers }), "url", {
    value: response.url,
  });
}

async function readBody(body: ReadableStream<Uint8Array>, limit: number): Promise<Buffer<ArrayBuffer>> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of body) {
    length += piece.length;
    if (length > limit) throw new AnswerTooLarge(limit);
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}
