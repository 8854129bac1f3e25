import { html } from "hono/html";
import type { Overview, RepositoryView } from "../../installations/read.ts";
import type { RunView } from "../../runs/read.ts";
import { commit, count, type Html, layout, plural, time } from "./layout.ts";
import { searchBox } from "./search-box.ts";

/** The repositories that can be read here, those with problems first; `runs` are the ones that tell of them. */
export function homePage(overview: Overview, runs: RunView[]): Html {
  const { rows, repositories } = overview;
  const hidden = repositories - rows.length;
  const body =
    repositories === 0
      ? html`<h1>Repositories</h1>
          <p>None yet. Install the GitHub App on an account, and its repositories appear here.</p>`
      : html`${searchBox("")}
          <h1>Repositories</h1>
          <p class="where">${summary(overview)}</p>
          ${table(overview, new Map(runs.map((run) => [run.id, run])))}
          ${hidden > 0 ? html`<p>${plural(hidden, "more repository", "more repositories")}: see <a href="/api/v1/repositories">the whole list</a>.</p>` : ""}`;
  return layout("Repositories", body);
}

/** How many there are, and of what a visitor may want to know at once. */
function summary({ repositories, failed, running, queued }: Overview): string {
  const parts = [
    plural(repositories, "repository", "repositories"),
    ...(failed > 0 ? [`${count(failed)} failed`] : []),
    ...(running > 0 ? [`${count(running)} being indexed`] : []),
    ...(queued > 0 ? [`${count(queued)} waiting`] : []),
  ];
  return parts.join(" · ");
}

function table({ rows }: Overview, runs: Map<string, RunView>): Html {
  return html`<table>
    <thead>
      <tr><th>Repository</th><th>State</th><th>Indexed</th><th>On</th><th>Files</th></tr>
    </thead>
    <tbody>
      ${rows.map(
        ({ repository: { id, full_name, indexed, archived }, run_id }) => html`<tr>
          <td><a href="/repositories/${id}">${full_name}</a>${archived ? html` <span class="state">archived</span>` : ""}</td>
          <td>${stateOf(runs.get(run_id ?? ""))}</td>
          <td>${indexed ? commitOf(indexed) : "not yet"}</td>
          <td>${indexed ? time(indexed.at) : ""}</td>
          <td>${indexed ? count(indexed.files) : ""}</td>
        </tr>`,
      )}
    </tbody>
  </table>`;
}

/** What is searched, and a word where it is not proven to be the commit. */
function commitOf(indexed: NonNullable<RepositoryView["indexed"]>): Html {
  return html`${commit(indexed.commit)}${indexed.verified ? "" : html` <span class="state">unverified</span>`}`;
}

function stateOf(run: RunView | undefined): Html {
  if (!run) return html``;
  const state = html`<a class="state ${run.state}" href="/runs/${run.id}">${run.state}</a>`;
  return html`${state} ${about(run)}`;
}

/** What a person wants to know of it in a few words. */
function about({ state, stage, progress, reason, wait_reason, position }: RunView): string {
  if (state === "failed") return reason ?? "";
  if (state === "queued") return wait_reason ?? (position === null ? "" : `number ${position} in line`);
  if (state !== "running") return "";
  const { files_done: done, files_total: total } = progress;
  if (done === undefined || total === undefined) return stage ?? "starting";
  return `${stage ?? "reading"}: ${count(done)} of ${plural(total, "file")}`;
}
