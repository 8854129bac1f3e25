import { html } from "hono/html";
import type { FileState } from "../../database/schema.ts";
import type { FileView } from "../../scan/read.ts";
import { SETTINGS_PATH } from "../../scan/settings.ts";
import { fileAddress, marked } from "./code.ts";
import type { Html } from "./html.ts";
import { emptyState, english } from "./marks.ts";
import { filesAddress } from "./repository-files.ts";
import { mistakes, type RepositoryFrame, repositoryFrame } from "./repository-frame.ts";
import type { View } from "./view.ts";

type Problem = Exclude<FileState, "indexed">;

/** What somebody should look at, and what is so on purpose; the weightiest first. */
const LOOK: Problem[] = ["unreadable", "encoding"];
const BY_DESIGN: Problem[] = ["oversize", "excluded", "lfs", "binary", "submodule", "symlink"];

/** The tab of what of a repository is not indexed, grouped by why; `files` are the first few of each state. */
export function repositoryProblemsPage(view: View, frame: RepositoryFrame, files: FileView[]): Html {
  const byState = Map.groupBy(files, ({ state }) => state);
  const { problemList: words } = view.messages;
  const { faults } = frame.repository.configuration;
  const isClear = faults.length === 0 && files.length === 0;
  const content = isClear
    ? frame.repository.indexed
      ? emptyState(words.none, words.noneHint)
      : emptyState(view.messages.fileList.noneAtAll)
    : html`${faults.length > 0 ? configuration(view, faults) : ""}
      ${groups(view, frame, { title: words.look, states: LOOK, byState })}
      ${groups(view, frame, { title: words.byDesign, states: BY_DESIGN, byState })}`;
  return repositoryFrame(view, frame, { tab: "problems", content });
}

function configuration(view: View, faults: RepositoryFrame["repository"]["configuration"]["faults"]): Html {
  const { problemList: words, repository } = view.messages;
  return html`<section class="problems" id="problems-configuration">
        <h2>${words.configuration} <span class="badge warn">${view.messages.number(faults.length)}</span></h2>
        <p class="advice"><code>${SETTINGS_PATH}</code>: ${repository.lastGood}</p>
        ${mistakes(view, faults)}
      </section>`;
}

function groups(
  view: View,
  frame: RepositoryFrame,
  { title, states, byState }: { title: string; states: Problem[]; byState: Map<FileState, FileView[]> },
): Html {
  const there = states.filter((state) => (byState.get(state) ?? []).length > 0);
  if (there.length === 0) return html``;
  return html`<h2 class="over">${title}</h2>
      ${there.map((state) => group(view, frame, { state, files: byState.get(state) ?? [] }))}`;
}

function group(
  view: View,
  { repository, problems }: RepositoryFrame,
  { state, files }: { state: Problem; files: FileView[] },
): Html {
  const { messages } = view;
  const { title, advice } = messages.problemList.states[state];
  const count = problems[state] ?? files.length;
  return html`<section class="problems" id="problems-${state}">
        <h3>${title} <span class="badge${LOOK.includes(state) ? " warn" : ""}">${messages.number(count)}</span></h3>
        <p class="advice">${advice}</p>
        <ul>${files.map((file) => html`<li><a class="path" href="${fileAddress({ repository_id: repository.id, ...file })}"><bdi>${marked(file.path)}</bdi></a>${file.reason ? html` <small>${english(view, file.reason)}</small>` : ""}</li>`)}</ul>
        ${count > files.length ? html`<p class="all"><a href="${filesAddress(repository.id, { state })}">${messages.problemList.all(count)}</a></p>` : ""}
      </section>`;
}
