import { messageOf } from "../redact.ts";
import type { Reporter, ReportResult, RunReport } from "../runs/reporter.ts";
import type { SourceError } from "../scan/source.ts";
import { type CheckRunState, describeCheckRun, MAX_ANNOTATIONS } from "./check-run-output.ts";
import { bounded, type GitHub, type Octokit, once } from "./client.ts";
import { translateError } from "./errors.ts";

/** So often GitHub may refuse a commit before it is believed. */
const REFUSALS = 5;
const CHECK_RUN_NAME = "Code index";

/** Projects runs to GitHub's check runs. `publicUrl` is where a reader's browser finds this server. */
export function createCheckRunReporter(options: { github: GitHub; publicUrl: string }): Reporter {
  const { github, publicUrl } = options;
  const runUrl = (runId: string) => `${publicUrl}/runs/${runId}`;
  return {
    async report(report, signal) {
      const { run, installation_id: installationId, repository, check_run_id } = report;
      const state = describeCheckRun(report, runUrl);
      const completed = state.status === "completed";
      const shown = isShown(report, state);
      if (!shown && !mayExist(report, completed))
        return { kind: "reported", check_run_id: null, completed, silent: true };
      // Where requests are scarce, what a scan says in between is dropped first of all.
      if (run.state === "running" && check_run_id !== null && github.budgets.isScarce(installationId))
        return { kind: "reported", check_run_id, completed, silent: true };
      const octokit = github.as({
        installationId,
        repositoryId: repository.id,
        permissions: { checks: "write" },
        background: run.trigger === "install" || run.trigger === "schedule",
      });
      try {
        const id = check_run_id ?? (await findCheckRun(octokit, report, signal));
        if (id === null && !shown) return { kind: "reported", check_run_id: null, completed, silent: true };
        const detailsUrl = runUrl(run.id);
        const written = await writeCheckRun(octokit, report, { id, state, detailsUrl, signal });
        return { kind: "reported", check_run_id: written, completed };
      } catch (error) {
        const translated = translateError(error, "write the check run");
        const unreachable = toUnreachable(translated, report.failures);
        if (unreachable) return { kind: "unreachable", ...unreachable } satisfies ReportResult;
        throw translated;
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

/** Why GitHub takes no writes here, or null when it is worth another try. */
function toUnreachable(
  { code, message, cause }: SourceError,
  failures: number,
): { reason: string; mayReturn?: boolean; needsPermission?: boolean } | null {
  switch (code) {
    case "suspended":
    case "archived":
    case "uninstalled":
    case "not_found":
    case "gone":
      return { reason: message };
    case "forbidden":
      return { reason: message, needsPermission: true };
    case "blocked":
    case "refused":
      return { reason: message, mayReturn: false };
    case "unprocessable": {
      // The commit of a head that never reached GitHub, or was collected there; or one that GitHub does not see yet.
      if (failures < REFUSALS) return null;
      const reason = `GitHub does not take a check run on this commit: ${messageOf(cause)}`;
      return { reason, mayReturn: false };
    }
    default:
      return null;
  }
}
