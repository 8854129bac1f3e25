import type { Logger } from "pino";
import { eventOrTimeout } from "./lease-loop.ts";

const EVERY_MS = 60 * 60_000;

/** Deletes a batch of what is no longer needed; answers how many rows went. */
export type Clean = () => Promise<number>;

/** Runs every cleaner about once an hour until nothing is left for it, on every replica: they do not collide. */
export class Housekeeping {
  readonly #cleaners: Record<string, Clean>;
  readonly #log: Logger;
  readonly #stop = Promise.withResolvers<void>();
  #stopping = false;
  #loop: Promise<void> | undefined;

  constructor(options: { cleaners: Record<string, Clean>; log: Logger }) {
    this.#cleaners = options.cleaners;
    this.#log = options.log;
  }

  start(): void {
    this.#loop = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    this.#stop.resolve();
    await this.#loop;
  }

  async #run(): Promise<void> {
    while (!this.#stopping) {
      for (const [what, clean] of Object.entries(this.#cleaners)) await this.#cleanAll(what, clean);
      await eventOrTimeout(this.#stop.promise, EVERY_MS * (0.75 + Math.random() / 2));
    }
  }

  async #cleanAll(what: string, clean: Clean): Promise<void> {
    try {
      let total = 0;
      for (let deleted = -1; deleted !== 0 && !this.#stopping; total += deleted) deleted = await clean();
      if (total > 0) this.#log.info({ what, deleted: total }, "old rows deleted");
    } catch (err) {
      if (!this.#stopping) this.#log.warn({ what, err }, "old rows could not be deleted");
    }
  }
}
