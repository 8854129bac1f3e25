import { html } from "hono/html";
import type { FileState } from "../../database/schema.ts";
import type { RepositoryView } from "../../installations/read.ts";
import type { RunStatus } from "../../runs/read.ts";
import { DEFAULT_SETTINGS, SETTINGS_PATH, type Settings } from "../../scan/settings.ts";
import { actions } from "./actions.ts";
import { repositoryBanner } from "./banner.ts";
import type { Html } from "./html.ts";
import { icon } from "./icons.ts";
import { layout } from "./layout.ts";
import { english, indexedCommit, size, tag, time } from "./marks.ts";
import { notice } from "./notice.ts";
import { searchBox } from "./search-box.ts";
import type { View } from "./view.ts";

export type Tab = "runs" | "files" | "problems";

/** What all tabs of a repository's page show above their own. */
export interface RepositoryFrame {
  repository: RepositoryView;
  status: RunStatus;
  /** How many files there are in each state but `indexed`. */
  problems: Partial<Record<FileState, number>>;
  githubWebUrl: string;
}

/** A repository's page: what its index is and what runs, and below that one of its tabs. */
export function repositoryFrame(
  view: View,
  frame: RepositoryFrame,
  { tab, content }: { tab: Tab; content: Html },
): Html {
  const { repository, status } = frame;
  const body = html`${heading(view, frame)}
    ${notice(view)}
    ${repositoryBanner(view, { repository, status })}
    ${facts(view, repository)}
    ${searchBox(view, { text: `repo:${repository.full_name} ` })}
    ${tabs(view, frame, tab)}
    <div class="tab" id="tab" data-live>${content}</div>`;
  const live = `/api/v1/repositories/${repository.id}/events`;
  return layout(view, {
    title: titleOf(view, frame),
    body,
    live,
    isMoving: status.running !== null || status.queued !== null,
    hasSearch: true,
  });
}

/** The browser's tab tells how far it is. */
function titleOf(
  { messages }: View,
  { repository, status: { running, queued, last_finished: last } }: RepositoryFrame,
): string {
  const { files_done: done, files_total: total } = running?.progress ?? {};
  const share = done !== undefined && total ? `${Math.floor((100 * done) / total)}% ` : "";
  const open = running ?? queued;
  const state = open?.state ?? (last?.state === "failed" ? "failed" : null);
  return `${state ? `${share}${messages.states[state]} · ` : ""}${repository.full_name}`;
}

function heading(view: View, { repository, status, githubWebUrl }: RepositoryFrame): Html {
  const { messages } = view;
  const { owner, name, full_name } = repository;
  return html`<div class="heading">
      <div class="name">
        <h1><bdi>${owner}/<b>${name}</b></bdi></h1>
        <p class="where">${repository.private ? tag(messages.private, "lock") : ""} ${repository.archived ? tag(messages.archived) : ""}
          <a href="${githubWebUrl}/${owner}/${name}" rel="noreferrer" title="${full_name}">${messages.repository.onGitHub}</a></p>
      </div>
      ${actions(view, repository, status.running ?? status.queued)}
    </div>`;
}

function facts(view: View, repository: RepositoryView): Html {
  const { messages } = view;
  const { repository: words } = messages;
  const { indexed, default_branch, configuration } = repository;
  const branch = configuration.branch ?? default_branch;
  const rows: [string, Html | string][] = [
    [words.searchable, indexed ? indexedCommit(view, indexed) : words.none],
    [words.branch, branch ? html`<code>${branch}</code>` : "–"],
    [words.indexed, indexed ? time(view, indexed.at) : "–"],
    [words.files, indexed ? messages.number(indexed.files) : "–"],
    [words.size, indexed ? size(indexed.bytes) : "–"],
    [words.configuration, settings(view, repository)],
  ];
  return html`<dl class="facts" id="facts" data-live>
      ${rows.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}
    </dl>`;
}

/** What of `.github/repodex.yml` is in force, in a line. */
function settings({ messages: { repository: words } }: View, { id, configuration }: RepositoryView): Html {
  const { faults, ...inForce } = configuration;
  const said = Object.entries(inForce).flatMap(([name, value]) => {
    const isDefault = JSON.stringify(value) === JSON.stringify(DEFAULT_SETTINGS[name as keyof Settings]);
    return isDefault ? [] : `${name}: ${Array.isArray(value) ? value.join(", ") : value}`;
  });
  const shown = said.length > 0 ? html`<code>${said.join("; ")}</code>` : words.defaults;
  if (faults.length === 0) return html`${shown}`;
  return html`${shown} <a class="mark warn" href="/repositories/${id}/problems">${icon("warning")}${words.mistakes(faults.length)} <code>${SETTINGS_PATH}</code></a>`;
}

function tabs({ messages }: View, { repository, problems }: RepositoryFrame, current: Tab): Html {
  const { id, indexed, configuration } = repository;
  const look = (problems.unreadable ?? 0) + (problems.encoding ?? 0) + configuration.faults.length;
  const address: Record<Tab, string> = {
    runs: `/repositories/${id}`,
    files: `/repositories/${id}/files`,
    problems: `/repositories/${id}/problems`,
  };
  const badge: Record<Tab, Html | string> = {
    runs: "",
    files: indexed ? html`<span class="badge">${messages.number(indexed.files)}</span>` : "",
    problems: look > 0 ? html`<span class="badge warn">${messages.number(look)}</span>` : "",
  };
  return html`<nav class="tabs" id="tabs" data-live aria-label="${repository.full_name}">
      ${(["runs", "files", "problems"] as const).map(
        (tab) =>
          html`<a href="${address[tab]}"${tab === current ? html` aria-current="page"` : ""}>${messages.repository.tabs[tab]}${badge[tab]}</a>`,
      )}
    </nav>`;
}

/** A configuration's mistakes, line by line. */
export function mistakes(view: View, faults: RepositoryView["configuration"]["faults"]): Html {
  const { problemList: words } = view.messages;
  return html`<table class="mistakes">
        <thead><tr><th>${words.line}</th><th>${words.mend}</th></tr></thead>
        <tbody>${faults.map(({ line, column, message }) => html`<tr><td>${line}:${column}</td><td>${english(view, message)}</td></tr>`)}</tbody>
      </table>`;
}
