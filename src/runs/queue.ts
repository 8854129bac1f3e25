import { type Kysely, sql } from "kysely";
import { byDatabaseClock } from "../database/clock.ts";
import { type Connection, transaction } from "../database/connect.ts";
import type { RunMode, RunProgress, RunTrigger, StoredError, Tables } from "../database/schema.ts";
import { BudgetReserved, type RateLimited } from "../scan/source.ts";
import { appendEvent, CHANGED_CHANNEL } from "./events.ts";
import { backoffMs, isAskedByPerson, type Lease, LeaseLost, PRIORITY, type RunTimings } from "./run.ts";

const UNIQUE_VIOLATION = "23505";
/** A release that meets a request again and again: each round one of the two has won. */
const RELEASE_ROUNDS = 10;
const SWEEP_BATCH = 20;

export interface RunRequest {
  repository_id: string;
  trigger: RunTrigger;
  mode?: RunMode;
  requested_by?: string | null;
  /** The newest commit the asker knows of: a hint, the head is read again when the run starts. */
  wanted_head?: string | null;
  /** The same of the default branch, where another one is indexed. */
  wanted_default?: string | null;
  /** Another commit whose check run the asker looks at. */
  report_head?: string | null;
  delivery_guid?: string | null;
  comment?: { id: string; issue_number: number };
}

export interface RequestedRun {
  run_id: string;
  outcome: "queued" | "joined" | "follow_up";
}

/**
 * Asks for a scan, inside the caller's transaction. Joins the queued run if there is one; a running run is
 * never joined, for it has read its head already. Always answers with the run that will serve the request.
 */
export async function requestRun(trx: Kysely<Tables>, request: RunRequest): Promise<RequestedRun> {
  const mode = request.mode ?? "incremental";
  const urgent = isAskedByPerson(request.trigger);
  const { rows } = await sql<{ id: string; created: boolean; running: boolean }>`
    insert into runs (repository_id, installation_id, trigger, mode, priority, requested_by, wanted_head,
      wanted_default)
    select id, installation_id, ${request.trigger}, ${mode}, ${PRIORITY[request.trigger]}::int,
      ${request.requested_by ?? null}, ${request.wanted_head ?? null}, ${request.wanted_default ?? null}
    from repositories where id = ${request.repository_id}
    on conflict (repository_id) where state = 'queued' do update set
      installation_id = excluded.installation_id, -- the repository may have moved since
      mode = case when 'full' in (runs.mode, excluded.mode) then 'full' else 'incremental' end,
      trigger = case when excluded.priority > runs.priority then excluded.trigger else runs.trigger end,
      priority = greatest(runs.priority, excluded.priority),
      requested_by = coalesce(runs.requested_by, excluded.requested_by),
      wanted_head = coalesce(excluded.wanted_head, runs.wanted_head),
      wanted_default = coalesce(excluded.wanted_default, runs.wanted_default),
      not_before = case when ${urgent} and not paused(runs.installation_id)
        then least(runs.not_before, clock_timestamp()) else runs.not_before end,
      wait_reason = case when ${urgent} and not paused(runs.installation_id) then null else runs.wait_reason end
    returning id, xmax = 0 as created,
      exists (select from runs other where other.repository_id = runs.repository_id and other.state = 'running')
        as running`.execute(trx);
  const row = rows[0];
  if (!row) throw new Error(`There is no repository ${request.repository_id} to ask a run for.`);
  const outcome = !row.created ? "joined" : row.running ? "follow_up" : "queued";
  await recordRequest(trx, { ...request, mode }, { run_id: row.id, outcome });
  return { run_id: row.id, outcome };
}

/** Records who asked, and which run answers; `note` is a sentence more for the asker. */
export async function recordAsker(
  trx: Kysely<Tables>,
  request: RunRequest,
  answer: RequestedRun & { note?: string },
): Promise<void> {
  await trx
    .insertInto("run_requests")
    .values({
      repository_id: request.repository_id,
      run_id: answer.run_id,
      delivery_guid: request.delivery_guid ?? null,
      trigger: request.trigger,
      mode: request.mode ?? "incremental",
      requested_by: request.requested_by ?? null,
      outcome: answer.outcome,
      refusal: answer.note ?? null,
      ...(request.comment && {
        comment_id: request.comment.id,
        issue_number: request.comment.issue_number,
        reply_state: "open" as const,
      }),
    })
    .onConflict((conflict) => conflict.columns(["repository_id", "comment_id"]).doNothing()) // told twice of one comment
    .execute();
}

