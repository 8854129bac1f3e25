import { setImmediate } from "node:timers/promises";
import type { Worker } from "node:worker_threads";
import PQueue from "p-queue";
import { answerOf, Threads } from "../threads.ts";
import { type CompiledPattern, compilePattern, type LineMatch } from "./match.ts";
import type { Pattern } from "./pattern.ts";

/** How long literals may keep the event loop to themselves, in milliseconds. */
const TURN_MS = 10;
/** Comparisons of characters that literals may take in one text at worst (`aaa…b` in `aaa…`): some 10 ms. */
const MAX_COMPARISONS = 10_000_000;

export interface MatchRequest {
  texts: string[];
  patterns: Pattern[];
  limit: number;
  ranged: number;
}
/** Per text, per pattern: the lines. */
export type MatchAnswer = LineMatch[][][];

export interface MatchOptions {
  /** When to give up, by performance.now(). */
  deadline: number;
  /** Lines per text and pattern, and how many of them have ranges. */
  limit: number;
  ranged?: number;
  signal?: AbortSignal;
}

/** The patterns took longer than they may, or more memory. */
export class TimedOut extends Error {
  constructor(options?: ErrorOptions) {
    super("the patterns could not be matched in time", options);
    this.name = "TimedOut";
  }
}

/**
 * Matches patterns so that none can hold up the process: literals here, between other work; regular expressions on
 * threads, of which each has one request at a time, and is ended where that does not answer in time.
 */
export class Matcher {
  readonly #slots: PQueue;
  readonly #threads = new Threads(new URL("./matcher-thread.ts", import.meta.url));
  #closed = false;

  constructor({ threads }: { threads: number }) {
    this.#slots = new PQueue({ concurrency: threads });
  }

  /**
   * Per text, per pattern: the lines that match. Rejects with TimedOut at the deadline, and with the signal's reason
   * when that is aborted.
   */
  async match(texts: string[], patterns: Pattern[], options: MatchOptions): Promise<MatchAnswer> {
    options.signal?.throwIfAborted();
    const longest = texts.reduce((length, text) => Math.max(length, text.length), 0);
    const light = patterns.map((pattern) => isLight(pattern, longest));
    const heavy = patterns.filter((_, index) => !light[index]);
    const { limit, ranged = limit } = options;
    const ending = new AbortController();
    const threaded =
      heavy.length > 0 && texts.length > 0
        ? this.#matchOnThread(
            { texts, patterns: heavy, limit, ranged },
            { ...options, ending: ending.signal },
          )
        : null;
    threaded?.catch(() => {}); // told below, once the literals are done
    try {
      const here = await matchHere(
        texts,
        patterns.map((pattern, index) => (light[index] ? compilePattern(pattern) : null)),
        options,
      );
      const there = (await threaded) ?? [];
      return here.map((found, index) => merge(found, there[index] ?? []));
    } finally {
      ending.abort();
    }
  }

  /** Ends the threads; what they have at hand is rejected. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#threads.close();
  }

  async #matchOnThread(
    request: MatchRequest,
    { deadline, signal, ending }: MatchOptions & { ending: AbortSignal },
  ): Promise<MatchAnswer> {
    const { promise: stopped, reject } = Promise.withResolvers<never>();
    stopped.catch(() => {}); // whether or not anyone waits for it by then
    const giveUp = new AbortController();
    const stop = (reason: unknown) => {
      giveUp.abort(reason);
      reject(reason);
    };
    const timer = setTimeout(() => stop(new TimedOut()), Math.max(0, deadline - performance.now()));
    const onAbort = () => stop(signal?.reason);
    const onEnding = () => stop(new Error("the literals of this request could not be matched"));
    signal?.addEventListener("abort", onAbort, { once: true });
    ending.addEventListener("abort", onEnding, { once: true });
    try {
      const answer = this.#slots.add(() => this.#ask(request, giveUp.signal, stopped));
      answer.catch(() => {}); // it may still wait in line when this is long over
      return await Promise.race([answer, stopped]);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
      ending.removeEventListener("abort", onEnding);
    }
  }

  async #ask(request: MatchRequest, signal: AbortSignal, stopped: Promise<never>): Promise<MatchAnswer> {
    signal.throwIfAborted();
    if (this.#closed) throw new Error("the matcher is closed");
    const worker = this.#threads.take();
    try {
      const answer = matchesOf(worker);
      worker.postMessage(request);
      const found = await Promise.race([answer, stopped]);
      this.#threads.giveBack(worker);
      return found;
    } catch (error) {
      await this.#threads.end(worker);
      if (!this.#closed) this.#threads.prepare(); // ready when the next request comes
      throw error;
    }
  }
}

/** Whether a pattern surely takes little time in texts of this length. */
function isLight(pattern: Pattern, length: number): boolean {
  return pattern.kind === "literal" && pattern.text.length * length <= MAX_COMPARISONS;
}

async function matchHere(
  texts: string[],
  patterns: (CompiledPattern | null)[],
  { deadline, limit, ranged = limit, signal }: MatchOptions,
): Promise<(LineMatch[] | null)[][]> {
  const found: (LineMatch[] | null)[][] = [];
  let turnEnds = performance.now() + TURN_MS;
  for (const text of texts) {
    const lines: (LineMatch[] | null)[] = [];
    for (const pattern of patterns) {
      lines.push(pattern === null ? null : pattern.matchLines(text, limit, ranged));
      const now = performance.now();
      if (pattern && now > deadline) throw new TimedOut();
      if (now > turnEnds) {
        await setImmediate();
        signal?.throwIfAborted();
        turnEnds = performance.now() + TURN_MS;
      }
    }
    found.push(lines);
  }
  return found;
}

/** The threads' answers, in the places that were left for them. */
function merge(here: (LineMatch[] | null)[], there: LineMatch[][]): LineMatch[][] {
  let next = 0;
  return here.map((lines) => {
    if (lines) return lines;
    next += 1;
    return there[next - 1] ?? [];
  });
}

async function matchesOf(worker: Worker): Promise<MatchAnswer> {
  try {
    return await answerOf<MatchAnswer>(worker, "matches patterns");
  } catch (error) {
    throw error instanceof Error && isExhausted(error) ? new TimedOut({ cause: error }) : error;
  }
}

/** A pattern that took all of the thread's memory, or all the room there is for its way back. */
function isExhausted(error: Error): boolean {
  return error instanceof RangeError || ("code" in error && error.code === "ERR_WORKER_OUT_OF_MEMORY");
}
