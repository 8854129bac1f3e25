import type { Connection, Listener } from "../database/connect.ts";
import { eventOrTimeout } from "../database/lease-loop.ts";
import { CHANGED_CHANNEL } from "../runs/events.ts";

/** Tells any number of readers that a run has changed, from one LISTEN connection. */
export class RunChanges {
  readonly #listener: Listener;
  readonly #waiting = new Set<{ runId: string; wake: () => void }>();
  readonly #watching = new Set<(runId: string | null) => void>();
  readonly #listening = Promise.withResolvers<void>();
  #closed = false;

  constructor(connection: Connection) {
    this.#listener = connection.listen(
      [CHANGED_CHANNEL],
      (_channel, runId) => {
        this.#wake((reader) => reader.runId === runId);
        for (const watcher of this.#watching) watcher(runId);
      },
      () => {
        this.#listening.resolve();
        this.#wakeAll();
      },
    );
  }

  /** Resolves once changes are heard of. */
  get listening(): Promise<void> {
    return this.#listening.promise;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Resolves at the run's next change, at the latest after `ms`, and at once when the server shuts down. */
  async next(runId: string, ms: number): Promise<void> {
    if (this.#closed) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const reader = { runId, wake: resolve };
    this.#waiting.add(reader);
    await eventOrTimeout(promise, ms);
    this.#waiting.delete(reader);
  }

  /** Calls back with the id of each run that changes; with null where any may have, and at the end. */
  watch(watcher: (runId: string | null) => void): void {
    this.#watching.add(watcher);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#wakeAll();
    await this.#listener.close();
  }

  #wakeAll(): void {
    this.#wake(() => true);
    for (const watcher of this.#watching) watcher(null);
  }

  #wake(concerns: (reader: { runId: string }) => boolean): void {
    for (const reader of this.#waiting) if (concerns(reader)) reader.wake();
  }
}