async function recordRequest(
  trx: Kysely<Tables>,
  request: RunRequest & { mode: RunMode },
  answer: RequestedRun,
): Promise<void> {
  await recordAsker(trx, request, answer);
  // An installation of 3,000 repositories would spend the hour's checks on "queued": background runs wait unseen.
  const reportHead = request.report_head ?? request.wanted_head;
  if (reportHead && request.trigger !== "install" && request.trigger !== "schedule") {
    await openReport(trx, answer.run_id, reportHead);
  }
  await appendEvent(trx, answer.run_id, {
    kind: answer.outcome === "joined" ? "run.joined" : "run.queued",
    message: answer.outcome === "joined" ? "One more request joined this run." : "Waiting for a worker.",
    data: { trigger: request.trigger, mode: request.mode, requested_by: request.requested_by ?? null },
    wakesWorkers: true,
  });
}

/** Makes sure that a run's state will be reported on a head. */
async function openReport(trx: Kysely<Tables>, runId: string, headSha: string): Promise<void> {
  await trx
    .insertInto("check_reports")
    .values({ run_id: runId, head_sha: headSha })
    .onConflict((conflict) => conflict.columns(["run_id", "head_sha"]).doNothing())
    .execute();
}

export interface ClaimedRun extends Lease {
  repository_id: string;
  installation_id: string;
  trigger: RunTrigger;
  mode: RunMode;
  wanted_head: string | null;
  wanted_default: string | null;
  failures: number;
  /** Nobody waits for it (isBackground). */
  priority: number;
}

/** Background runs of an installation wait while what is left of its hour is kept for pushes and people. */
const MAY_START = sql`(q.priority > 0 or i.background_paused_until <= clock_timestamp())`;

/**
 * Takes the next due run, or null. Fair between installations: the one with the fewest running runs first,
 * then priority, then age. The cap is approximate under racing claims; the unique index is the backstop.
 */
export async function claimRun(
  db: Kysely<Tables>,
  options: { worker: string; leaseSeconds: number; exceptInstallation?: string | null },
): Promise<ClaimedRun | null> {
  try {
    const { rows } = await sql<ClaimedRun>`
      with busy as materialized (
        select installation_id, count(*)::int as running from runs where state = 'running' group by installation_id
      ),
      ready as materialized (
        select i.id, i.background_paused_until, coalesce(busy.running, 0) as running
        from installations i
        left join busy on busy.installation_id = i.id
        cross join lateral (
          select q.priority, q.queued_at from runs q
          where q.installation_id = i.id and q.state = 'queued' and q.not_before <= clock_timestamp() and ${MAY_START}
            and not exists (select from runs x where x.repository_id = q.repository_id and x.state = 'running')
          order by q.priority desc, q.queued_at limit 1
        ) head
        where i.paused_until <= clock_timestamp() and i.suspended_at is null and i.removed_at is null
          and coalesce(busy.running, 0) < i.run_cap and i.id is distinct from ${options.exceptInstallation ?? null}::bigint
        order by coalesce(busy.running, 0), head.priority desc, head.queued_at limit 4
      ),
      picked as (
        select r.id
        from ready i
        cross join lateral (
          select q.id, q.priority, q.queued_at from runs q
          where q.installation_id = i.id and q.state = 'queued' and q.not_before <= clock_timestamp() and ${MAY_START}
            and not exists (select from runs x where x.repository_id = q.repository_id and x.state = 'running')
          order by q.priority desc, q.queued_at limit 8
        ) head
        join runs r on r.id = head.id and r.state = 'queued'
        order by i.running, head.priority desc, head.queued_at limit 1
        for update of r skip locked
      ),
      claimed as (
        update runs r set
          state = 'running', epoch = r.epoch + 1, worker = ${options.worker}, wait_reason = null, stage = 'starting',
          installation_id = repositories.installation_id,
          lease_until = clock_timestamp() + make_interval(secs => ${options.leaseSeconds}),
          progress_at = clock_timestamp(), started_at = coalesce(r.started_at, clock_timestamp()),
          version = r.version + 1, event_seq = r.event_seq + 1
        from picked, repositories
        where r.id = picked.id and repositories.id = r.repository_id
        returning r.*
      ),
      logged as (
        insert into run_events (run_id, seq, level, kind, message, data)
        select id, event_seq, 'info', 'run.started', 'A worker took the run.',
          jsonb_build_object('epoch', epoch, 'worker', worker, 'failures', failures)
        from claimed
      )
      select id, epoch, repository_id, installation_id, trigger, mode, wanted_head, wanted_default, failures, priority,
        pg_notify(${CHANGED_CHANNEL}, id::text)
      from claimed`.execute(db);
    return rows[0] ?? null;
  } catch (error) {
    if (isUniqueViolation(error)) return null;
    throw error;
  }
}

