import { setTimeout as delay } from "node:timers/promises";
import PQueue from "p-queue";
import type { Logger } from "pino";
import type { Connection, Listener } from "./connect.ts";

export interface LeaseLoopOptions<T> {
  connection: Connection;
  /** NOTIFY on it wakes the loop; it is only a hint, a poll stands behind it. */
  channel: string;
  concurrency: number;
  pollMs: number;
  /** Takes one due row under a lease, or answers null where nothing is due. */
  lease: () => Promise<T | null>;
  /** How long a row is held without a beat: until then nobody else takes up what a dead process held. */
  leaseSeconds: number;
  /** Holds a row for another lease; false when it is no longer ours. */
  renew: (item: T) => Promise<boolean>;
  /** Works on it; must not throw. The signal says that the lease is lost, or cannot be confirmed for its length. */
  handle: (item: T, signal: AbortSignal) => Promise<void>;
  log: Logger;
}

/** A loop that found nothing looks again no sooner: under load it would be woken hundreds of times a second. */
const PAUSE_MS = 25;
/** A beat every third of the lease: two may be lost. */
const BEATS_PER_LEASE = 3;

/** Takes due rows of a table one by one and works on a bounded number of them at a time. */
export class LeaseLoop<T> {
  readonly #options: LeaseLoopOptions<T>;
  readonly #queue: PQueue;
  #listener: Listener | undefined;
  #wake = Promise.withResolvers<void>();
  #loop: Promise<void> | undefined;
  #stopping = false;

  constructor(options: LeaseLoopOptions<T>) {
    this.#options = options;
    this.#queue = new PQueue({ concurrency: options.concurrency });
  }

  start(): void {
    const wake = () => this.#wake.resolve();
    this.#listener = this.#options.connection.listen([this.#options.channel], wake, wake);
    this.#loop = this.#run();
  }

  /** Takes nothing more and waits for the work under way. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#wake.resolve();
    await this.#listener?.close();
    await this.#loop;
    await this.#queue.onIdle();
  }

  async #run(): Promise<void> {
    const { concurrency, lease, log, pollMs } = this.#options;
    while (!this.#stopping) {
      this.#wake = Promise.withResolvers();
      let pauseMs = 0;
      try {
        const free = this.#queue.pending + this.#queue.size < concurrency;
        const item = free ? await lease() : null;
        if (item !== null) {
          this.#take(item);
          continue;
        }
        if (free) pauseMs = PAUSE_MS;
      } catch (err) {
        if (!this.#stopping) log.warn({ err }, "due rows could not be read");
      }
      await delay(pauseMs);
      await eventOrTimeout(this.#wake.promise, pollMs * (0.5 + Math.random()));
    }
  }

  #take(item: T): void {
    void this.#queue.add(async () => {
      const held = this.#hold(item);
      await this.#options.handle(item, held.signal);
      held.end();
      this.#wake.resolve();
    });
  }

  /** Renews a row's lease until told to end. Times are monotonic milliseconds. */
  #hold(item: T): { signal: AbortSignal; end(): void } {
    const { renew, leaseSeconds } = this.#options;
    const stop = new AbortController();
    let confirmedAt = performance.now();
    const beat = async () => {
      const sentAt = performance.now();
      if (sentAt - confirmedAt > leaseSeconds * 1000) stop.abort();
      const renewed = await renew(item).catch(() => null); // the database is away
      if (renewed === false) stop.abort();
      if (renewed) confirmedAt = sentAt;
    };
    const timer = setInterval(() => void beat(), (leaseSeconds * 1000) / BEATS_PER_LEASE);
    return { signal: stop.signal, end: () => clearInterval(timer) };
  }
}

/** Waits for `event`, at most `ms` milliseconds. */
export async function eventOrTimeout(event: Promise<void>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([event, timeout]);
  clearTimeout(timer);
}
