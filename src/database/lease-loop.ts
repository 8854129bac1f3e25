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
  /** Works on it; must not throw. */
  handle: (item: T) => Promise<void>;
  log: Logger;
}

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
      try {
        const free = this.#queue.pending + this.#queue.size < concurrency;
        const item = free ? await lease() : null;
        if (item !== null) {
          this.#take(item);
          continue;
        }
      } catch (err) {
        if (!this.#stopping) log.warn({ err }, "due rows could not be read");
      }
      await eventOrTimeout(this.#wake.promise, pollMs * (0.5 + Math.random()));
    }
  }

  #take(item: T): void {
    void this.#queue.add(async () => {
      await this.#options.handle(item);
      this.#wake.resolve();
    });
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
