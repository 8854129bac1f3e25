import { html, raw } from "hono/html";
import type { RepositoryView } from "../../installations/read.ts";
import type { RunView } from "../../runs/read.ts";
import { isFinal } from "../../runs/run.ts";
import type { Html } from "./html.ts";
import { type IconName, icon } from "./icons.ts";
import type { View } from "./view.ts";

/** Buttons to scan a repository and to cancel a run of it; those that cannot be used say why. */
export function actions(view: View, repository: RepositoryView, run: RunView | null): Html {
  const cannotScan = whyNotScan(view, repository);
  const cannotCancel = whyNotCancel(view, repository, run);
  const reasons = new Set([cannotScan, cannotCancel].filter((reason) => reason !== null));
  const shown = [...reasons].map((reason) => html`<span>${reason}</span> `);
  return html`<div class="actions" id="actions" data-live>
      <div class="buttons">
        ${scanButtons(view, repository, cannotScan)}
        ${cancelButton(view, run?.id ?? null, cannotCancel)}
      </div>
      <p class="why" id="why-not">${shown}</p>
    </div>`;
}

function whyNotScan(
  { caller, messages: { actions } }: View,
  { id, archived }: RepositoryView,
): string | null {
  if (!caller?.mayWrite(id)) return actions.needsWrite;
  return archived ? actions.isArchived : null;
}

function whyNotCancel(
  { caller, messages: { actions } }: View,
  { id }: RepositoryView,
  run: RunView | null,
): string | null {
  if (!caller?.mayWrite(id)) return actions.needsWrite;
  if (!run) return actions.nothingToCancel;
  if (isFinal(run.state)) return actions.hasEnded;
  return run.state === "running" && run.cancel_requested_by !== null ? actions.isCancelling : null;
}

function scanButtons({ messages: { actions } }: View, { id }: RepositoryView, whyNot: string | null): Html {
  const all = { address: `/repositories/${id}/rescan`, whyNot };
  return html`${button({ ...all, symbol: "rescan", text: actions.rescan, title: actions.rescanTitle, mode: "incremental", look: "primary" })}
      ${button({ ...all, text: actions.full, title: actions.fullTitle, mode: "full" })}`;
}

function cancelButton({ messages: { actions } }: View, runId: string | null, whyNot: string | null): Html {
  const { cancel: text, cancelTitle: title } = actions;
  return button({
    address: `/runs/${runId}/cancel`,
    text,
    title,
    whyNot,
    look: "danger",
  });
}

interface Button {
  address: string;
  symbol?: IconName;
  text: string;
  title: string;
  mode?: "incremental" | "full";
  look?: "primary" | "danger";
  /** Why it cannot be used, or null. */
  whyNot: string | null;
}

function button({ address, symbol, text, title, mode, look, whyNot }: Button): Html {
  const shown = html`${symbol ? icon(symbol) : ""}${text}`;
  if (whyNot !== null)
    return html`<button type="button" class="${look ?? ""}" disabled title="${whyNot}" aria-describedby="why-not">${shown}</button>`;
  return html`<form method="post" action="${address}">${mode ? html`<input type="hidden" name="mode" value="${mode}">` : raw("")}<button class="${look ?? ""}" title="${title}">${shown}</button></form>`;
}
