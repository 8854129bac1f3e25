import { type Kysely, sql } from "kysely";
import type { Logger } from "pino";
import type { Connection } from "../database/connect.ts";
import { LeaseLoop } from "../database/lease-loop.ts";
import type { Settings, Tables } from "../database/schema.ts";
import { OPERATOR } from "../database/viewer.ts";
import { messageOf } from "../redact.ts";
import { storedSettings } from "../scan/settings-store.ts";
import { BudgetReserved } from "../scan/source.ts";
import { CHANGED_CHANNEL } from "./events.ts";
import { nextAttemptAt } from "./next-attempt.ts";
import { type RunView, readRun } from "./read.ts";
import { holdWritesFor, LEVEL, mayWrite, refundWrites, spendWrites } from "./write-allowance.ts";

/**
 * Of a process that died another takes over after so long at most, and after two thirds of it at least: GitHub ends
 * requests after ten seconds (docs.github.com, "Troubleshooting the REST API"), so none of the dead is under way then.
 */
const LEASE_SECONDS = 15;
const TIMEOUT_MS = 30_000;
/** A running run is reported at most this often. */
const PACE_SECONDS = 5;
/** Writes are a second apart: what had to wait for its turn is looked for about as often. */
const POLL_MS = 1_000;
const CONCURRENCY = 4;

/** Everything a check run on one head shows. */
export interface RunReport {
  run: RunView;
  head_sha: string;
  installation_id: string;
  repository: { id: string; owner: string; name: string; archived: boolean };
  /** What readers get answers from while this run works or after it failed. */
  indexed_commit: string | null;
  indexed_unverified_path: string | null;
  /** Set when the run moved on to another commit: this head's check run ends as skipped. */
  replaced_by_sha: string | null;
  check_run_id: string | null;
  /** How often this report was taken up: at the first time there can be no check run of it yet. */
  attempts: number;
  /** The repository's configuration: when to show check runs, and the branch that it names. */
  settings: Pick<Settings, "check_run" | "branch">;
  /** Another run shows a check run on this head; told where that decides whether to show this one. */
  was_shown: boolean;
  /** How often reporting has failed since it last went well. */
  failures: number;
  /** Paths that could not be indexed, for the table and the annotations, worst first. */
  problems: FileProblem[];
  /** Counts of files that are not indexed by design, by state. */
  skipped: { state: string; count: number }[];
}

export interface FileProblem {
  path: string;
  state: string;
  reason: string;
}

/**
 * What became of a report; it has no check run where the repository wants none, and is `silent` where nothing had to be
 * written. `unreachable`: GitHub takes no writes there; with `mayReturn` (suspended, gone) not yet, with `needsPermission`
 * not before the owner grants it.
 */
export type ReportResult =
  | { kind: "reported"; check_run_id: string | null; completed: boolean; silent?: true }
  | ({ kind: "unreachable"; reason: string } & Closing);

interface Closing {
  mayReturn?: boolean;
  needsPermission?: boolean;
}

/** Shows a run where its people look. Must be safe to repeat: it finds before it creates. */
export interface Reporter {
  report(report: RunReport, signal: AbortSignal): Promise<ReportResult>;
}

interface LeasedReport {
  installation_id: string;
  run_id: string;
  head_sha: string;
  check_run_id: string | null;
  replaced_by_sha: string | null;
  attempts: number;
  failures: number;
}

export interface ReportLoopOptions {
  connection: Connection;
  reporter: Reporter;
  /** How much GitHub lets an installation write. */
  writesPerHour: number;
  log: Logger;
}

/** Keeps every check run a projection of its run: compares what was reported with what is, and reports the rest. */
export function createReportLoop(options: ReportLoopOptions): LeaseLoop<LeasedReport> {
  return new LeaseLoop({
    ...options,
    channel: CHANGED_CHANNEL,
    concurrency: CONCURRENCY,
    pollMs: POLL_MS,
    leaseSeconds: LEASE_SECONDS,
    lease: () => leaseReport(options.connection.db, options),
    renew: (leased) => renewReport(options.connection.db, leased),
    handle: (leased, held) => settle(leased, { ...options, held }),
  });
}

