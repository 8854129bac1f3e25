import type { Readable } from "node:stream";

/** What a route says; a stream goes out as git produces it. */
export interface Answer {
  status: number;
  headers: Record<string, string>;
  body: Buffer | Readable;
}

const DOCUMENTATION = "https://docs.github.com/rest";

/** Thrown by whatever finds that GitHub would refuse; becomes its answer. */
export class Refused extends Error {
  override readonly name = "Refused";
  readonly status: number;
  /** More fields of the body. */
  readonly extra: Record<string, unknown>;
  readonly headers: Record<string, string>;

  constructor(
    status: number,
    message: string,
    { extra = {}, headers = {} }: { extra?: Record<string, unknown>; headers?: Record<string, string> } = {},
  ) {
    super(message);
    this.status = status;
    this.extra = extra;
    this.headers = headers;
  }
}

/** What GitHub says of everything that is not there, or not for this token. */
export function notFound(): Refused {
  return new Refused(404, "Not Found");
}

/** A JSON answer. */
export function json(status: number, value: unknown, headers: Record<string, string> = {}): Answer {
  return {
    status,
    headers: { "content-type": "application/json; charset=utf-8", ...headers },
    body: Buffer.from(JSON.stringify(value)),
  };
}

/** GitHub's error body: message, documentation_url and the status as text. */
export function problem({ status, message, extra, headers }: Refused): Answer {
  const body = { message, ...extra, documentation_url: DOCUMENTATION, status: String(status) };
  return json(status, body, headers);
}

/** An answer without a body. */
export function empty(status: number, headers: Record<string, string> = {}): Answer {
  return { status, headers, body: Buffer.alloc(0) };
}

/** A 200 with a body of any type. */
export function bytes(body: Buffer | Readable, contentType: string): Answer {
  return { status: 200, headers: { "content-type": contentType }, body };
}

/** The answer with its body in memory, for what needs all of it. */
export async function gather(answer: Answer): Promise<Answer & { body: Buffer }> {
  if (Buffer.isBuffer(answer.body)) return { ...answer, body: answer.body };
  const chunks: Buffer[] = [];
  for await (const chunk of answer.body) chunks.push(Buffer.from(chunk));
  return { ...answer, body: Buffer.concat(chunks) };
}
