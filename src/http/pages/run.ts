import { html } from "hono/html";
import type { RepositoryView } from "../../installations/read.ts";
import type { RunEvent } from "../../runs/events.ts";
import type { RunView } from "../../runs/read.ts";
import { isFinal } from "../../runs/run.ts";
import { actions } from "./actions.ts";
import { runBanner } from "./banner.ts";
import type { Html } from "./html.ts";
import { layout } from "./layout.ts";
import { failureAddress, type LogOptions, runLog } from "./log.ts";
import { commit, indexedCommit, size, statePill, time } from "./marks.ts";
import { notice } from "./notice.ts";
import { mistakes } from "./repository-frame.ts";
import { timeline } from "./timeline.ts";
import type { View } from "./view.ts";

export interface RunOptions extends LogOptions {
  repository: RepositoryView;
  milestones: RunEvent[];
}

/** A run: what it does now or how it ended, its course, and its log. The check run's details lead here. */
export function runPage(view: View, run: RunView, options: RunOptions): Html {
  const { repository, milestones } = options;
  const body = html`<div class="heading">
      <div class="name">
        <h1 id="title" data-live>${view.messages.run.title(run.id)} ${statePill(view, run.state)}</h1>
        <p class="where" id="where" data-live><a href="/repositories/${repository.id}"><bdi>${repository.full_name}</bdi></a>${run.head_sha ? html` ${view.messages.file.at(commit(run.head_sha))}` : ""}</p>
      </div>
      ${actions(view, repository, run)}
    </div>
    ${notice(view)}
    ${runBanner(view, run, { repository, failureAt: failureAddress(run, options) })}
    ${configurationFaults(view, run)}
    <div class="columns">
      ${timeline(view, run, milestones)}
      ${facts(view, run, repository)}
    </div>
    ${runLog(view, run, options)}`;
  const live = isFinal(run.state) ? null : `/api/v1/runs/${run.id}/events`;
  return layout(view, { title: titleOf(view, run, repository), body, live, isMoving: live !== null });
}

function titleOf({ messages }: View, run: RunView, { full_name }: RepositoryView): string {
  const { files_done: done, files_total: total } = run.progress;
  const share =
    run.state === "running" && done !== undefined && total ? `${Math.floor((100 * done) / total)}% ` : "";
  return `${share}${messages.states[run.state]} · ${messages.run.title(run.id)} · ${full_name}`;
}

/** What is wrong with the repository's configuration, line by line. */
function configurationFaults(view: View, { configuration_faults: faults }: RunView): Html {
  const found = html`<section class="problems"><p class="advice">${view.messages.run.mistakes(faults.length)}</p>${mistakes(view, faults)}</section>`;
  return html`<div id="mistakes" data-live>${faults.length === 0 ? "" : found}</div>`;
}

function facts(view: View, run: RunView, repository: RepositoryView): Html {
  const { messages } = view;
  const words = messages.run.facts;
  const { progress } = run;
  const trigger = messages.triggers[run.trigger];
  const { asked, mode, attempts, changed, removed, skipped, failed, chunks, bytes, search } = words;
  const failures = run.failures > 0 ? ` · ${words.failures(run.failures, run.max_failures)}` : "";
  const counted = (n: number | undefined) => (n === undefined ? null : messages.files(n));
  // Those that are not known yet have their place already: nothing moves once they are.
  const rows: [string, Html | string | null][] = [
    [asked, run.requested_by ? messages.runList.by(trigger, run.requested_by) : trigger],
    [messages.runList.columns.queued, time(view, run.queued_at)],
    [mode, messages.modes[run.mode]],
    [attempts, `${run.epoch}${failures}`],
    [changed, counted(progress.files_changed)],
    [removed, counted(progress.files_removed)],
    [skipped, counted(progress.files_skipped)],
    [failed, counted(progress.files_failed)],
    [chunks, progress.chunks === undefined ? null : messages.number(progress.chunks)],
    [bytes, progress.bytes === undefined ? null : size(progress.bytes)],
    [search, repository.indexed ? indexedCommit(view, repository.indexed) : words.nothing],
  ];
  return html`<section class="details" id="details" data-live><h2>${words.title}</h2>
      <dl>${rows.map(([name, value]) => html`<dt>${name}</dt><dd>${value ?? "–"}</dd>`)}</dl></section>`;
}
