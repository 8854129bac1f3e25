import type { Checked } from "./check.ts";
import type { SimulatedCheckRun, SimulatedComment, SimulatedReaction } from "./world.ts";

/** One request, also to GraphQL and to the archive host. */
export interface RecordedRequest {
  readonly method: string;
  /** GitHub's OpenAPI template, "/graphql", "tarball" for the archive host, or the path where nothing answers. */
  readonly route: string;
  /** Path and query below the API's root. */
  readonly path: string;
  readonly at: Date;
  readonly user_agent: string;
  installation_id: number | null;
  /** 0 until it is answered, and for ever where it is not. */
  status: number;
}

/** Whatever happens at this GitHub, told as it happens. */
export type SimulatorEvent =
  | { kind: "request"; phase: "received" | "answered"; request: RecordedRequest }
  | { kind: "check_run"; action: "created" | "updated"; check_run: SimulatedCheckRun }
  | { kind: "comment"; action: "created" | "edited"; comment: SimulatedComment }
  | { kind: "reaction"; action: "created" | "deleted"; reaction: SimulatedReaction }
  | { kind: "delivery"; event: string; guid: string; status: number };

const POLL_MS = 50;
const DEFAULT_TIMEOUT_MS = 10_000;

/** What happened, for those who look back and those who wait. */
export interface Recorder {
  readonly requests: RecordedRequest[];
  readonly violations: string[];
  /** How many requests of each operation were held against GitHub's description. */
  readonly operations: Map<string, number>;
  note(checked: Checked | null): void;
  emit(event: SimulatorEvent): void;
  on(listener: (event: SimulatorEvent) => void): () => void;
  until<T>(
    probe: () => T | null | undefined | false,
    options?: { timeoutMs?: number; what?: string },
  ): Promise<T>;
  /** Fails everyone who still waits. */
  close(): void;
}

/** A recorder that has seen nothing yet. */
export function createRecorder(): Recorder {
  const listeners = new Set<(event: SimulatorEvent) => void>();
  const abandoned = new Set<() => void>();

  function until<T>(
    probe: () => T | null | undefined | false,
    { timeoutMs = DEFAULT_TIMEOUT_MS, what = "a condition" }: { timeoutMs?: number; what?: string } = {},
  ): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const give = () => reject(new Error(`The simulator was closed while waiting for ${what}.`));
    const look = () => {
      try {
        const found = probe();
        if (found !== null && found !== undefined && found !== false) resolve(found);
      } catch (error) {
        reject(error);
      }
    };
    const timer = setTimeout(() => {
      reject(new Error(`Waited ${timeoutMs} ms in vain for ${what}.`));
    }, timeoutMs);
    const poll = setInterval(look, POLL_MS);
    listeners.add(look);
    abandoned.add(give);
    look();
    return promise.finally(() => {
      clearTimeout(timer);
      clearInterval(poll);
      listeners.delete(look);
      abandoned.delete(give);
    });
  }

  const violations: string[] = [];
  const operations = new Map<string, number>();
  return {
    requests: [],
    violations,
    operations,
    until,
    note(checked) {
      if (!checked) return;
      violations.push(...checked.violations);
      const { operation } = checked;
      if (operation !== null) operations.set(operation, (operations.get(operation) ?? 0) + 1);
    },
    emit(event) {
      for (const listener of [...listeners]) listener(event);
    },
    on(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    close() {
      for (const give of abandoned) give();
    },
  };
}
