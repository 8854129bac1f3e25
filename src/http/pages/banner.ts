import { html } from "hono/html";
import type { RepositoryView } from "../../installations/read.ts";
import type { RunStatus, RunView } from "../../runs/read.ts";
import type { Html } from "./html.ts";
import { type IconName, icon } from "./icons.ts";
import { adviceFor, commit, elapsed, english, stageOf, time } from "./marks.ts";
import type { View } from "./view.ts";

interface Banner {
  tone: "quiet" | "live" | "good" | "warn" | "bad";
  symbol: IconName;
  headline: Html | string;
  /** Counts and times, which move without being read aloud. */
  meter?: Html | string;
  more?: Html | string;
  /** How far it is; null where it runs and that is not known yet; absent where nothing runs. */
  progress?: { done: number; total: number } | null;
}

interface About {
  repository: RepositoryView;
}

/** What a repository does now: the first thing a visitor wants to know. */
export function repositoryBanner(view: View, about: About & { status: RunStatus }): Html {
  const { running, queued, last_finished: last } = about.status;
  if (running) return draw(view, runningBanner(view, running, { ...about, followUp: queued !== null }));
  if (queued) return draw(view, queuedBanner(view, queued, about));
  return draw(view, last ? restingBanner(view, last, about) : nothingBanner(view, about));
}

/** What a run does now, or how it ended. */
export function runBanner(view: View, run: RunView, about: About & { failureAt: string | null }): Html {
  switch (run.state) {
    case "running":
      return draw(view, runningBanner(view, run, { ...about, followUp: false }));
    case "queued":
      return draw(view, queuedBanner(view, run, about));
    default:
      return draw(view, endedBanner(view, run, about));
  }
}

function draw(
  { messages: { banner, states } }: View,
  { tone, symbol, headline, meter, more, progress }: Banner,
): Html {
  const bar =
    progress === undefined
      ? html`<progress class="still" value="0" max="1" aria-hidden="true"></progress>`
      : progress === null
        ? html`<progress aria-label="${states.running}"></progress>`
        : html`<progress value="${progress.done}" max="${Math.max(1, progress.total)}" aria-label="${banner.progress(progress.done, progress.total)}"></progress>`;
  return html`<section class="banner ${tone}" id="banner" data-live>
      <div class="head">
        <p class="headline" aria-live="polite">${icon(symbol)}<span>${headline}</span></p>
        <p class="meter">${meter ?? ""}</p>
      </div>
      <div class="more">${more ?? ""}</div>
      ${bar}
    </section>`;
}

function runningBanner(
  view: View,
  run: RunView,
  { repository, followUp }: About & { followUp: boolean },
): Banner {
  const { banner } = view.messages;
  const { files_done: done, files_total: total } = run.progress;
  const isKnown = done !== undefined && total !== undefined && total > 0;
  const said = [
    run.cancel_requested_by === null ? null : banner.cancelling,
    run.requested_by ? banner.askedBy(run.requested_by) : null,
    followUp ? banner.followUp : null,
    repository.indexed ? banner.stillSearch(commit(repository.indexed.commit)) : null,
  ];
  return {
    tone: "live",
    symbol: "play",
    headline: stageOf(view, run.stage),
    meter: html`${isKnown ? html`<span class="counts">${banner.progress(done, total)}</span>` : ""} ${run.started_at ? elapsed(run.started_at, null, view) : ""}`,
    more: sentences(said),
    progress: isKnown ? { done, total } : null,
  };
}

function queuedBanner(view: View, run: RunView, { repository }: About): Banner {
  const { banner } = view.messages;
  const waits = run.wait_reason !== null;
  const said = [
    run.wait_reason && english(view, run.wait_reason),
    run.failures > 0 ? banner.attempt(run.failures + 1, run.max_failures) : null,
    run.requested_by ? banner.askedBy(run.requested_by) : null,
    repository.indexed ? banner.stillSearch(commit(repository.indexed.commit)) : null,
  ];
  const isLater = run.not_before > view.now;
  return {
    tone: waits ? "warn" : "quiet",
    symbol: "clock",
    headline: !waits
      ? banner.queued(run.position ?? 1)
      : isLater
        ? banner.waiting(time(view, run.not_before))
        : banner.waitingShort,
    meter: elapsed(run.queued_at, null, view),
    more: sentences(said),
  };
}

