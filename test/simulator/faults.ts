import { Transform } from "node:stream";
import { type Answer, gather } from "./answers.ts";

interface FaultyRequest {
  method: string;
  route: string;
  path: string;
  body: unknown;
}

/** Something that goes wrong with matching requests. Without `status` the true answer is made, then spoiled. */
export interface Fault {
  method?: string;
  /** Exact OpenAPI template, "tarball" for the archive host, or "/graphql". */
  route?: string;
  match?: (request: FaultyRequest) => boolean;
  /** How many requests it meets; 1 unless told. */
  times?: number;
  /** How many matching requests pass first. */
  after?: number;
  status?: number;
  body?: unknown;
  headers?: Record<string, string>;
  delayMs?: number;
  /** What happens in the middle of the request: it is not answered before this has. */
  meanwhile?: () => Promise<unknown>;
  /** `meanwhile` happens after so many bytes of the body, not before the answer is made. */
  meanwhileAfterBytes?: number;
  /** Never answers; the socket stays open until the client or the simulator closes it. */
  hang?: boolean;
  /** Destroys the socket after so many bytes of the body. */
  cutAfterBytes?: number;
  mutate?: (body: Buffer) => Buffer;
}

/** The faults in force, in the order they were added. */
export interface Faults {
  add(fault: Fault): () => void;
  /** The fault that meets this request, counted as used; null when it passes. */
  take(request: FaultyRequest): Fault | null;
}

/** Starts without faults. */
export function createFaults(): Faults {
  const entries = new Set<{ fault: Fault; passed: number; used: number }>();
  return {
    add(fault) {
      const entry = { fault, passed: 0, used: 0 };
      entries.add(entry);
      return () => void entries.delete(entry);
    },
    take(request) {
      for (const entry of entries) {
        if (entry.used >= (entry.fault.times ?? 1) || !meets(entry.fault, request)) continue;
        if (entry.passed < (entry.fault.after ?? 0)) {
          entry.passed++;
          continue;
        }
        entry.used++;
        return entry.fault;
      }
      return null;
    },
  };
}

function meets(fault: Fault, request: FaultyRequest): boolean {
  if (fault.method && fault.method.toUpperCase() !== request.method) return false;
  if (fault.route && fault.route !== request.route) return false;
  return fault.match?.(request) ?? true;
}

/** The answer a fault gives instead of the true one, or null where it only spoils that. */
export function insteadOf({ status, body, headers }: Fault): Answer | null {
  if (status === undefined) return null;
  const text = typeof body === "string" || Buffer.isBuffer(body);
  return {
    status,
    headers: { "content-type": text ? "text/plain" : "application/json; charset=utf-8", ...headers },
    body: text ? Buffer.from(body) : Buffer.from(JSON.stringify(body ?? { message: `Simulated ${status}` })),
  };
}

/** The true answer with the fault's headers and body. */
export async function spoil(answer: Answer, { headers, mutate }: Fault): Promise<Answer> {
  const spoiled = { ...answer, headers: { ...answer.headers, ...headers } };
  if (!mutate) return spoiled;
  const whole = await gather(spoiled);
  return { ...whole, body: mutate(whole.body) };
}

/** Passes so many bytes, and the rest once `meanwhile` has happened. */
export function pauseAfter(limit: number, meanwhile: () => Promise<unknown>): Transform {
  let passed = 0;
  let happened = false;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const before = happened ? chunk.length : Math.min(chunk.length, limit - passed);
      passed += before;
      if (before > 0) this.push(chunk.subarray(0, before));
      if (before === chunk.length) return done();
      happened = true;
      meanwhile().then(() => done(null, chunk.subarray(before)), done);
    },
  });
}

/** Passes so many bytes, then calls `cut` and passes no more. */
export function cutAfter(limit: number, cut: () => void): Transform {
  let left = limit;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const passed = chunk.subarray(0, left);
      left -= passed.length;
      if (passed.length > 0) this.push(passed);
      if (passed.length === chunk.length) return done();
      setImmediate(cut);
    },
  });
}