const DUE_AT = sql`greatest(runs.not_before, i.paused_until,
  case when runs.priority = 0 then i.background_paused_until end)`;

/** Milliseconds until a run that waits becomes due, or null where none waits. */
export async function msUntilDue(db: Kysely<Tables>): Promise<number | null> {
  const { rows } = await sql<{ ms: number | null }>`
    select extract(epoch from min(${DUE_AT}) - clock_timestamp())::float8 * 1000 as ms
    from runs join installations i on i.id = runs.installation_id
    where runs.state = 'queued' and ${DUE_AT} > clock_timestamp()`.execute(db);
  return rows[0]?.ms ?? null;
}

export interface Fence {
  leaseSeconds: number;
  stage?: string | undefined;
  /** Counts that have moved; given, it counts as progress, and the stalled-run sweep starts anew. */
  progress?: RunProgress | undefined;
}

/**
 * Fence, heartbeat and progress in one: the first statement of every transaction that writes for a run.
 * Throws LeaseLost when the run is no longer the caller's. Answers whether somebody asked for it to end.
 */
export async function fenceRun(
  db: Kysely<Tables>,
  lease: Lease,
  fence: Fence,
): Promise<{ cancelRequested: boolean }> {
  const moved = fence.progress !== undefined || fence.stage !== undefined;
  const { rows } = await sql<{ cancel: boolean }>`
    update runs set
      lease_until = greatest(lease_until, clock_timestamp() + make_interval(secs => ${fence.leaseSeconds})),
      stage = coalesce(${fence.stage ?? null}, stage),
      progress = progress || ${JSON.stringify(fence.progress ?? {})}::jsonb,
      progress_at = case when ${moved} then clock_timestamp() else progress_at end,
      version = version + ${moved ? 1 : 0}
    where id = ${lease.id} and epoch = ${lease.epoch} and state = 'running'
    returning cancel_requested_at is not null as cancel`.execute(db);
  const row = rows[0];
  if (!row) throw new LeaseLost(lease);
  return { cancelRequested: row.cancel };
}

/**
 * Fixes the commit that a running run indexes. Reports on its earlier heads end as replaced.
 * Call it in a fenced transaction.
 */
export async function setHead(
  trx: Kysely<Tables>,
  lease: Lease,
  head: { sha: string; tree_sha: string | null },
): Promise<void> {
  await trx
    .updateTable("runs")
    .set({ head_sha: head.sha, tree_sha: head.tree_sha })
    .where("id", "=", lease.id)
    .where("epoch", "=", lease.epoch)
    .execute();
  await openReport(trx, lease.id, head.sha);
  // A head that was replaced and is the head again is reported on again.
  await sql`
    update check_reports set
      state = case when state = 'completed' and head_sha = ${head.sha} then 'open' else state end,
      reported_version = case when head_sha = ${head.sha} and replaced_by_sha is not null then 0 else reported_version end,
      replaced_by_sha = nullif(${head.sha}, head_sha)
    where run_id = ${lease.id}`.execute(trx);
}

