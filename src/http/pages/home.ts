import { html } from "hono/html";
import type { Overview, OverviewRow } from "../../installations/read.ts";
import type { RunView } from "../../runs/read.ts";
import type { Html } from "./html.ts";
import { icon } from "./icons.ts";
import { layout } from "./layout.ts";
import {
  adviceFor,
  elapsed,
  emptyState,
  english,
  indexedCommit,
  stageOf,
  statePill,
  tag,
  time,
} from "./marks.ts";
import { searchBox } from "./search-box.ts";
import type { View } from "./view.ts";

const SECTIONS = ["failed", "running", "queued", "other"] as const;
type Section = (typeof SECTIONS)[number];

export interface HomeOptions {
  overview: Overview;
  /** The runs that tell of the repositories. */
  runs: RunView[];
  /** What of the name is looked for. */
  q: string | null;
  /** How many make a page. */
  pageSize: number;
}

/** The repositories that can be read here, those with problems first. */
export function homePage(view: View, options: HomeOptions): Html {
  const { overview, q } = options;
  const { home } = view.messages;
  const body = html`<h1 class="hidden-visually">${home.title}</h1>
    ${searchBox(view, { large: true })}
    <div class="overview-head">
      <p class="counts" id="counts" data-live>${counts(view, overview)}</p>
      ${findBox(view, q)}
    </div>
    <div id="repositories" data-live>
      ${overview.rows.length === 0 ? noneLike(view, q) : sections(view, options)}
      ${pages(view, options)}
    </div>`;
  const isMoving = overview.running + overview.queued > 0;
  return layout(view, {
    title: titleOf(view, overview),
    body,
    live: "/api/v1/events",
    isMoving,
    hasSearch: true,
  });
}

/** A tab says what is wrong while another one is read. */
function titleOf({ messages: { home } }: View, { failed, running }: Overview): string {
  const news = [
    failed > 0 ? home.counts.failed(failed) : "",
    running > 0 ? home.counts.running(running) : "",
  ];
  return [...news.filter((part) => part !== ""), home.title].join(" · ");
}

function counts({ messages }: View, { repositories, failed, running, queued }: Overview): Html {
  const { home } = messages;
  return html`<b>${messages.repositories(repositories)}</b>
      ${failed > 0 ? html`<span class="count failed">${icon("cross")}${home.counts.failed(failed)}</span>` : ""}
      ${running > 0 ? html`<span class="count running">${icon("play")}${home.counts.running(running)}</span>` : ""}
      ${queued > 0 ? html`<span class="count queued">${icon("clock")}${home.counts.queued(queued)}</span>` : ""}`;
}

function findBox({ messages: { home, layout: words } }: View, q: string | null): Html {
  return html`<form class="find" action="/">
        <input type="search" name="q" value="${q ?? ""}" aria-label="${home.find}" placeholder="${home.findPlaceholder}" autocomplete="off" spellcheck="false">
        <button>${words.apply}</button>
      </form>`;
}

function noneLike({ messages: { home } }: View, q: string | null): Html {
  return emptyState(home.noneLike(q ?? ""), html`<a href="/">${home.showAll}</a>`);
}

function sections(view: View, { overview, runs }: HomeOptions): Html {
  const byId = new Map(runs.map((run) => [run.id, run]));
  const rows = overview.rows.map((row) => ({ row, run: byId.get(row.run_id ?? "") }));
  const grouped = Map.groupBy(rows, ({ run }) => sectionOf(run));
  const { columns, sections: names } = view.messages.home;
  return html`<table class="repositories">
        <thead><tr><th>${columns.repository}</th><th>${columns.commit}</th><th>${columns.indexed}</th><th class="number">${columns.files}</th></tr></thead>
        ${SECTIONS.map((section) => {
          const own = grouped.get(section) ?? [];
          if (own.length === 0) return "";
          return html`<tbody id="section-${section}" class="${section}">
          <tr class="section"><th colspan="4" scope="rowgroup">${names[section]}</th></tr>
          ${own.map(({ row, run }) => repositoryRow(view, row, run))}
        </tbody>`;
        })}
      </table>`;
}

function sectionOf(run: RunView | undefined): Section {
  return run && (run.state === "failed" || run.state === "running" || run.state === "queued")
    ? run.state
    : "other";
}

function repositoryRow(view: View, { repository }: OverviewRow, run: RunView | undefined): Html {
  const { messages } = view;
  const { id, owner, name, indexed, archived, private: isPrivate } = repository;
  const state =
    run && run.state !== "succeeded" ? html`<a href="/runs/${run.id}">${statePill(view, run.state)}</a>` : "";
  return html`<tr id="repository-${id}">
            <td><a class="name" href="/repositories/${id}"><bdi>${owner}/<b>${name}</b></bdi></a>
              ${isPrivate ? tag(messages.private, "lock") : ""} ${archived ? tag(messages.archived) : ""} ${state}
              ${about(view, run)}</td>
            <td>${indexed ? indexedCommit(view, indexed) : html`<span class="quiet">${messages.home.notYet}</span>`}</td>
            <td>${indexed ? time(view, indexed.at) : ""}</td>
            <td class="number" data-label="${messages.home.columns.files}">${indexed ? messages.number(indexed.files) : ""}</td>
          </tr>`;
}

/** What a person wants to know of a run in a few words, and what to do. */
function about(view: View, run: RunView | undefined): Html {
  const { messages } = view;
  if (run?.state === "failed")
    return html`<p class="about bad">${english(view, run.reason ?? "")}</p>${adviceFor(view, run.reason_code)}`;
  if (run?.state === "queued") {
    const waits = run.wait_reason
      ? english(view, run.wait_reason)
      : messages.home.position(run.position ?? 1);
    return html`<p class="about">${waits}</p>`;
  }
  if (run?.state !== "running") return html``;
  const { files_done: done, files_total: total } = run.progress;
  const isKnown = done !== undefined && total !== undefined;
  return html`<p class="about">${stageOf(view, run.stage)}${isKnown ? html` · ${messages.banner.progress(done, total)}` : ""} ${run.started_at ? html`· ${elapsed(run.started_at, null, view)}` : ""}</p>
              <progress${isKnown ? html` value="${done}" max="${Math.max(1, total)}"` : ""} aria-label="${messages.states.running}"></progress>`;
}

function pages({ messages: { home, layout: words } }: View, { overview, q, pageSize }: HomeOptions): Html {
  const { repositories: all, rows, offset } = overview;
  if (all <= pageSize && offset === 0) return html``;
  const address = (from: number) =>
    `/?${new URLSearchParams({ ...(q && { q }), ...(from > 0 && { offset: String(from) }) })}`;
  return html`<nav class="pages">
        ${offset > 0 ? html`<a href="${address(Math.max(0, offset - pageSize))}" rel="prev">${words.previous}</a>` : ""}
        <span>${home.rangeOf(offset + 1, offset + rows.length, all)}</span>
        ${offset + rows.length < all ? html`<a href="${address(offset + pageSize)}" rel="next">${words.next}</a>` : ""}
      </nav>`;
}
