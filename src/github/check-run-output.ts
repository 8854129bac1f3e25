import type { SettingsFault } from "../database/schema.ts";
import type { RunView } from "../runs/read.ts";
import type { RunReport } from "../runs/reporter.ts";
import { SETTINGS_PATH } from "../scan/settings.ts";
import { codeSpan, escapeMarkdown, truncate } from "./markdown.ts";

/** docs.github.com/en/rest/checks/runs: limits of a check run. */
const MAX_TITLE = 255;
const MAX_SUMMARY = 65_535;
export const MAX_ANNOTATIONS = 50;
const PROBLEMS_IN_TABLE = 20;

export type Conclusion = "success" | "neutral" | "failure" | "skipped" | "cancelled";

export interface CheckRunState {
  status: "queued" | "in_progress" | "completed";
  conclusion: Conclusion | null;
  output: { title: string; summary: string; annotations: Annotation[] };
  actions: { label: string; description: string; identifier: string }[];
}

interface Annotation {
  path: string;
  start_line: number;
  end_line: number;
  annotation_level: "warning";
  message: string;
}

const ACTIONS = [
  { label: "Rescan", description: "Index what changed since", identifier: "rescan" },
  { label: "Full rescan", description: "Read every file again", identifier: "rescan_full" },
];

type Text = { title: string; summary: string[] };

/** What a check run says of a run, from the report alone. `runUrl` gives the address of a run's page. */
export function describeCheckRun(report: RunReport, runUrl: (runId: string) => string): CheckRunState {
  const { run } = report;
  if (report.replaced_by_sha) return completed("skipped", replacedByHead(report, runUrl));
  switch (run.state) {
    case "queued":
      return { ...shape(queued(run, report.head_sha)), status: "queued", conclusion: null, actions: [] };
    case "running":
      return { ...shape(running(report)), status: "in_progress", conclusion: null, actions: [] };
    case "succeeded":
      return succeeded(report);
    case "failed":
      return completed("failure", failed(report));
    case "superseded":
      return completed("skipped", {
        title: "Replaced by a newer run",
        summary: [`[Run ${run.superseded_by}](${runUrl(run.superseded_by ?? "")}) answers for this one.`],
      });
    case "cancelled":
      return completed("cancelled", cancelled(report));
  }
}

function shape({ title, summary }: Text, annotations: Annotation[] = []): Pick<CheckRunState, "output"> {
  return {
    output: {
      title: truncate(title, MAX_TITLE),
      summary: truncate(summary.join("\n\n"), MAX_SUMMARY),
      annotations,
    },
  };
}

function completed(conclusion: Conclusion, text: Text, annotations: Annotation[] = []): CheckRunState {
  return { ...shape(text, annotations), status: "completed", conclusion, actions: ACTIONS };
}

function replacedByHead({ replaced_by_sha, run }: RunReport, runUrl: (runId: string) => string): Text {
  const sha = short(replaced_by_sha);
  return {
    title: `Replaced by ${sha}`,
    summary: [
      `The branch moved on before this commit was indexed: [run ${run.id}](${runUrl(run.id)}) indexes \`${sha}\`.`,
    ],
  };
}

function queued(run: RunView, headSha: string): Text {
  const asked = run.requested_by ? [`Asked for by ${escapeMarkdown(run.requested_by)}.`] : [];
  if (run.wait_reason) {
    const attempt = run.failures > 0 ? [`Attempt ${run.failures + 1} of ${run.max_failures} follows.`] : [];
    return {
      title: `Waiting until ${clock(run.not_before)}`,
      summary: [escapeMarkdown(run.wait_reason), ...attempt, ...asked],
    };
  }
  return {
    title: `Waiting to index ${short(headSha)}`,
    summary: [`Number ${run.position ?? 1} in line.`, ...asked],
  };
}

function running({ run, head_sha, indexed_commit }: RunReport): Text {
  const { files_done: done, files_total: total } = run.progress;
  const title =
    total === undefined ? `Indexing ${short(head_sha)}` : `Indexing ${count(done ?? 0)} of ${files(total)}`;
  return { title, summary: [`Stage: ${run.stage ?? "starting"}.`, searchStill(indexed_commit)] };
}

function succeeded(report: RunReport): CheckRunState {
  const { run, problems } = report;
  const faults = run.configuration_faults;
  const { files_total: total = 0, files_skipped: skipped = 0, files_failed: failures = 0 } = run.progress;
  if (run.verified === null) {
    return completed("success", { title: "Nothing to index yet", summary: [nothingToIndex(report)] });
  }
  const summary = [durationOf(run), changes(run), skippedTable(report), proofOf(report)];
  if (faults.length > 0) {
    return completed(
      "neutral",
      {
        title: "Indexed with the last good configuration",
        summary: [faultTable(faults), ...summary, problemTable(report)],
      },
      [...faults.map(annotateFault), ...problems.map(annotate)],
    );
  }
  if (failures === 0 && run.verified) {
    return completed("success", { title: `${files(total - skipped)} indexed`, summary });
  }
  const title =
    failures > 0
      ? `${count(total - skipped - failures)} of ${files(total - skipped)} indexed`
      : "Indexed, but the file list could not be verified";
  return completed("neutral", { title, summary: [...summary, problemTable(report)] }, problems.map(annotate));
}