async function settle(
  leased: LeasedReport,
  { connection: { db }, reporter, held, ...options }: ReportLoopOptions & { held: AbortSignal },
): Promise<void> {
  const log = options.log.child({ run_id: leased.run_id, head_sha: leased.head_sha });
  try {
    const report = await readReport(db, leased);
    if (!report) return await closeReport(db, leased, "Its repository was removed.");
    if (report.run.reason_code === "renamed_away")
      return await closeReport(db, leased, report.run.reason ?? "");
    const result = await reporter.report(report, AbortSignal.any([held, AbortSignal.timeout(TIMEOUT_MS)]));
    if (result.kind === "unreachable") return await closeReport(db, leased, result.reason, result);
    if (result.silent) await refundWrites(db, leased.installation_id, 1);
    await recordReport(db, leased, { version: report.run.version, ...result });
  } catch (err) {
    log.warn({ err }, "check run could not be written");
    await holdWritesFor(db, leased.installation_id, err).catch(() => {}); // the next one is told again
    if (err instanceof BudgetReserved) await refundWrites(db, leased.installation_id, 1).catch(() => {});
    await postponeReport(db, leased, err).catch(() => {}); // its lease runs out instead
  }
}

/**
 * Takes one report that lags behind its run, or null. A background run is first reported when it has ended or
 * goes on for long: GitHub allows 500 such writes an hour, and an organisation may have thousands of repositories.
 * Heads that were replaced come last: a burst of pushes leaves many, and the newest commit must not wait for them.
 */
async function leaseReport(
  db: Kysely<Tables>,
  { writesPerHour }: Pick<ReportLoopOptions, "writesPerHour">,
): Promise<LeasedReport | null> {
  const level = sql`case when r.state = 'running' and c.check_run_id is not null then ${LEVEL.progress}
    when r.trigger in ('install', 'schedule') then ${LEVEL.background} else ${LEVEL.asked} end`;
  const { rows } = await sql<LeasedReport>`
    with due as (
      select c.run_id, c.head_sha, repositories.installation_id
      from check_reports c
      join runs r on r.id = c.run_id
      join repositories on repositories.id = r.repository_id
      left join write_allowances w on w.installation_id = repositories.installation_id
      where c.state = 'open' and c.not_before <= clock_timestamp()
        and (c.lease_until is null or c.lease_until < clock_timestamp())
        and (
          c.replaced_by_sha is not null
          or (r.version > c.reported_version and (
            r.state <> 'running'
            or (c.reported_at is null and r.trigger not in ('install', 'schedule'))
            or coalesce(c.reported_at, r.started_at) < clock_timestamp() - make_interval(secs => ${PACE_SECONDS})
            or (r.stage = 'starting' and r.epoch = 1)
          ))
        )
        and repositories.installation_id not in (select i.id from installations i where i.suspended_at is not null)
        and ${mayWrite(writesPerHour, level)}
      order by c.replaced_by_sha is not null, r.priority desc, c.not_before limit 1
      for update of c skip locked
    ),
    spent as (${spendWrites(writesPerHour, 1)})
    update check_reports c set attempts = c.attempts + 1,
      lease_until = clock_timestamp() + make_interval(secs => ${LEASE_SECONDS})
    from due where c.run_id = due.run_id and c.head_sha = due.head_sha
    returning c.run_id, c.head_sha, c.check_run_id, c.replaced_by_sha, c.attempts, c.failures, due.installation_id`.execute(
    db,
  );
  return rows[0] ?? null;
}

async function readReport(db: Kysely<Tables>, leased: LeasedReport): Promise<RunReport | null> {
  const run = await readRun(db, OPERATOR, leased.run_id);
  if (!run) return null;
  const repository = await db
    .selectFrom("repositories")
    .select([
      "id",
      "installation_id",
      "owner",
      "name",
      "archived",
      "indexed_commit",
      "indexed_unverified_path",
      "settings",
    ])
    .where("id", "=", run.repository_id)
    .executeTakeFirstOrThrow();
  const settings = storedSettings(repository.settings);
  const finished = run.state === "succeeded";
  return {
    run,
    head_sha: leased.head_sha,
    check_run_id: leased.check_run_id,
    attempts: leased.attempts,
    settings,
    was_shown: settings.check_run === "errors-only" && (await wasShown(db, leased, run.repository_id)),
    failures: leased.failures,
    replaced_by_sha: leased.replaced_by_sha,
    installation_id: repository.installation_id,
    repository,
    indexed_commit: repository.indexed_commit,
    indexed_unverified_path: repository.indexed_unverified_path,
    problems: finished ? await listProblems(db, run.repository_id) : [],
    skipped: finished ? await countSkipped(db, run.repository_id) : [],
  };
}

