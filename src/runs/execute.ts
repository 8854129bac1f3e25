import { performance } from "node:perf_hooks";
import type { Logger } from "pino";
import { type Connection, type Transaction, transaction } from "../database/connect.ts";
import { describeShortage } from "../database/shortage.ts";
import {
  BudgetReserved,
  describeError,
  HeadLags,
  HeadMoved,
  HostUnavailable,
  InstallationSuspended,
  RateLimited,
  SourceError,
} from "../scan/source.ts";
import { appendEvent } from "./events.ts";
import {
  type ClaimedRun,
  type Fence,
  fenceRun,
  pauseFor,
  type Release,
  type Released,
  releaseRun,
} from "./queue.ts";
import { LeaseLost, RunCancelled, type RunProgress, type RunTimings, ShuttingDown } from "./run.ts";

/** A beat every third of the lease: two may be lost. */
const BEATS_PER_LEASE = 3;
/** How long work that was told to stop may keep its slot; afterwards its writes fail at the fence. */
const STOP_GRACE_MS = 2_000;
/** A database that is away when a run is given back; if all tries fail the lease runs out, which is safe. */
const RELEASE_TRIES = 5;
const PROGRESS_EVENT_MS = 1_000;
/** No run of a suspended installation is claimed; GitHub may say so of one that is not, for a moment. */
const SUSPENDED_WAIT_MS = 10_000;

/** What a scan may do with its run: write under the fence, log, and stop when told. */
export interface RunTools {
  signal: AbortSignal;
  log: Logger;
  /** Runs `work` in a transaction whose first statement proves that the run is still ours. */
  write<T>(work: (transaction: Transaction) => Promise<T>, moved?: Moved): Promise<T>;
}

export interface Moved {
  stage?: string;
  progress?: RunProgress;
}

/** Does a run's work. Its last write must end the run (finishRun). */
export type Perform = (run: ClaimedRun, tools: RunTools) => Promise<void>;

export interface ExecuteOptions {
  connection: Connection;
  timings: RunTimings;
  perform: Perform;
  log: Logger;
  /** Aborted with ShuttingDown when the process ends. */
  shutdown: AbortSignal;
}

/** Carries a claimed run to its end or back to the queue. Never throws. */
export async function executeRun(run: ClaimedRun, options: ExecuteOptions): Promise<void> {
  const log = options.log.child({
    run_id: run.id,
    epoch: run.epoch,
    repository_id: run.repository_id,
    installation_id: run.installation_id,
  });
  const startedAt = performance.now();
  const stop = new AbortController();
  const signal = AbortSignal.any([stop.signal, options.shutdown]);
  const held: Held = { writing: 0, confirmedAt: performance.now() };
  const beat = startHeartbeat(run, { ...options, stop, held });
  try {
    await orAbandoned(
      options.perform(run, { signal, log, write: fencedWrite(run, { ...options, stop, held }) }),
      signal,
    );
    log.info({ duration_ms: Math.round(performance.now() - startedAt) }, "run finished");
  } catch (error) {
    const why = signal.aborted ? signal.reason : error;
    await giveBack(run, { ...options, log, error: why });
  } finally {
    beat.end();
  }
}

/** What heartbeat and writes know of the run's ownership. Times are monotonic milliseconds. */
interface Held {
  /** Fenced transactions under way. */
  writing: number;
  /** When the database last confirmed that the run is ours. */
  confirmedAt: number;
}

type Holding = ExecuteOptions & { stop: AbortController; held: Held };

/** Renews the lease; ends the work when the lease is lost, cannot be confirmed for its length, or is cancelled. */
function startHeartbeat(run: ClaimedRun, { connection, timings, stop, held }: Holding) {
  const leaseMs = timings.leaseSeconds * 1000;
  let beating = false;
  const timer = setInterval(() => {
    // A fenced transaction of our own holds the row: nobody else can take the run, and no beat comes through.
    if (held.writing > 0) held.confirmedAt = performance.now();
    if (performance.now() - held.confirmedAt > leaseMs) stop.abort(new LeaseLost(run));
    if (!beating) void beat();
  }, leaseMs / BEATS_PER_LEASE);
  const beat = async () => {
    beating = true;
    const sentAt = performance.now();
    try {
      const { cancelRequested } = await fenceRun(connection.db, run, { leaseSeconds: timings.leaseSeconds });
      held.confirmedAt = Math.max(held.confirmedAt, sentAt);
      if (cancelRequested) stop.abort(new RunCancelled(run));
    } catch (error) {
      if (error instanceof LeaseLost) stop.abort(error);
    } finally {
      beating = false;
    }
  };
  return { end: () => clearInterval(timer) };
}

