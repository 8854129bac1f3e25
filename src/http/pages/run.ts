import { html } from "hono/html";
import type { RepositoryView } from "../../installations/read.ts";
import type { RunEvent } from "../../runs/events.ts";
import type { RunView } from "../../runs/read.ts";
import { isFinal } from "../../runs/run.ts";
import { SETTINGS_PATH } from "../../scan/settings.ts";
import { commit, count, type Html, layout, plural, time } from "./layout.ts";

const REFRESH_SECONDS = 2;

/** A run: what it does now or how it ended, and its log. The check run's details lead here. */
export function runPage(run: RunView, options: { repository: RepositoryView; events: RunEvent[] }): Html {
  const { repository, events } = options;
  const body = html`
    <h1>Run ${run.id} <span class="state ${run.state}">${run.state}</span></h1>
    <p class="where">
      <a href="/repositories/${repository.id}">${repository.full_name}</a>
      ${run.head_sha ? html`at ${commit(run.head_sha)}` : ""}
    </p>
    ${outcome(run, repository)} ${mistakes(run)} ${isFinal(run.state) ? "" : progressBar(run)} ${facts(run, repository)} ${log(events)}
  `;
  const title = `Run ${run.id} of ${repository.full_name}`;
  return layout(title, body, isFinal(run.state) ? {} : { refreshSeconds: REFRESH_SECONDS });
}

/** The sentence a visitor came for. */
function outcome(run: RunView, repository: RepositoryView): Html {
  switch (run.state) {
    case "failed":
      return html`<p class="outcome bad" role="alert">${run.reason} <code>${run.reason_code}</code></p>`;
    case "queued":
      return run.wait_reason
        ? html`<p class="outcome warn">Waiting until ${time(run.not_before)}: ${run.wait_reason}</p>`
        : html`<p class="outcome">Number ${run.position ?? 1} in line.</p>`;
    case "running":
      return html`<p class="outcome">Now: ${run.stage ?? "starting"}.</p>`;
    case "superseded":
      return html`<p class="outcome">
        Replaced by <a href="/runs/${run.superseded_by}">run ${run.superseded_by}</a>.
      </p>`;
    case "cancelled":
      return html`<p class="outcome">Cancelled${run.cancel_requested_by ? ` by ${run.cancel_requested_by}` : ""}.</p>`;
    case "succeeded":
      return succeeded(run, repository);
  }
}

function succeeded(run: RunView, { configuration: { branch } }: RepositoryView): Html {
  const { files_total: total = 0, files_failed: failures = 0 } = run.progress;
  if (run.verified === null && branch !== null)
    return html`<p class="outcome warn">There was no branch ${branch}: nothing to index.</p>`;
  if (run.verified === null)
    return html`<p class="outcome good">The repository has no commits: nothing to index yet.</p>`;
  if (!run.verified)
    return html`<p class="outcome warn">Indexed, but the file list does not hash to the commit's tree.</p>`;
  return html`<p class="outcome ${failures ? "warn" : "good"}">
    ${plural(total, "file")} listed; tree <code>${run.tree_sha}</code> verified: the index is this commit, whole.
    ${failures ? html`${plural(failures, "file")} could not be read.` : ""}
  </p>`;
}

/** What is wrong with the repository's configuration, line by line. */
function mistakes({ configuration_faults: faults }: RunView): Html {
  if (faults.length === 0) return html``;
  return html`<p class="outcome warn">
      <code>${SETTINGS_PATH}</code> has ${faults.length === 1 ? "a mistake" : "mistakes"}: the last good configuration
      was in force.
    </p>
    <table>
      <thead>
        <tr><th>Line</th><th>What to mend</th></tr>
      </thead>
      <tbody>
        ${faults.map(({ line, column, message }) => html`<tr><td>${line}:${column}</td><td>${message}</td></tr>`)}
      </tbody>
    </table>`;
}

function progressBar({ progress: { files_done: done, files_total: total } }: RunView): Html {
  if (done === undefined || !total) return html``;
  return html`<p>
    <progress max="${total}" value="${done}"></progress> ${count(done)} of ${plural(total, "file")}
  </p>`;
}

function facts(run: RunView, repository: RepositoryView): Html {
  const { progress } = run;
  const rows: [string, Html | string | null][] = [
    ["Asked for by", run.requested_by ? `${run.requested_by} (${run.trigger})` : run.trigger],
    ["Mode", run.mode],
    ["Queued", time(run.queued_at)],
    ["Started", run.started_at && time(run.started_at)],
    ["Ended", run.finished_at && time(run.finished_at)],
    ["Attempts", `${run.epoch}, ${plural(run.failures, "failure")} of at most ${run.max_failures}`],
    ["Changed", progress.files_changed === undefined ? null : plural(progress.files_changed, "file")],
    ["Removed", progress.files_removed === undefined ? null : plural(progress.files_removed, "file")],
    [
      "Not indexed by design",
      progress.files_skipped === undefined ? null : plural(progress.files_skipped, "file"),
    ],
    ["Chunks", progress.chunks === undefined ? null : count(progress.chunks)],
    ["Search answers from", repository.indexed ? commit(repository.indexed.commit) : "nothing yet"],
  ];
  const shown = rows.filter(([, value]) => value !== null);
  return html`<dl>${shown.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>`;
}

function log(events: RunEvent[]): Html {
  return html`<h2>Log</h2>
    <table class="log">
      <thead>
        <tr><th>Time</th><th>Event</th><th>Message</th></tr>
      </thead>
      <tbody>
        ${events.map(
          (event) => html`<tr class="${event.level}">
            <td>${time(event.at)}</td>
            <td><code>${event.kind}</code></td>
            <td>
              ${event.message} ${countsOf(event)}
              ${event.error?.cause ? html`<br /><small>${event.error.code}: ${event.error.cause}</small>` : ""}
            </td>
          </tr>`,
        )}
      </tbody>
    </table>`;
}

function countsOf({ kind, data }: RunEvent): string {
  const { files_done: done, files_total: total } = data;
  return kind === "run.progress" && typeof done === "number" && typeof total === "number"
    ? `(${count(done)} of ${count(total)})`
    : "";
}