/** Ends a run well, inside the (fenced) transaction of its last write. */
export async function finishRun(
  trx: Kysely<Tables>,
  lease: Lease,
  result: { verified: boolean | null; message: string; data?: Record<string, unknown> },
): Promise<void> {
  const { rows } = await sql<{ id: string }>`
    update runs set state = 'succeeded', stage = null, finished_at = clock_timestamp(), lease_until = null,
      worker = null, verified = ${result.verified}
    where id = ${lease.id} and epoch = ${lease.epoch} and state = 'running' returning id`.execute(trx);
  if (!rows[0]) throw new LeaseLost(lease);
  await appendEvent(trx, lease.id, {
    kind: "run.completed",
    message: result.message,
    data: { state: "succeeded", ...result.data },
    wakesWorkers: true,
  });
}

/**
 * Why a run is given back. Only a failure spends its retry budget; an outage of GitHub does when it has lasted for
 * about a day.
 */
export type Release =
  | { kind: "failure"; error: StoredError; retryable: boolean }
  | { kind: "outage"; error: StoredError }
  | { kind: "requeue"; reason: string; not_before?: Date };

/** With the waits between them about a day. */
const MAX_OUTAGES = 150;

export type Released = "queued" | "failed" | "cancelled" | "superseded";

interface HeldRun extends Lease {
  repository_id: string;
  mode: RunMode;
  priority: number;
  requested_by: string | null;
  wanted_head: string | null;
  wanted_default: string | null;
  failures: number;
  max_failures: number;
  outages: number;
  cancel_requested_at: Date | null;
  cancel_requested_by: string | null;
}

/**
 * Gives a run back: queued again, or failed with its reason, or superseded by the follow-up that waits.
 * Null when the caller does not own it any more. With `only: "abandoned"` (the sweep) it takes only a run
 * whose lease has expired or that has stalled.
 */
export async function releaseRun(
  connection: Connection,
  lease: Lease,
  options: {
    release: Release;
    timings: RunTimings;
    only?: "abandoned";
    also?: (trx: Kysely<Tables>) => Promise<void>;
  },
): Promise<Released | null> {
  for (let round = 1; ; round += 1) {
    try {
      return await transaction(connection, async ({ trx }) => {
        await options.also?.(trx);
        const run = await lockHeldRun(trx, lease, options);
        return run && (await releaseLocked(trx, run, options));
      });
    } catch (error) {
      // A request queued a follow-up between our look and our update: look again.
      if (!isUniqueViolation(error) || round === RELEASE_ROUNDS) throw error;
    }
  }
}

async function lockHeldRun(
  trx: Kysely<Tables>,
  lease: Lease,
  options: { timings: RunTimings; only?: "abandoned" },
): Promise<HeldRun | null> {
  const abandoned =
    options.only === "abandoned"
      ? sql`and (lease_until < clock_timestamp() or ${isStalled(options.timings)}) for update skip locked`
      : sql`for update`;
  const { rows } = await sql<HeldRun>`
    select id, epoch, repository_id, mode, priority, requested_by, wanted_head, wanted_default, failures, max_failures,
      outages, cancel_requested_at, cancel_requested_by
    from runs where id = ${lease.id} and epoch = ${lease.epoch} and state = 'running' ${abandoned}`.execute(
    trx,
  );
  return rows[0] ?? null;
}

function isStalled(timings: RunTimings) {
  return sql`progress_at < clock_timestamp() - make_interval(secs => ${timings.stallSeconds})`;
}

