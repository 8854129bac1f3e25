import { html } from "hono/html";
import { DELIVERY_STATES, type DeliveryState, type DeliveryView } from "../../deliveries/read.ts";
import type { Html } from "./html.ts";
import { type IconName, icon } from "./icons.ts";
import { layout } from "./layout.ts";
import { emptyState, english, time } from "./marks.ts";
import type { View } from "./view.ts";

const SYMBOLS: Record<DeliveryState, { pill: string; symbol: IconName }> = {
  pending: { pill: "queued", symbol: "clock" },
  handled: { pill: "succeeded", symbol: "check" },
  failed: { pill: "failed", symbol: "cross" },
};

export interface DeliveriesOptions {
  /** Newest first. */
  deliveries: DeliveryView[];
  state: DeliveryState | null;
  /** Where the next page begins, or null. */
  next: string | null;
  isLater: boolean;
}

/** What GitHub told this server, and what it led to: for operators. */
export function deliveriesPage(view: View, options: DeliveriesOptions): Html {
  const { deliveries: words } = view.messages;
  const body = html`<div class="heading"><div class="name"><h1>${words.title}</h1><p class="where">${words.intro}</p></div></div>
    ${states(view, options.state)}
    <div class="tab" id="deliveries" data-live>${options.deliveries.length === 0 ? none(view, options) : list(view, options)}</div>`;
  return layout(view, { title: words.title, body, live: options.isLater ? null : "/api/v1/events" });
}

function address(narrow: { state: DeliveryState | null; cursor?: string | null }): string {
  const given = Object.entries(narrow).filter((entry): entry is [string, string] => !!entry[1]);
  const query = new URLSearchParams(given).toString();
  return `/deliveries${query === "" ? "" : `?${query}`}`;
}

function states({ messages: { deliveries: words } }: View, current: DeliveryState | null): Html {
  return html`<nav class="tabs" aria-label="${words.title}">
      ${[null, ...DELIVERY_STATES].map((state) => html`<a href="${address({ state })}"${state === current ? html` aria-current="page"` : ""}>${words.states[state ?? "all"]}</a>`)}
    </nav>`;
}

function none({ messages: { deliveries: words } }: View, { state, isLater }: DeliveriesOptions): Html {
  return state === null && !isLater ? emptyState(words.none, words.noneHint) : emptyState(words.noneLike);
}

function list(view: View, { deliveries, state, next, isLater }: DeliveriesOptions): Html {
  const { deliveries: words, layout: common } = view.messages;
  return html`<table class="deliveries">
        <thead><tr><th>${words.columns.event}</th><th>${words.columns.repository}</th><th>${words.columns.led}</th><th>${words.columns.received}</th></tr></thead>
        <tbody>${deliveries.map((delivery) => row(view, delivery))}</tbody>
      </table>
      ${
        isLater || next !== null
          ? html`<nav class="pages">${isLater ? html`<a href="${address({ state })}">${common.newest}</a>` : ""}
        ${next === null ? "" : html`<a href="${address({ state, cursor: next })}" rel="next">${common.older}</a>`}</nav>`
          : ""
      }`;
}

function row(view: View, delivery: DeliveryView): Html {
  const { deliveries: words } = view.messages;
  const { guid, event, action, state, received_at, repository, repository_id } = delivery;
  const { pill, symbol } = SYMBOLS[state];
  const name = repository ?? repository_id ?? "";
  const isThere = repository !== null && !delivery.repository_removed;
  return html`<tr id="delivery-${guid}">
          <td><code class="event">${action ? `${event}.${action}` : event}</code>
            <span class="pill ${pill}">${icon(symbol)}${words.states[state]}</span></td>
          <td>${isThere ? html`<a href="/repositories/${repository_id}"><bdi>${name}</bdi></a>` : html`<bdi class="quiet">${name}</bdi>`}</td>
          <td>${ledTo(view, delivery)}</td>
          <td>${time(view, received_at)}<small class="guid" title="${words.id}">${guid}</small></td>
        </tr>`;
}

function ledTo(view: View, { state, outcome, error, attempts, not_before, run_ids }: DeliveryView): Html {
  const { deliveries: words, banner } = view.messages;
  const sentence = state === "handled" ? outcome : error;
  const tries = attempts > 1 || state !== "handled" ? words.attempts(attempts) : "";
  const due =
    state !== "pending" ? "" : not_before > view.now ? words.due(time(view, not_before)) : words.working;
  const runs = run_ids.map((id) => html` <a href="/runs/${id}">${banner.run(id)}</a>`);
  return html`${sentence ? html`<p class="about${state === "failed" ? " bad" : ""}">${english(view, sentence)}</p>` : ""}
            <p class="quiet">${tries}${tries !== "" && due !== "" ? " · " : ""}${due}${runs}</p>`;
}
