import type { Kysely } from "kysely";
import type { Logger } from "pino";
import { eventOrTimeout } from "../database/lease-loop.ts";
import type { Tables } from "../database/schema.ts";
import type { Viewer } from "../database/viewer.ts";
import { listRunsById, type RunView } from "../runs/read.ts";
import type { RunChanges } from "./run-changes.ts";

/** Changes within so many milliseconds are read together. */
const GATHER_MS = 100;

/** What a reader has not taken yet. */
export interface News {
  /** Each as it is now, however often it changed. */
  runs: RunView[];
  /** Something may have been missed: read all again. */
  isLost: boolean;
}

export interface Subscription {
  /** Resolves once there is news, at the latest after `ms`, and at once when the server shuts down. */
  next(ms: number): Promise<News>;
  readonly closed: boolean;
  /** Ends it, and whoever waits for news. */
  close(): void;
}

interface Reader {
  viewer: Viewer;
  /** Null: all that the viewer sees. */
  repositoryId: string | null;
  /** The newest state of each run: so what a slow reader leaves never grows. */
  pending: Map<string, RunView>;
  isLost: boolean;
  hasNews: boolean;
  wake: () => void;
}

export interface RunFeedOptions {
  db: Kysely<Tables>;
  changes: RunChanges;
  log: Logger;
}

/** Tells any number of readers which runs change, with one look at the database for all who may see the same. */
export class RunFeed {
  readonly #db: Kysely<Tables>;
  readonly #log: Logger;
  readonly #readers = new Set<Reader>();
  readonly #changed = new Set<string>();
  #gathering: NodeJS.Timeout | undefined;

  constructor({ db, changes, log }: RunFeedOptions) {
    this.#db = db;
    this.#log = log;
    changes.watch((runId) => {
      if (runId === null) this.#lose([...this.#readers]);
      else if (this.#readers.size > 0) this.#gather(runId);
    });
  }

  /** Follows from now on: close it. */
  subscribe(whose: Pick<Reader, "viewer" | "repositoryId">): Subscription {
    const reader: Reader = { ...whose, pending: new Map(), isLost: false, hasNews: false, wake: () => {} };
    const readers = this.#readers.add(reader);
    return {
      get closed() {
        return !readers.has(reader);
      },
      next: async (ms) => {
        if (!reader.hasNews) await this.#wait(reader, ms);
        const news = { runs: [...reader.pending.values()], isLost: reader.isLost };
        reader.pending.clear();
        reader.isLost = false;
        reader.hasNews = false;
        return news;
      },
      close() {
        readers.delete(reader);
        reader.wake();
      },
    };
  }

  async #wait(reader: Reader, ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    reader.wake = resolve;
    await eventOrTimeout(promise, ms);
    reader.wake = () => {};
  }

  #gather(runId: string): void {
    this.#changed.add(runId);
    this.#gathering ??= setTimeout(() => {
      this.#gathering = undefined;
      void this.#tell();
    }, GATHER_MS);
  }

  async #tell(): Promise<void> {
    const ids = [...this.#changed];
    this.#changed.clear();
    const groups = Map.groupBy(this.#readers, ({ viewer }) => JSON.stringify(viewer.repositories));
    for (const readers of groups.values()) {
      const [first] = readers;
      if (!first) continue;
      try {
        const runs = await listRunsById(this.#db, first.viewer, ids);
        for (const reader of readers) this.#give(reader, runs);
      } catch (err) {
        this.#log.warn({ err }, "changed runs could not be read");
        this.#lose(readers);
      }
    }
  }

  #give(reader: Reader, runs: RunView[]): void {
    const own = runs.filter(
      (run) => reader.repositoryId === null || run.repository_id === reader.repositoryId,
    );
    if (own.length === 0) return;
    for (const run of own) {
      const known = reader.pending.get(run.id);
      if (!known || known.version <= run.version) reader.pending.set(run.id, run);
    }
    this.#notify(reader);
  }

  #lose(readers: Reader[]): void {
    for (const reader of readers) {
      reader.isLost = true;
      this.#notify(reader);
    }
  }

  #notify(reader: Reader): void {
    reader.hasNews = true;
    reader.wake();
  }
}
