import { html } from "hono/html";
import type { RunView } from "../../runs/read.ts";
import type { Html } from "./html.ts";
import { commit, elapsed, emptyState, english, statePill, time } from "./marks.ts";
import { type RepositoryFrame, repositoryFrame } from "./repository-frame.ts";
import type { View } from "./view.ts";

export interface RunsOptions {
  /** Newest first. */
  runs: RunView[];
  /** The run that the page comes before, or null for the newest. */
  before: string | null;
  /** There are older ones. */
  hasMore: boolean;
}

/** The tab of a repository's scans, each with its reason where it has one. */
export function repositoryRunsPage(view: View, frame: RepositoryFrame, options: RunsOptions): Html {
  return repositoryFrame(view, frame, { tab: "runs", content: runList(view, frame, options) });
}

function runList(view: View, { repository }: RepositoryFrame, { runs, before, hasMore }: RunsOptions): Html {
  const { runList: words, layout } = view.messages;
  if (runs.length === 0 && before === null) return emptyState(words.none, words.noneHint);
  const last = runs.at(-1);
  const isPaged = before !== null || hasMore;
  const older = `/repositories/${repository.id}?${new URLSearchParams({ before: last?.id ?? "" })}`;
  return html`<table class="runs">
        <thead><tr><th>${words.columns.run}</th><th>${words.columns.commit}</th><th>${words.columns.trigger}</th><th>${words.columns.queued}</th><th class="number">${words.columns.took}</th><th class="number">${words.columns.files}</th></tr></thead>
        <tbody>${runs.map((run) => runRow(view, run))}</tbody>
      </table>
      ${
        isPaged
          ? html`<nav class="pages">${before === null ? "" : html`<a href="/repositories/${repository.id}">${layout.newest}</a>`}
        ${hasMore ? html`<a href="${older}" rel="next">${layout.older}</a>` : ""}</nav>`
          : ""
      }`;
}

function runRow(view: View, run: RunView): Html {
  const { messages } = view;
  const trigger = messages.triggers[run.trigger];
  const { files_total: total } = run.progress;
  const why = run.reason ?? run.wait_reason;
  return html`<tr id="run-${run.id}">
          <td><a class="run" href="/runs/${run.id}">${statePill(view, run.state)} <span class="id">#${run.id}</span></a>
            ${why ? html`<p class="about${run.state === "failed" ? " bad" : ""}">${english(view, why)}</p>` : ""}</td>
          <td>${run.head_sha ? commit(run.head_sha) : ""}</td>
          <td>${run.requested_by ? messages.runList.by(trigger, run.requested_by) : trigger}${run.mode === "full" ? html` <span class="quiet">(${messages.modes.full})</span>` : ""}</td>
          <td>${time(view, run.queued_at)}</td>
          <td class="number" data-label="${messages.runList.columns.took}">${run.started_at && run.state !== "queued" ? elapsed(run.started_at, run.finished_at, view) : ""}</td>
          <td class="number" data-label="${messages.runList.columns.files}">${total === undefined ? "" : messages.number(total)}</td>
        </tr>`;
}
