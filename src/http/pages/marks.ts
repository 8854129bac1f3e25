import { html } from "hono/html";
import type { RepositoryView } from "../../installations/read.ts";
import type { RunView } from "../../runs/read.ts";
import type { Html } from "./html.ts";
import { type IconName, icon } from "./icons.ts";
import type { Language, View } from "./view.ts";

const STATE_ICONS: Record<RunView["state"], IconName> = {
  queued: "clock",
  running: "play",
  succeeded: "check",
  failed: "cross",
  cancelled: "stop",
  superseded: "forward",
};

/** Seconds of each unit, the largest first; a distance of less than two months is told in days. */
const UNITS: [Intl.RelativeTimeFormatUnit, number, number?][] = [
  ["year", 31_536_000],
  ["month", 2_592_000, 5_184_000],
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
];

/** Making one takes longer than using it a hundred times. */
const FORMATS = { en: formatsOf("en"), ko: formatsOf("ko") };

function formatsOf(language: Language) {
  return {
    exact: new Intl.RelativeTimeFormat(language),
    now: new Intl.RelativeTimeFormat(language, { numeric: "auto" }),
  };
}

/** A moment as its distance from now, its date and time in UTC on hover; the script keeps it current. */
export function time(view: View, date: Date): Html {
  return html`<relative-time><time datetime="${date.toISOString()}" title="${utc(date)}">${distance(view, date)}</time></relative-time>`;
}

/** The distance in the view's language. live.js does the same. */
function distance({ language, now }: View, date: Date): string {
  const seconds = Math.round((date.getTime() - now.getTime()) / 1000);
  const [unit, size] = UNITS.find(([, least, from = least]) => Math.abs(seconds) >= from) ?? [];
  const { exact, now: words } = FORMATS[language];
  if (unit && size) return exact.format(Math.trunc(seconds / size), unit);
  // Nobody counts the seconds since something was, but those until it comes.
  return seconds > 0 ? exact.format(seconds, "second") : words.format(0, "second");
}

/** A moment in UTC, to the second. */
function utc(date: Date): string {
  return `${date.toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

/** The time of day in UTC, date and all on hover. */
export function clock(date: Date): Html {
  return html`<time datetime="${date.toISOString()}" title="${utc(date)}">${date.toISOString().slice(11, 19)}</time>`;
}

/** How long something took, or takes so far: then the script lets it tick. */
export function elapsed(from: Date, to: Date | null, { messages, now }: View): Html {
  const ms = (to ?? now).getTime() - from.getTime();
  if (to && ms < 60_000)
    return html`<span class="elapsed">${messages.seconds(Math.max(0, ms) / 1000)}</span>`;
  const text = duration(ms);
  if (to) return html`<span class="elapsed">${text}</span>`;
  return html`<relative-time elapsed><time class="elapsed" datetime="${from.toISOString()}" title="${utc(from)}">${text}</time></relative-time>`;
}

/** Milliseconds as `0:42` or `1:02:03`. live.js does the same. */
function duration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const two = (n: number) => String(n).padStart(2, "0");
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

/** Bytes as a person reads them. */
export function size(bytes: number): string {
  const units = ["B", "KB", "MB", "GB", "TB"];
  const power = bytes < 1000 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(bytes) / 3));
  const value = bytes / 1000 ** power;
  return `${power === 0 ? value : value.toFixed(value < 10 ? 1 : 0)} ${units[power]}`;
}

/** The first seven digits of a commit, the whole of it on hover. */
export function commit(sha: string): Html {
  return html`<code title="${sha}">${sha.slice(0, 7)}</code>`;
}

/** The commit that search answers from, and whether it is proven to be it. */
export function indexedCommit(
  { messages }: View,
  { commit: sha, verified }: NonNullable<RepositoryView["indexed"]>,
): Html {
  const mark = verified
    ? html`<span class="mark good" title="${messages.verifiedTitle}">${icon("check")}${messages.verified}</span>`
    : html`<span class="mark warn" title="${messages.unverifiedTitle}">${icon("warning")}${messages.unverified}</span>`;
  return html`${commit(sha)} ${mark}`;
}

/** A run's state as a word with a symbol and a colour. */
export function statePill({ messages }: View, state: RunView["state"], more: Html | string = ""): Html {
  return html`<span class="pill ${state}">${icon(STATE_ICONS[state])}${messages.states[state]}${more}</span>`;
}

/** A quiet word about something. */
export function tag(text: string, name?: IconName): Html {
  return html`<span class="tag">${name ? icon(name) : ""}${text}</span>`;
}

/** A text that is English whatever the page's language, such as what the database holds. */
export function english({ language }: View, text: string): Html {
  return language === "en" ? html`${text}` : html`<span lang="en">${text}</span>`;
}

/** What a running run does now. */
export function stageOf(view: View, stage: string | null): Html {
  const known = view.messages.stages[stage ?? "starting"];
  return known === undefined ? english(view, stage ?? "") : html`${known}`;
}

/** What to do about a failure, where more can be said than its own sentence does. */
export function adviceFor({ messages }: View, code: string | null): Html {
  const advice = Object.hasOwn(messages.advice, code ?? "") ? messages.advice[code ?? ""] : undefined;
  return advice ? html`<p class="advice"><b>${messages.banner.whatToDo}</b> ${advice}</p>` : html``;
}

/** Where there is nothing to show: that, and what would change it. */
export function emptyState(title: string, more: Html | string = ""): Html {
  return html`<div class="empty"><p><b>${title}</b></p>${more === "" ? "" : html`<p>${more}</p>`}</div>`;
}