/** Nothing runs or waits: how the last one ended says how the repository is. */
function restingBanner(view: View, last: RunView, about: About): Banner {
  const { banner } = view.messages;
  const link = html`<a href="/runs/${last.id}#failure">${banner.seeFailure}</a>`;
  if (last.state === "failed")
    return { ...failedBanner(view, last, { ...about, link }), headline: banner.failed };
  if (last.state !== "succeeded" || last.verified === null || !about.repository.indexed)
    return endedBanner(view, last, { ...about, failureAt: null });
  const unread = last.progress.files_failed ?? 0;
  const isWell = about.repository.indexed.verified && unread === 0;
  const said = [
    last.finished_at && banner.idleMore(time(view, last.finished_at)),
    about.repository.indexed.verified ? null : banner.unverifiedMore,
    unread > 0
      ? html`<a href="/repositories/${about.repository.id}/problems">${banner.unreadable(unread)}</a>`
      : null,
  ];
  return {
    tone: isWell ? "good" : "warn",
    symbol: isWell ? "check" : "warning",
    headline: !about.repository.indexed.verified
      ? banner.unverified
      : unread > 0
        ? banner.idleBut
        : banner.idle,
    more: sentences(said),
  };
}

function nothingBanner({ messages: { banner } }: View, { repository }: About): Banner {
  return repository.indexed
    ? { tone: "good", symbol: "check", headline: banner.idle }
    : { tone: "quiet", symbol: "info", headline: banner.nothing, more: banner.nothingMore };
}

function endedBanner(view: View, run: RunView, about: About & { failureAt: string | null }): Banner {
  const { banner } = view.messages;
  const still = about.repository.indexed && banner.stillOld(commit(about.repository.indexed.commit));
  const meter = run.started_at && run.finished_at ? elapsed(run.started_at, run.finished_at, view) : "";
  if (run.state === "failed") {
    const link =
      about.failureAt === null ? null : html`<a href="${about.failureAt}">${banner.seeFailure}</a>`;
    return { ...failedBanner(view, run, { ...about, link }), meter };
  }
  if (run.state === "cancelled")
    return {
      tone: "quiet",
      symbol: "stop",
      headline: banner.cancelled(run.cancel_requested_by),
      meter,
      more: still ?? "",
    };
  if (run.state === "superseded") {
    const link = html`<a href="/runs/${run.superseded_by}">${banner.run(run.superseded_by ?? "")}</a>`;
    return { tone: "quiet", symbol: "forward", headline: banner.superseded(link), meter };
  }
  return { ...succeededBanner(view, run, about), meter };
}

function succeededBanner({ messages: { banner } }: View, run: RunView, { repository }: About): Banner {
  const { files_total: total = 0, files_failed: unread = 0 } = run.progress;
  const { branch } = repository.configuration;
  if (run.verified === null)
    return branch === null
      ? { tone: "good", symbol: "check", headline: banner.noCommits }
      : { tone: "warn", symbol: "warning", headline: banner.noBranch(branch) };
  const link = html`<a href="/repositories/${repository.id}/problems">${banner.unreadable(unread)}</a>`;
  if (!run.verified)
    return {
      tone: "warn",
      symbol: "warning",
      headline: banner.unverified,
      more: sentences([banner.unverifiedMore, unread > 0 ? link : null]),
    };
  const tree = html`<code title="${run.tree_sha}">${(run.tree_sha ?? "").slice(0, 7)}</code>`;
  return {
    tone: unread > 0 ? "warn" : "good",
    symbol: unread > 0 ? "warning" : "check",
    headline: banner.succeeded(total),
    more: sentences([banner.proof(tree), unread > 0 ? link : null]),
  };
}

function failedBanner(view: View, run: RunView, { repository, link }: About & { link: Html | null }): Banner {
  const { banner } = view.messages;
  const still = repository.indexed && banner.stillOld(commit(repository.indexed.commit));
  return {
    tone: "bad",
    symbol: "cross",
    headline: banner.failedRun,
    more: html`<p class="reason">${english(view, run.reason ?? "")} <code>${run.reason_code}</code></p>
      ${adviceFor(view, run.reason_code)}${sentences([still, link])}`,
  };
}

/** Those of some sentences that there are, one after the other. */
function sentences(said: (Html | string | null)[]): Html {
  const parts = said.filter((part) => part !== null);
  return parts.length === 0
    ? html``
    : html`<p>${parts.map((part, i) => html`${i > 0 ? " " : ""}${part}`)}</p>`;
}