function nothingToIndex({ settings: { branch } }: RunReport): string {
  if (branch === null) return "The repository has no commits.";
  return `There is no branch ${codeSpan(branch)}, which \`${SETTINGS_PATH}\` names.`;
}

function faultTable(faults: SettingsFault[]): string {
  const rows = faults
    .slice(0, PROBLEMS_IN_TABLE)
    .map(({ line, column, message }) => `| ${line}:${column} | ${escapeMarkdown(message)} |`);
  const more =
    faults.length > PROBLEMS_IN_TABLE
      ? [`\n…and ${faults.length - PROBLEMS_IN_TABLE} more on the run's page.`]
      : [];
  const mistakes = `\`${SETTINGS_PATH}\` has mistakes, so what it said before (at first nothing) stays in force.`;
  return [`${mistakes}\n`, "| Line | What to mend |", "|---|---|", ...rows, ...more].join("\n");
}

function annotateFault({ line, message }: SettingsFault): Annotation {
  return { path: SETTINGS_PATH, start_line: line, end_line: line, annotation_level: "warning", message };
}

function annotate(problem: { path: string; reason: string }): Annotation {
  return {
    path: problem.path,
    start_line: 1,
    end_line: 1,
    annotation_level: "warning",
    message: problem.reason,
  };
}

function durationOf(run: RunView): string {
  const ms = (run.finished_at?.getTime() ?? 0) - (run.started_at?.getTime() ?? 0);
  return `Took ${ms < 10_000 ? `${(ms / 1000).toFixed(1)} s` : `${count(Math.round(ms / 1000))} s`}.`;
}

function changes({ progress }: RunView): string {
  const { files_changed: changed = 0, files_removed: removed = 0, files_total: total = 0 } = progress;
  return `${count(changed)} changed, ${count(removed)} removed, ${count(Math.max(0, total - changed))} unchanged.`;
}

function skippedTable({ skipped }: RunReport): string {
  if (skipped.length === 0) return "No file was skipped.";
  const rows = skipped.map(({ state, count: n }) => `| ${state} | ${count(n)} |`);
  return ["| Not indexed by design | Files |", "|---|---|", ...rows].join("\n");
}

function proofOf({ run, indexed_unverified_path }: RunReport): string {
  if (run.verified) return `Tree \`${run.tree_sha}\` verified: the index is this commit, whole.`;
  const where = indexed_unverified_path ? codeSpan(indexed_unverified_path) : "the root directory";
  return `The file list does not hash to the commit's tree \`${run.tree_sha}\`; it differs in ${where}.`;
}

function problemTable({ problems, run }: RunReport): string {
  const total = run.progress.files_failed ?? problems.length;
  if (problems.length === 0) return "";
  const rows = problems
    .slice(0, PROBLEMS_IN_TABLE)
    .map(({ path, reason }) => `| ${codeSpan(path)} | ${escapeMarkdown(reason)} |`);
  const more =
    total > PROBLEMS_IN_TABLE ? [`\n…and ${count(total - PROBLEMS_IN_TABLE)} more on the run's page.`] : [];
  return ["| File | Why it is not indexed |", "|---|---|", ...rows, ...more].join("\n");
}

function failed({ run, indexed_commit }: RunReport): Text {
  const reason = run.reason ?? "";
  return {
    title: firstSentence(reason),
    summary: [
      escapeMarkdown(reason),
      `Tried ${run.failures === 1 ? "once" : `${run.failures} times`}. Press **Rescan**, or comment \`/rescan\`, to try again.`,
      searchStill(indexed_commit),
    ],
  };
}

function cancelled({ run, indexed_commit }: RunReport): Text {
  const by = run.cancel_requested_by;
  return { title: by ? `Cancelled by @${by}` : "Cancelled", summary: [searchStill(indexed_commit)] };
}

function firstSentence(text: string): string {
  return /^.*?[.!?](?=\s|$)/.exec(text)?.[0].replace(/\.$/, "") ?? text;
}

function searchStill(indexedCommit: string | null): string {
  return indexedCommit
    ? `The index still answers from \`${short(indexedCommit)}\`.`
    : "Nothing is indexed yet.";
}

function short(sha: string | null): string {
  return (sha ?? "").slice(0, 7);
}

function clock(date: Date): string {
  return `${date.toISOString().slice(11, 16)} UTC`;
}

function count(n: number): string {
  return n.toLocaleString("en-US");
}

function files(n: number): string {
  return `${count(n)} ${n === 1 ? "file" : "files"}`;
}
