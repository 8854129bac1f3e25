import { html } from "hono/html";
import type { RepositoryView } from "../../installations/read.ts";
import type { RunView } from "../../runs/read.ts";
import { isFinal } from "../../runs/run.ts";
import type { FileView } from "../../scan/read.ts";
import { DEFAULT_SETTINGS, SETTINGS_PATH, type Settings } from "../../scan/settings.ts";
import { commit, count, type Html, layout, plural, size, time } from "./layout.ts";
import { searchBox } from "./search-box.ts";

const REFRESH_SECONDS = 2;

/** A repository: what its index is, what runs, what could not be read. `runs` come newest first. */
export function repositoryPage(
  repository: RepositoryView,
  { runs, problems }: { runs: RunView[]; problems: FileView[] },
): Html {
  const isActive = runs.some((run) => !isFinal(run.state));
  const body = html`
    <h1>${repository.full_name}${repository.archived ? html` <span class="state">archived</span>` : ""}</h1>
    ${searchIn(repository, isActive)} ${indexed(repository)} ${configuration(repository)} ${problems.length > 0 ? problemTable(problems) : ""}
    <h2>Runs</h2>
    ${runTable(runs)}
  `;
  return layout(repository.full_name, body, isActive ? { refreshSeconds: REFRESH_SECONDS } : {});
}

/** A page that is asked for again and again would forget what is written on it. */
function searchIn({ full_name, indexed: index }: RepositoryView, isActive: boolean): Html {
  const text = `repo:${full_name} `;
  if (!index) return html``;
  return isActive
    ? html`<p><a href="/search?${new URLSearchParams({ q: text })}">Search in it</a></p>`
    : searchBox(text);
}

function indexed({ id, indexed: index, default_branch, configuration: { branch } }: RepositoryView): Html {
  const indexedBranch = branch ?? default_branch;
  if (!index) return html`<p class="outcome">Nothing is indexed yet.</p>`;
  return html`<p class="outcome ${index.verified ? "good" : "warn"}">
      Indexed at ${commit(index.commit)}${indexedBranch ? ` of ${indexedBranch}` : ""} on ${time(index.at)};
      ${index.verified ? html`tree <code>${index.tree_sha}</code> verified.` : "its file list could not be verified."}
    </p>
    <p>
      <a href="/api/v1/repositories/${id}/files">${plural(index.files, "indexed file")}</a>,
      ${plural(index.chunks, "chunk")}, ${size(index.bytes)}.
    </p>`;
}

/** What of `.github/repodex.yml` is in force, in a line. */
function configuration({ configuration: { faults, ...settings } }: RepositoryView): Html {
  const said = Object.entries(settings).flatMap(([name, value]) => {
    const isDefault = JSON.stringify(value) === JSON.stringify(DEFAULT_SETTINGS[name as keyof Settings]);
    return isDefault ? [] : `${name}: ${Array.isArray(value) ? value.join(", ") : value}`;
  });
  const inForce = said.length > 0 ? html`<code>${said.join("; ")}</code>` : "the defaults";
  if (faults.length === 0) return html`<p>Configuration: ${inForce}.</p>`;
  return html`<p class="outcome warn">
    Configuration: ${inForce}. <code>${SETTINGS_PATH}</code> has ${plural(faults.length, "mistake")} and is not in force;
    the first, in line ${faults[0]?.line}: ${faults[0]?.message}
  </p>`;
}

function problemTable(problems: FileView[]): Html {
  return html`<h2>Not readable</h2>
    <table>
      <thead>
        <tr><th>File</th><th>Why</th></tr>
      </thead>
      <tbody>
        ${problems.map((file) => html`<tr><td><code>${file.path}</code></td><td>${file.reason}</td></tr>`)}
      </tbody>
    </table>`;
}

/** Runs as rows, each with its reason where it has one. */
function runTable(runs: RunView[]): Html {
  if (runs.length === 0) return html`<p>No run yet.</p>`;
  return html`<table>
    <thead>
      <tr><th>Run</th><th>State</th><th>Commit</th><th>Why</th><th>Queued</th><th>Files</th><th></th></tr>
    </thead>
    <tbody>
      ${runs.map(
        (run) => html`<tr>
          <td><a href="/runs/${run.id}">${run.id}</a></td>
          <td><span class="state ${run.state}">${run.state}</span></td>
          <td>${run.head_sha ? commit(run.head_sha) : ""}</td>
          <td>${run.trigger}</td>
          <td>${time(run.queued_at)}</td>
          <td>${run.progress.files_total === undefined ? "" : count(run.progress.files_total)}</td>
          <td>${run.reason ?? run.wait_reason ?? ""}</td>
        </tr>`,
      )}
    </tbody>
  </table>`;
}
