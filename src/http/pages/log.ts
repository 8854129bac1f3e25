import { html } from "hono/html";
import type { RunEvent } from "../../runs/events.ts";
import type { RunView } from "../../runs/read.ts";
import type { Html } from "./html.ts";
import { clock, emptyState, english } from "./marks.ts";
import type { View } from "./view.ts";

/** Events of a page of the log. */
export const EVENTS_OF_PAGE = 200;

export interface LogOptions {
  /** Oldest first. */
  events: RunEvent[];
  /** The event that tells why it failed: it is shown opened. */
  failure: RunEvent | null;
}

/** A page of a run's log, opened at the failure. */
export function runLog(view: View, run: RunView, { events, failure }: LogOptions): Html {
  const { run: words } = view.messages;
  return html`<section class="log" id="log" data-live>
      <h2>${words.log}</h2>
      ${
        events.length === 0
          ? emptyState(run.finished_at === null ? words.logEmpty : words.logGone)
          : html`<ol>${events.map((event) => entry(view, event, { isFailure: event.seq === failure?.seq }))}</ol>
      ${pages(view, run, events)}`
      }
    </section>`;
}

/** Where the event is that tells why a run failed: on this page, or on another one. */
export function failureAddress(run: RunView, { events, failure }: LogOptions): string | null {
  if (!failure) return null;
  const isHere = events.some(({ seq }) => seq === failure.seq);
  return isHere ? "#failure" : `${logAddress(run, pageOf(failure.seq))}#failure`;
}

function logAddress({ id }: RunView, after: number): string {
  return `/runs/${id}?${new URLSearchParams({ after: String(after) })}`;
}

/** The page of the log that begins after a multiple of its length. */
function pageOf(seq: number): number {
  return Math.floor((seq - 1) / EVENTS_OF_PAGE) * EVENTS_OF_PAGE;
}

function entry(view: View, event: RunEvent, { isFailure }: { isFailure: boolean }): Html {
  const id = isFailure ? "failure" : `event-${event.seq}`;
  return html`<li class="${event.level}" id="${id}">
          ${clock(event.at)}
          <div class="message">${levelOf(view, event)}${english(view, event.message)} ${countsOf(view, event)} <code>${event.kind}</code>
            ${event.error ? cause(view, event, { isFailure }) : ""}</div>
        </li>`;
}

function levelOf({ messages: { run: words } }: View, { level }: RunEvent): Html {
  return level === "debug" || level === "info" ? html`` : html`<b class="level">${words.levels[level]}</b> `;
}

function cause(view: View, { error, seq }: RunEvent, { isFailure }: { isFailure: boolean }): Html {
  if (!error) return html``;
  const { run: words } = view.messages;
  return html`<details id="cause-${seq}"${isFailure ? html` open` : ""}><summary>${words.whatHappened}: <code>${error.code}</code></summary>
              <pre lang="en">${error.message}${error.cause ? `\n${error.cause}` : ""}</pre></details>`;
}

function countsOf({ messages }: View, { kind, data }: RunEvent): string {
  const { files_done: done, files_total: total } = data;
  return kind === "run.progress" && typeof done === "number" && typeof total === "number"
    ? `(${messages.banner.progress(done, total)})`
    : "";
}

function pages({ messages: { run: words } }: View, run: RunView, events: RunEvent[]): Html {
  const [first, last] = [events[0]?.seq ?? 1, events.at(-1)?.seq ?? 1];
  if (first === 1 && last >= run.event_seq) return html``;
  const earlier = logAddress(run, Math.max(0, first - 1 - EVENTS_OF_PAGE));
  return html`<nav class="pages">
        ${first > 1 ? html`<a href="${earlier}" rel="prev">${words.earlier}</a>` : ""}
        <span>${words.logShown(first, last, run.event_seq)}</span>
        ${last < run.event_seq ? html`<a href="${logAddress(run, last)}" rel="next">${words.later}</a>` : ""}
      </nav>`;
}
