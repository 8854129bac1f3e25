import type { RunProgress, RunState, RunTrigger } from "../database/schema.ts";

export type { RunProgress, RunState, RunTrigger };

export type FinalState = Exclude<RunState, "queued" | "running">;

/** How long things may take. Seconds unless the name says otherwise. */
export interface RunTimings {
  /** Until when a worker that stopped beating still owns its run. */
  leaseSeconds: number;
  /** How long a run may beat without moving before the sweep takes it. */
  stallSeconds: number;
  /** The first retry's wait; each further one is four times longer, at most MAX_BACKOFF_MS. */
  retryBaseMs: number;
}

const MAX_BACKOFF_MS = 10 * 60_000;
const BACKOFF_FACTOR = 4;

/** What a worker needs to prove that a run is still its own. */
export interface Lease {
  id: string;
  epoch: number;
}

/** Work a person asked for goes before work a push asked for, and that before background work. */
export const PRIORITY: Record<RunTrigger, number> = {
  install: 0,
  schedule: 0,
  push: 10,
  rescan: 20,
  rerun: 20,
};

export function isFinal(state: RunState): state is FinalState {
  return state !== "queued" && state !== "running";
}

/** Work that nobody waits for: it leaves a share of GitHub's budget to pushes and people. */
export function isBackground({ priority }: { priority: number }): boolean {
  return priority === 0;
}

/** True where a person waits for the answer, so that a retry's backoff must not keep them waiting. */
export function isAskedByPerson(trigger: RunTrigger): boolean {
  return trigger === "rescan" || trigger === "rerun";
}

/** Milliseconds until the attempt after the given number of failures (≥ 1), before jitter. */
export function backoffMs(failures: number, retryBaseMs: number): number {
  return Math.min(MAX_BACKOFF_MS, retryBaseMs * BACKOFF_FACTOR ** (failures - 1));
}

/** The worker no longer owns the run: whatever it was about to write must not be written. */
export class LeaseLost extends Error {
  override readonly name = "LeaseLost";
  constructor(lease: Lease) {
    super(`Run ${lease.id} is no longer held at epoch ${lease.epoch}.`);
  }
}

/** Somebody asked for the run to end. */
export class RunCancelled extends Error {
  override readonly name = "RunCancelled";
  constructor(lease: Lease) {
    super(`Run ${lease.id} was cancelled.`);
  }
}

/** The process is being shut down: the run goes back to the queue, its budget untouched. */
export class ShuttingDown extends Error {
  override readonly name = "ShuttingDown";
  constructor() {
    super("The server is shutting down.");
  }
}