async function releaseLocked(
  trx: Kysely<Tables>,
  run: HeldRun,
  { release, timings }: { release: Release; timings: RunTimings },
): Promise<Released> {
  if (run.cancel_requested_at) return await endCancelled(trx, run.id, run.cancel_requested_by);
  const next = nextAttempt(run, release, timings);
  if ("error" in next) return await endFailed(trx, run, next);
  const { failures, outages, why } = next;
  const notBefore = byDatabaseClock(next.notBefore);
  const successor = await trx
    .updateTable("runs")
    .set({
      not_before: sql`greatest(not_before, ${notBefore})`,
      failures: sql`greatest(failures, ${failures}::int)`, // a crash streak outlives the run: else it never ends
      outages: sql`greatest(outages, ${outages}::int)`,
      mode: sql`case when 'full' in (mode, ${run.mode}) then 'full' else 'incremental' end`,
      priority: sql`greatest(priority, ${run.priority}::int)`,
      requested_by: sql`coalesce(requested_by, ${run.requested_by})`,
      wanted_head: sql`coalesce(wanted_head, ${run.wanted_head})`,
      wanted_default: sql`coalesce(wanted_default, ${run.wanted_default})`,
      wait_reason: why,
    })
    .where("repository_id", "=", run.repository_id)
    .where("state", "=", "queued")
    .returning("id")
    .executeTakeFirst();
  if (successor) return await endSuperseded(trx, run, { successor: successor.id, failures, why });
  await trx
    .updateTable("runs")
    .set({
      state: "queued",
      stage: null,
      failures,
      outages,
      not_before: notBefore,
      wait_reason: why,
      lease_until: null,
      worker: null,
    })
    .where("id", "=", run.id)
    .execute();
  const failed = failures > run.failures;
  await appendEvent(trx, run.id, {
    level: failed ? "warn" : "info",
    kind: failed ? "run.retrying" : "run.waiting",
    message: failed ? `Attempt ${failures} of ${run.max_failures} failed: ${why}` : why,
    data: { failures, max_failures: run.max_failures },
    error: release.kind === "requeue" ? null : release.error,
    wakesWorkers: true,
  });
  return "queued";
}

type NextAttempt =
  | { failures: number; outages: number; why: string; notBefore: Date }
  | { failures: number; error: StoredError };

/** When a run that is given back is due again; or the error that ends it. */
function nextAttempt(run: HeldRun, release: Release, timings: RunTimings): NextAttempt {
  const { failures, outages } = run;
  if (release.kind === "requeue") {
    return { failures, outages, why: release.reason, notBefore: release.not_before ?? new Date() };
  }
  const { error } = release;
  if (release.kind === "outage" && outages < MAX_OUTAGES) {
    const notBefore = later(backoffMs(outages + 1, OUTAGE_BASE_MS));
    return { failures, outages: outages + 1, why: error.message, notBefore };
  }
  const spent = failures + 1;
  if (release.kind === "outage" || !release.retryable || spent >= run.max_failures)
    return { failures: spent, error };
  return {
    failures: spent,
    outages,
    why: error.message,
    notBefore: later(backoffMs(spent, timings.retryBaseMs)),
  };
}

const OUTAGE_BASE_MS = 2_000;

/** So many milliseconds from now, more or less: what failed together must not come back together. */
function later(ms: number): Date {
  return new Date(Date.now() + ms * (0.5 + Math.random()));
}

async function endFailed(
  trx: Kysely<Tables>,
  run: HeldRun,
  { failures, error }: { failures: number; error: StoredError },
): Promise<Released> {
  await trx
    .updateTable("runs")
    .set({ ...ENDED, state: "failed", failures, reason: error.message, reason_code: error.code })
    .where("id", "=", run.id)
    .execute();
  await reportSomewhere(trx, run.id);
  await appendEvent(trx, run.id, {
    level: "error",
    kind: "run.completed",
    message: error.message,
    data: { state: "failed", failures },
    error,
    wakesWorkers: true,
  });
  return "failed";
}

/** A run that failed before it knew its head is reported on the commit that search still answers from. */
async function reportSomewhere(trx: Kysely<Tables>, runId: string): Promise<void> {
  await sql`
    insert into check_reports (run_id, head_sha)
    select runs.id, repositories.indexed_commit
    from runs join repositories on repositories.id = runs.repository_id
    where runs.id = ${runId} and repositories.indexed_commit is not null
      and not exists (select from check_reports where run_id = runs.id)`.execute(trx);
}

