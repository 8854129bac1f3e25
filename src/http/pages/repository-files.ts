import { html } from "hono/html";
import type { FileState } from "../../database/schema.ts";
import type { FileView } from "../../scan/read.ts";
import { fileAddress, marked } from "./code.ts";
import type { Html } from "./html.ts";
import { emptyState, size, tag } from "./marks.ts";
import { type RepositoryFrame, repositoryFrame } from "./repository-frame.ts";
import type { View } from "./view.ts";

/** What the list is narrowed to. */
export interface FileFilter {
  path: string | null;
  language: string | null;
  state: FileState | null;
}

export interface FilesOptions {
  files: FileView[];
  filter: FileFilter;
  languages: { language: string; files: number }[];
  states: readonly FileState[];
  /** Where the next page begins, or null. */
  next: string | null;
  isLater: boolean;
}

/** The tab of a repository's files at the indexed commit. */
export function repositoryFilesPage(view: View, frame: RepositoryFrame, options: FilesOptions): Html {
  return repositoryFrame(view, frame, {
    tab: "files",
    content: html`${filterForm(view, frame, options)}${fileTable(view, frame, options)}`,
  });
}

/** The address of a repository's files, narrowed. */
export function filesAddress(repositoryId: string, narrow: Partial<Record<string, string | null>>): string {
  const given = Object.entries(narrow).filter((entry): entry is [string, string] => !!entry[1]);
  const query = new URLSearchParams(given).toString();
  return `/repositories/${repositoryId}/files${query === "" ? "" : `?${query}`}`;
}

function filterForm(
  view: View,
  { repository }: RepositoryFrame,
  { filter, languages, states }: FilesOptions,
): Html {
  const { fileList: words, layout } = view.messages;
  const isListed = filter.language === null || languages.some(({ language }) => language === filter.language);
  const choices = isListed ? languages : [{ language: filter.language ?? "", files: 0 }, ...languages];
  return html`<form class="filter" action="/repositories/${repository.id}/files">
        <label class="wide">${words.path}<input name="path" value="${filter.path ?? ""}" placeholder="${words.pathHint}" autocomplete="off" spellcheck="false"></label>
        <label>${words.language}<select name="language"><option value="">${words.any}</option>${choices.map(({ language }) => option(language, language, filter.language))}</select></label>
        <label>${words.state}<select name="state"><option value="">${words.any}</option>${states.map((state) => option(state, words.states[state], filter.state))}</select></label>
        <button>${layout.apply}</button>
      </form>`;
}

function option(value: string, text: string, chosen: string | null): Html {
  return html`<option value="${value}"${value === chosen ? html` selected` : ""}>${text}</option>`;
}

function fileTable(
  view: View,
  { repository }: RepositoryFrame,
  { files, filter, next, isLater }: FilesOptions,
): Html {
  const { fileList: words, layout } = view.messages;
  const isNarrow = Object.values(filter).some((value) => value !== null);
  if (files.length === 0 && !isNarrow && !isLater) return emptyState(words.noneAtAll);
  if (files.length === 0)
    return emptyState(words.none, html`<a href="${filesAddress(repository.id, {})}">${words.clear}</a>`);
  const first = filesAddress(repository.id, { ...filter });
  return html`<table class="files">
        <thead><tr><th>${words.path}</th><th>${words.language}</th><th>${words.state}</th><th class="number">${words.size}</th></tr></thead>
        <tbody>${files.map((file) => fileRow(view, repository.id, file))}</tbody>
      </table>
      ${
        isLater || next !== null
          ? html`<nav class="pages">${isLater ? html`<a href="${first}">${layout.first}</a>` : ""}
        ${next === null ? "" : html`<a href="${filesAddress(repository.id, { ...filter, cursor: next })}" rel="next">${layout.next}</a>`}</nav>`
          : ""
      }`;
}

function fileRow({ messages: { fileList: words } }: View, repositoryId: string, file: FileView): Html {
  return html`<tr>
          <td class="path"><a href="${fileAddress({ repository_id: repositoryId, ...file })}"><bdi>${marked(file.path)}</bdi></a></td>
          <td>${file.language ?? ""}</td>
          <td>${file.state === "indexed" ? html`<span class="quiet">${words.states.indexed}</span>` : tag(words.states[file.state])} ${file.generated ? tag(words.generated) : ""} ${file.vendored ? tag(words.vendored) : ""}</td>
          <td class="number">${file.size === null ? "" : size(file.size)}</td>
        </tr>`;
}
