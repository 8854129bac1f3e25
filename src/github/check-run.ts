import type { Reporter, ReportResult, RunReport } from "../runs/reporter.ts";
import { type CheckRunState, describeCheckRun, MAX_ANNOTATIONS } from "./check-run-output.ts";
import { bounded, type GitHubApp, type Octokit, octokitFor, once } from "./client.ts";
import { httpFailureOf, rateLimitResetOf, translateError } from "./errors.ts";

/** So often GitHub may refuse a commit before it is believed. */
const REFUSALS = 5;
const CHECK_RUN_NAME = "Code index";

/** Projects runs to GitHub's check runs. `publicUrl` is where a reader's browser finds this server. */
export function createCheckRunReporter(options: { app: GitHubApp; publicUrl: string }): Reporter {
  const runUrl = (runId: string) => `${options.publicUrl}/runs/${runId}`;
  return {
    async report(report, signal) {
      const state = describeCheckRun(report, runUrl);
      const completed = state.status === "completed";
      const shown = isShown(report, state);
      if (!shown && !mayExist(report, completed)) return { kind: "reported", check_run_id: null, completed };
      const octokit = await octokitFor(options.app, report.installation_id);
      try {
        const id = report.check_run_id ?? (await findCheckRun(octokit, report, signal));
        if (id === null && !shown) return { kind: "reported", check_run_id: null, completed };
        const written = await writeCheckRun(octokit, report, {
          id,
          state,
          detailsUrl: runUrl(report.run.id),
          signal,
        });
        return { kind: "reported", check_run_id: written, completed };
      } catch (error) {
        const unreachable = unreachableReason(error, report.failures);
        if (unreachable) return { kind: "unreachable", ...unreachable } satisfies ReportResult;
        throw translateError(error, "write the check run");
      }
    },
  };
}

/** Whether the repository wants a check run that says this. What would contradict an older one is said. */
function isShown({ settings, was_shown }: RunReport, { conclusion }: CheckRunState): boolean {
  if (settings.check_run !== "errors-only") return settings.check_run === "on";
  return conclusion === "failure" || conclusion === "neutral" || (conclusion === "success" && was_shown);
}

/** One that is there is completed in any case. It may have been created by a process that could not say so any more. */
function mayExist({ check_run_id, attempts }: RunReport, completed: boolean): boolean {
  return check_run_id !== null || (completed && attempts > 1);
}

/** The check run that an earlier attempt may have created before it could say so, by its external id. */
async function findCheckRun(
  octokit: Octokit,
  report: RunReport,
  signal: AbortSignal,
): Promise<string | null> {
  const { data } = await octokit.rest.checks.listForRef({
    owner: report.repository.owner,
    repo: report.repository.name,
    ref: report.head_sha,
    check_name: CHECK_RUN_NAME,
    filter: "all",
    per_page: 100,
    request: bounded(signal),
  });
  const found = data.check_runs.find((check) => check.external_id === report.run.id);
  return found ? String(found.id) : null;
}

async function writeCheckRun(
  octokit: Octokit,
  report: RunReport,
  {
    id,
    state,
    detailsUrl,
    signal,
  }: { id: string | null; state: CheckRunState; detailsUrl: string; signal: AbortSignal },
): Promise<string> {
  const { run, repository } = report;
  const where = { owner: repository.owner, repo: repository.name, request: bounded(signal) };
  const { annotations, ...output } = state.output;
  const body = {
    details_url: detailsUrl,
    external_id: run.id,
    status: state.status,
    ...(state.conclusion && { conclusion: state.conclusion }),
    ...(run.started_at && { started_at: run.started_at.toISOString() }),
    ...(state.conclusion && { completed_at: (run.finished_at ?? new Date()).toISOString() }),
    output: {
      ...output,
      ...(annotations.length > 0 && { annotations: annotations.slice(0, MAX_ANNOTATIONS) }),
    },
    actions: state.actions,
  };
  // GitHub's types tie status to conclusion in a union that a projection cannot satisfy piecewise.
  if (id !== null) {
    await octokit.rest.checks.update({ ...where, check_run_id: Number(id), ...body } as never);
    return id;
  }
  const { data } = await octokit.rest.checks.create({
    ...where,
    request: once(signal),
    name: CHECK_RUN_NAME,
    head_sha: report.head_sha,
    ...body,
  } as never);
  return String(data.id);
}

/** The sentence why GitHub takes no writes here, or null when it is worth another try. */
function unreachableReason(error: unknown, failures: number): { reason: string; mayReturn: boolean } | null {
  const failure = httpFailureOf(error);
  if (!failure || rateLimitResetOf(failure)) return null;
  const { status, message } = failure;
  if (status === 403) {
    const translated = translateError(error, "write the check run");
    return { reason: translated.message, mayReturn: translated.code !== "forbidden" };
  }
  if (status === 404 || status === 410) {
    return { reason: "The repository is gone, or Repodex may not write to it any more.", mayReturn: true };
  }
  // The commit of a head that never reached GitHub, or was collected there; or one that GitHub does not see yet.
  if (status === 422 && failures >= REFUSALS) {
    return { reason: `GitHub does not take a check run on this commit: ${message}`, mayReturn: false };
  }
  return null;
}