async function endSuperseded(
  trx: Kysely<Tables>,
  run: HeldRun,
  { successor, failures, why }: { successor: string; failures: number; why: string },
): Promise<Released> {
  await trx
    .updateTable("runs")
    .set({ ...ENDED, state: "superseded", failures, superseded_by: successor })
    .where("id", "=", run.id)
    .execute();
  await trx.updateTable("run_requests").set({ run_id: successor }).where("run_id", "=", run.id).execute();
  await appendEvent(trx, run.id, {
    level: "warn",
    kind: "run.completed",
    message: `Replaced by run ${successor}: ${why}`,
    data: { state: "superseded", superseded_by: successor },
  });
  await appendEvent(trx, successor, {
    kind: "run.inherited",
    message: `Takes over from run ${run.id}: ${why}`,
    wakesWorkers: true,
  });
  return "superseded";
}

async function endCancelled(trx: Kysely<Tables>, runId: string, by: string | null): Promise<"cancelled"> {
  await trx
    .updateTable("runs")
    .set({ ...ENDED, state: "cancelled" })
    .where("id", "=", runId)
    .execute();
  await appendEvent(trx, runId, {
    kind: "run.completed",
    message: by ? `Cancelled by ${by}.` : "Cancelled.",
    data: { state: "cancelled" },
    wakesWorkers: true,
  });
  return "cancelled";
}

const ENDED = { stage: null, finished_at: sql<Date>`clock_timestamp()`, lease_until: null, worker: null };

/**
 * Takes back what dead or hung workers hold; every replica runs it, no leader. Answers how many it took.
 */
export async function sweepRuns(connection: Connection, timings: RunTimings): Promise<number> {
  const { rows } = await sql<Lease & { worker: string; expired: boolean }>`
    select id, epoch, worker, lease_until < clock_timestamp() as expired from runs
    where state = 'running' and (lease_until < clock_timestamp() or ${isStalled(timings)})
    order by lease_until limit ${SWEEP_BATCH}`.execute(connection.db);
  let taken = 0;
  for (const run of rows) {
    const error: StoredError = run.expired
      ? { code: "worker_lost", message: "The worker stopped in the middle of the scan.", cause: run.worker }
      : {
          code: "stalled",
          message: `The scan did not move for ${timings.stallSeconds} seconds.`,
          cause: run.worker,
        };
    const released = await releaseRun(connection, run, {
      release: { kind: "failure", error, retryable: true },
      timings,
      only: "abandoned",
    });
    if (released) taken += 1;
  }
  return taken;
}

/**
 * Asks a run to end: a queued one ends at once, a running one at its worker's next beat.
 * Answers the run's state afterwards, or null when it had ended already (or never was).
 */
export async function cancelRun(
  trx: Kysely<Tables>,
  runId: string,
  by: string | null,
): Promise<"cancelled" | "running" | null> {
  const run = await trx
    .updateTable("runs")
    .set({
      cancel_requested_at: sql`coalesce(cancel_requested_at, clock_timestamp())`,
      cancel_requested_by: sql`coalesce(cancel_requested_by, ${by})`,
    })
    .where("id", "=", runId)
    .where("state", "in", ["queued", "running"])
    .returning("state")
    .executeTakeFirst();
  if (!run) return null;
  if (run.state === "queued") return await endCancelled(trx, runId, by);
  await appendEvent(trx, runId, {
    kind: "run.cancelling",
    message: by ? `${by} asked to cancel.` : "Asked to cancel.",
  });
  return "running";
}

/**
 * Holds an installation's runs until a limit of GitHub's ends, or its background runs alone where the rest of the budget
 * is kept for others. Called in the transaction that releases the run that met it.
 */
export async function pauseFor(
  trx: Kysely<Tables>,
  installationId: string,
  limit: RateLimited,
): Promise<void> {
  const until = byDatabaseClock(limit.resetAt);
  const pause =
    limit instanceof BudgetReserved
      ? {
          background_paused_until: sql<Date>`greatest(background_paused_until, ${until})`,
          background_pause_reason: limit.message,
        }
      : { paused_until: sql<Date>`greatest(paused_until, ${until})`, pause_reason: limit.message };
  await trx.updateTable("installations").set(pause).where("id", "=", installationId).execute();
}

function isUniqueViolation(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === UNIQUE_VIOLATION;
}