function fencedWrite(run: ClaimedRun, { connection, timings, stop, held }: Holding): RunTools["write"] {
  let lastStage: string | undefined;
  let lastEventAt = 0;
  return async (work, moved = {}) =>
    await transaction(connection, async (t) => {
      const fence: Fence = {
        leaseSeconds: timings.leaseSeconds,
        stage: moved.stage,
        progress: moved.progress,
      };
      const { cancelRequested } = await fenceRun(t.trx, run, fence);
      if (cancelRequested) {
        stop.abort(new RunCancelled(run));
        throw new RunCancelled(run);
      }
      const newStage = moved.stage !== undefined && moved.stage !== lastStage;
      if (newStage || (moved.progress && performance.now() - lastEventAt > PROGRESS_EVENT_MS)) {
        lastStage = moved.stage ?? lastStage;
        lastEventAt = performance.now();
        await appendEvent(t.trx, run.id, {
          level: "debug",
          kind: "run.progress",
          message: lastStage ?? "working",
          data: { stage: lastStage ?? null, ...moved.progress },
        });
      }
      const startedAt = performance.now();
      held.writing += 1;
      const result = await work(t).finally(() => {
        held.writing -= 1;
      });
      held.confirmedAt = performance.now();
      // A long write held the row, so no beat came through: renew before the lock is let go.
      if (performance.now() - startedAt > (timings.leaseSeconds * 1000) / BEATS_PER_LEASE) {
        await fenceRun(t.trx, run, { leaseSeconds: timings.leaseSeconds });
      }
      return result;
    });
}

/** Settles with `work`; or, once told to stop, after a grace period even if `work` hangs. */
async function orAbandoned(work: Promise<void>, signal: AbortSignal): Promise<void> {
  const abandoned = Promise.withResolvers<never>();
  let timer: NodeJS.Timeout | undefined;
  const onAbort = () => {
    timer = setTimeout(() => abandoned.reject(signal.reason), STOP_GRACE_MS);
  };
  if (signal.aborted) onAbort();
  else signal.addEventListener("abort", onAbort, { once: true });
  try {
    await Promise.race([work, abandoned.promise]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
    work.catch(() => {}); // abandoned work may still reject, much later
  }
}

async function giveBack(run: ClaimedRun, options: ExecuteOptions & { error: unknown }): Promise<void> {
  const { connection, timings, log, error } = options;
  if (error instanceof LeaseLost) {
    log.warn("run lost: another worker owns it, or nobody does");
    return;
  }
  for (let attempt = 1; attempt <= RELEASE_TRIES; attempt += 1) {
    try {
      const state = await release(run, { connection, timings, error });
      log.info(
        { state, err: state === "failed" || state === "queued" ? error : undefined },
        "run given back",
      );
      return;
    } catch (err) {
      log.warn({ err, attempt }, "run could not be given back");
      await new Promise((resolve) => setTimeout(resolve, 100 * 2 ** attempt).unref());
    }
  }
}

async function release(
  run: ClaimedRun,
  { connection, timings, error }: { connection: Connection; timings: RunTimings; error: unknown },
): Promise<Released | null> {
  const limited = error instanceof RateLimited ? error : null;
  return await releaseRun(connection, run, {
    release: toRelease(error),
    timings,
    ...(limited && { also: (trx) => pauseFor(trx, run.installation_id, limited) }),
  });
}

/** The one place that decides whether a failure is worth another attempt. */
function toRelease(error: unknown): Release {
  if (error instanceof ShuttingDown) return { kind: "requeue", reason: "The server was restarted." };
  if (error instanceof RunCancelled) return { kind: "requeue", reason: "Cancelled." };
  // Not held itself: the installation's pause holds it, and no longer does once a push or a person joins it.
  if (error instanceof BudgetReserved) return { kind: "requeue", reason: error.message };
  if (error instanceof RateLimited)
    return { kind: "requeue", reason: error.message, not_before: error.resetAt };
  if (error instanceof HeadLags) {
    const not_before = new Date(Date.now() + error.retryAfterMs);
    return { kind: "requeue", reason: error.message, not_before };
  }
  if (error instanceof InstallationSuspended) {
    const not_before = new Date(Date.now() + SUSPENDED_WAIT_MS);
    return { kind: "requeue", reason: error.message, not_before };
  }
  if (error instanceof HeadMoved) return { kind: "requeue", reason: error.message };
  if (error instanceof HostUnavailable) return { kind: "outage", error: describeError(error) };
  const shortage = describeShortage(error); // of the database: no fault of the repository
  if (shortage) {
    const not_before = new Date(Date.now() + shortage.waitMs);
    return { kind: "requeue", reason: shortage.message, not_before };
  }
  const retryable = error instanceof SourceError ? error.retryable : true;
  return { kind: "failure", error: describeError(error), retryable };
}