/** Whether another run has a check run on the same head. */
async function wasShown(db: Kysely<Tables>, leased: LeasedReport, repositoryId: string): Promise<boolean> {
  const { rows } = await sql`
    select from check_reports c join runs r on r.id = c.run_id
    where r.repository_id = ${repositoryId} and c.head_sha = ${leased.head_sha} and c.run_id <> ${leased.run_id}
      and c.check_run_id is not null limit 1`.execute(db);
  return rows.length > 0;
}

async function listProblems(db: Kysely<Tables>, repositoryId: string): Promise<FileProblem[]> {
  const rows = await db
    .selectFrom("files")
    .select(["path", "state", "reason"])
    .where("repository_id", "=", repositoryId)
    .where("state", "in", ["encoding", "unreadable"])
    .orderBy("state", "desc")
    .orderBy("path")
    .limit(50)
    .execute();
  return rows.map((row) => ({ ...row, reason: row.reason ?? row.state }));
}

async function countSkipped(
  db: Kysely<Tables>,
  repositoryId: string,
): Promise<{ state: string; count: number }[]> {
  const { rows } = await sql<{ state: string; count: number }>`
    select state, count(*)::int as count from files
    where repository_id = ${repositoryId} and state not in ('indexed', 'encoding', 'unreadable')
    group by state order by 2 desc`.execute(db);
  return rows;
}

/** The `where` that keeps a replica whose lease ran out from overwriting its successor's record. */
function ownedReport(leased: LeasedReport) {
  return sql<boolean>`run_id = ${leased.run_id} and head_sha = ${leased.head_sha} and attempts = ${leased.attempts}
    and state = 'open'`;
}

async function renewReport(db: Kysely<Tables>, leased: LeasedReport): Promise<boolean> {
  const { rows } = await sql`
    update check_reports set lease_until = clock_timestamp() + make_interval(secs => ${LEASE_SECONDS})
    where ${ownedReport(leased)} and lease_until is not null returning 1`.execute(db);
  return rows.length > 0;
}

async function recordReport(
  db: Kysely<Tables>,
  leased: LeasedReport,
  result: { version: number; check_run_id: string | null; completed: boolean },
): Promise<void> {
  // The head may have been replaced, or come back, while GitHub was being told otherwise: then it is told again.
  const isStill = sql<boolean>`replaced_by_sha is not distinct from ${leased.replaced_by_sha}`;
  await db
    .updateTable("check_reports")
    .set({
      check_run_id: result.check_run_id,
      state: sql`case when ${result.completed} and ${isStill} then 'completed' else 'open' end`,
      reported_version: sql`case when ${isStill} then ${result.version}::int else 0 end`,
      reported_at: sql`clock_timestamp()`,
      lease_until: null,
      failures: 0,
      error: null,
    })
    .where(ownedReport(leased))
    .execute();
}

async function closeReport(
  db: Kysely<Tables>,
  leased: LeasedReport,
  reason: string,
  { mayReturn = true, needsPermission = false }: Closing = {},
): Promise<void> {
  await db
    .updateTable("check_reports")
    .set({
      state: "unreachable",
      may_reopen: mayReturn && !needsPermission,
      needs_permission: needsPermission,
      lease_until: null,
      error: reason,
    })
    .where(ownedReport(leased))
    .execute();
}

async function postponeReport(db: Kysely<Tables>, leased: LeasedReport, error: unknown): Promise<void> {
  await db
    .updateTable("check_reports")
    .set({
      lease_until: null,
      failures: leased.failures + 1,
      not_before: nextAttemptAt(error, leased.failures),
      error: messageOf(error),
    })
    .where(ownedReport(leased))
    .execute();
}

/** The owner granted a permission: what was refused for want of it is told now. */
export async function reopenRefused(trx: Kysely<Tables>, installationId: string): Promise<void> {
  await sql`
    update check_reports set state = 'open', needs_permission = false, not_before = clock_timestamp(), error = null
    where needs_permission and run_id in (
      select id from runs where repository_id in (select id from repositories where installation_id = ${installationId})
    )`.execute(trx);
}

/** Access has come back: reports that were closed for want of it are tried again. */
export async function reopenReports(trx: Kysely<Tables>, repositoryIds: string[]): Promise<void> {
  await sql`
    update check_reports set state = 'open', may_reopen = false, not_before = clock_timestamp(), error = null
    where may_reopen and run_id in (
      select id from runs where repository_id = any(${repositoryIds}::bigint[]))`.execute(trx);
}
