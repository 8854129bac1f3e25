import PQueue from "p-queue";
import type { Logger } from "pino";
import type { Connection, Listener } from "../database/connect.ts";
import { eventOrTimeout } from "../database/lease-loop.ts";
import { DUE_CHANNEL } from "./events.ts";
import { executeRun, type Perform } from "./execute.ts";
import { type ClaimedRun, claimRun, msUntilDue, sweepRuns } from "./queue.ts";
import { type RunTimings, ShuttingDown } from "./run.ts";

/** NOTIFY is only a hint: what it loses, a poll finds. */
const POLL_MS = 5_000;
const SWEEP_MS = 1_500;
const CLAIM_RETRY_MS = 500;

export interface WorkerOptions {
  connection: Connection;
  timings: RunTimings;
  /** How many runs at once. */
  slots: number;
  /** Unique among replicas; shown in the run's log. */
  name: string;
  perform: Perform;
  log: Logger;
  pollMs?: number;
  sweepMs?: number;
  /** Called after each sweep that worked. */
  onSwept?: () => void;
}

/** Claims due runs into a bounded number of slots, and sweeps what other workers left behind. */
export class Worker {
  readonly #options: WorkerOptions;
  readonly #slots: PQueue;
  readonly #shutdown = new AbortController();
  readonly #running = new Map<string, ClaimedRun>();
  readonly #loops: Promise<void>[] = [];
  #listener: Listener | undefined;
  #wake = Promise.withResolvers<void>();

  constructor(options: WorkerOptions) {
    this.#options = options;
    this.#slots = new PQueue({ concurrency: options.slots });
  }

  start(): void {
    const wake = () => this.#wake.resolve();
    this.#listener = this.#options.connection.listen([DUE_CHANNEL], wake, wake);
    this.#loops.push(this.#claimLoop(), this.#sweepLoop());
  }

  /** Claims nothing more, gives running runs back to the queue, and waits until all is still. */
  async stop(): Promise<void> {
    this.#shutdown.abort(new ShuttingDown());
    this.#wake.resolve();
    await this.#listener?.close();
    await Promise.all(this.#loops);
    await this.#slots.onIdle();
  }

  get #stopping(): boolean {
    return this.#shutdown.signal.aborted;
  }

  async #claimLoop(): Promise<void> {
    const { connection, timings, name, log, pollMs = POLL_MS } = this.#options;
    while (!this.#stopping) {
      this.#wake = Promise.withResolvers();
      let waitMs = pollMs * (0.5 + Math.random());
      if (this.#running.size < this.#options.slots) {
        try {
          const run = await claimRun(connection.db, {
            worker: name,
            leaseSeconds: timings.leaseSeconds,
            exceptInstallation: this.#lastSlotIsNotFor(),
          });
          if (run) {
            this.#take(run);
            continue;
          }
          waitMs = Math.min(waitMs, (await msUntilDue(connection.db)) ?? waitMs);
        } catch (err) {
          if (!this.#stopping) log.warn({ err }, "claim failed");
          waitMs = CLAIM_RETRY_MS;
        }
      }
      await eventOrTimeout(this.#wake.promise, waitMs);
    }
  }

  #take(run: ClaimedRun): void {
    const { connection, timings, perform, log } = this.#options;
    this.#running.set(run.id, run);
    void this.#slots.add(async () => {
      await executeRun(run, { connection, timings, perform, log, shutdown: this.#shutdown.signal });
      this.#running.delete(run.id);
      this.#wake.resolve();
    });
  }

  /** One installation never holds the last slot: with all others taken by it, the last one is for somebody else. */
  #lastSlotIsNotFor(): string | null {
    const { slots } = this.#options;
    if (slots === 1 || this.#running.size !== slots - 1) return null;
    const holders = new Set([...this.#running.values()].map((run) => run.installation_id));
    const [only] = holders;
    return holders.size === 1 && only ? only : null;
  }

  async #sweepLoop(): Promise<void> {
    const { connection, timings, log, sweepMs = SWEEP_MS, onSwept } = this.#options;
    const stopped = new Promise<void>((resolve) =>
      this.#shutdown.signal.addEventListener("abort", () => resolve(), { once: true }),
    );
    while (!this.#stopping) {
      try {
        const taken = await sweepRuns(connection, timings);
        onSwept?.();
        if (taken > 0) log.warn({ taken }, "abandoned runs taken back");
      } catch (err) {
        if (!this.#stopping) log.warn({ err }, "sweep failed");
      }
      await eventOrTimeout(stopped, sweepMs * (0.75 + Math.random() / 2));
    }
  }
}
