import { ACCESS_CHANNEL } from "../access/users.ts";
import type { Connection, Listener } from "../database/connect.ts";
import { eventOrTimeout } from "../database/lease-loop.ts";
import { CHANGED_CHANNEL } from "../runs/events.ts";

/** One reader's view of a run's changes. */
export interface RunWatch {
  /**
   * Resolves at the first change since this last resolved, at the latest after `ms`, and at once when it is closed or
   * the server shuts down.
   */
  next(ms: number): Promise<void>;
  readonly closed: boolean;
  close(): void;
}

interface Reader {
  runId: string;
  /** Resolved by a change. */
  changed: PromiseWithResolvers<void>;
}

type AccessWatcher = (userId: string | null) => void;

/** Tells any number of readers that a run has changed, or what people may see, from one LISTEN connection. */
export class RunChanges {
  readonly #listener: Listener;
  readonly #readers = new Set<Reader>();
  readonly #watching = new Set<(runId: string | null) => void>();
  readonly #watchingAccess = new Set<AccessWatcher>();
  #accessChanges = 0;
  readonly #listening = Promise.withResolvers<void>();
  #closed = false;

  constructor(connection: Connection) {
    this.#listener = connection.listen(
      [CHANGED_CHANNEL, ACCESS_CHANNEL],
      (channel, payload) => {
        if (channel === ACCESS_CHANNEL) return this.#tellAccess(payload === "" ? null : payload);
        const runId = payload;
        this.#wake((reader) => reader.runId === runId);
        for (const watcher of this.#watching) watcher(runId);
      },
      () => {
        this.#listening.resolve();
        this.#wakeAll();
        this.#tellAccess(null);
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

  /** Follows one run from now on: close it. */
  watchRun(runId: string): RunWatch {
    const reader: Reader = { runId, changed: Promise.withResolvers() };
    const readers = this.#readers.add(reader);
    const isClosed = () => this.#closed || !readers.has(reader);
    return {
      get closed() {
        return isClosed();
      },
      async next(ms) {
        if (isClosed()) return;
        await eventOrTimeout(reader.changed.promise, ms);
        reader.changed = Promise.withResolvers();
      },
      close() {
        readers.delete(reader);
        reader.changed.resolve();
      },
    };
  }

  /** Calls back with the id of each run that changes; with null where any may have, and at the end. */
  watch(watcher: (runId: string | null) => void): void {
    this.#watching.add(watcher);
  }

  /** Another one after each change of what people may see that was heard of. */
  get accessChanges(): number {
    return this.#accessChanges;
  }

  /**
   * Calls back with whom it concerns where what people may see may have changed, with null where it may be anybody, until
   * the function that it answers is called.
   */
  watchAccess(watcher: AccessWatcher): () => void {
    this.#watchingAccess.add(watcher);
    return () => void this.#watchingAccess.delete(watcher);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#wakeAll();
    await this.#listener.close();
  }

  #tellAccess(userId: string | null): void {
    this.#accessChanges += 1;
    for (const watcher of [...this.#watchingAccess]) watcher(userId);
  }

  #wakeAll(): void {
    this.#wake(() => true);
    for (const watcher of this.#watching) watcher(null);
  }

  #wake(concerns: (reader: Reader) => boolean): void {
    for (const reader of this.#readers) if (concerns(reader)) reader.changed.resolve();
  }
}
