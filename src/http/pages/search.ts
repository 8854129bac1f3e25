import { html } from "hono/html";
import { QuerySyntaxError } from "../../search/query-error.ts";
import type { FoundFile, Incomplete, SearchAnswer } from "../../search/search.ts";
import { makeVisible } from "../../visible.ts";
import { permalink } from "../permalink.ts";
import { fileAddress, marked, onGitHub } from "./code.ts";
import { caseToggle, filtersOf, narrowed } from "./filters.ts";
import type { Html } from "./html.ts";
import { icon } from "./icons.ts";
import { layout } from "./layout.ts";
import { commit, emptyState, english, tag } from "./marks.ts";
import { searchBox } from "./search-box.ts";
import type { View } from "./view.ts";

/** Repositories that are named where their files may be missing. */
export const REPOSITORIES_NAMED = 10;
const SUGGESTED = 6;

/** What is shown below a query: nothing where nothing is asked. */
export type SearchOutcome = SearchAnswer | QuerySyntaxError | null;

export interface SearchPageOptions {
  outcome: SearchOutcome;
  /** This is not the answer's first page. */
  isLater: boolean;
  /** What the first of the repositories are called that are not indexed whole, by their ids. */
  names: ReadonlyMap<string, string>;
  githubWebUrl: string;
}

/** A query, and what is found. */
export function searchPage(view: View, text: string, { outcome, ...options }: SearchPageOptions): Html {
  const { search: words } = view.messages;
  const isMistake = outcome instanceof QuerySyntaxError;
  const body = html`<h1 class="hidden-visually">${words.title}</h1>
    ${searchBox(view, { text, invalid: isMistake, large: true })}
    ${outcome === null ? help(view) : isMistake ? mistake(view, text, outcome) : answer(view, text, { outcome, ...options })}`;
  const title = text.trim() === "" ? words.title : `${makeVisible(text)} · ${words.title}`;
  return layout(view, { title, body, hasSearch: true });
}

function help({ messages: { search: words } }: View): Html {
  return html`<table class="help">
    <thead>
      <tr><th>${words.write}</th><th>${words.finds}</th></tr>
    </thead>
    <tbody>
      ${Object.entries(words.help).map(([query, meaning]) => html`<tr><td><a href="${searchAddress(query)}"><code>${query}</code></a></td><td>${meaning}</td></tr>`)}
    </tbody>
  </table>`;
}

/** What is wrong with a query, under the place where it is. */
function mistake(view: View, text: string, { message, span: { start, end } }: QuerySyntaxError): Html {
  // What is missing has no width of its own.
  const place = start === end ? "\u00a0" : text.slice(start, end);
  return html`<div class="notice bad" id="mistake" role="alert">${icon("cross")}<div>
      <pre class="query">${marked(text.slice(0, start))}<u>${marked(place)}</u>${marked(text.slice(end))}</pre>
      <p>${english(view, makeVisible(message))}</p></div>
    </div>
    ${help(view)}`;
}

interface Answered extends Omit<SearchPageOptions, "outcome"> {
  outcome: SearchAnswer;
}

function answer(view: View, text: string, { outcome, isLater, names, githubWebUrl }: Answered): Html {
  const { data, next_cursor, incomplete, ...total } = outcome;
  const { search: words, layout: common } = view.messages;
  return html`${chips(view, text)}
    ${incomplete ? notice(view, incomplete, names) : ""}
    ${
      data.length === 0
        ? nothing(view, text, { isLater, isWhole: incomplete === null })
        : html`<div class="answer-head"><p class="total">${words.total(total.estimated_total, total.total_is_exact)}</p>${suggestions(view, text, data)}</div>`
    }
    ${data.map((file) => found(view, file, githubWebUrl))}
    ${next_cursor === null ? "" : html`<nav class="pages"><a href="${searchAddress(text, next_cursor)}" rel="next">${common.next}</a></nav>`}`;
}

function searchAddress(q: string, cursor: string | null = null): string {
  return `/search?${new URLSearchParams({ q, ...(cursor !== null && { cursor }) })}`;
}

/** The query's filters, each a link to the query without it, and whether it tells capital letters from small ones. */
function chips({ messages: { search: words } }: View, text: string): Html {
  const { isCaseSensitive, other } = caseToggle(text);
  return html`<ul class="chips" aria-label="${words.filters}">
      ${filtersOf(text).map(
        (filter) =>
          html`<li><a class="chip on" href="${searchAddress(filter.without)}" aria-label="${words.remove(makeVisible(filter.text))}">${marked(filter.text)}${icon("remove")}</a></li>`,
      )}
      <li><a class="chip${isCaseSensitive ? " on" : ""}" href="${searchAddress(other)}"><b aria-hidden="true">Aa</b> ${isCaseSensitive ? words.caseOn : words.caseOff}</a></li>
    </ul>`;
}

/** What of the files shown would make the query narrower, where they differ in it. */
function suggestions(view: View, text: string, data: FoundFile[]): Html {
  const { search: words } = view.messages;
  const languages = distinct(data.map(({ language }) => language));
  const repositories = distinct(data.map(({ repository }) => repository));
  const list = (name: string, qualifier: "lang" | "repo", values: string[]) =>
    values.length < 2
      ? ""
      : html`<li class="of">${name}</li>${values.slice(0, SUGGESTED).map((value) => html`<li><a class="chip" href="${searchAddress(narrowed(text, qualifier, value))}">${value}</a></li>`)}`;
  if (languages.length < 2 && repositories.length < 2) return html``;
  return html`<ul class="chips narrow" aria-label="${words.narrow}">${list(words.languages, "lang", languages)}${list(words.inRepositories, "repo", repositories)}</ul>`;
}

/** The values that there are, the most frequent first. */
function distinct(values: (string | null)[]): string[] {
  const groups = Map.groupBy(
    values.filter((value) => value !== null),
    (value) => value,
  );
  return [...groups].toSorted(([, a], [, b]) => b.length - a.length).map(([value]) => value);
}

/** Why something may be missing. */
function notice(
  { messages: { search: words } }: View,
  { reason, repositories }: Incomplete,
  names: ReadonlyMap<string, string>,
): Html {
  const shown = repositories.slice(0, REPOSITORIES_NAMED);
  const links = shown.map((id) => html` <a href="/repositories/${id}"><bdi>${names.get(id) ?? id}</bdi></a>`);
  const more = shown.length < repositories.length ? words.andOthers : "";
  return html`<div class="notice warn" role="status">${icon("warning")}<div>
    ${reason === "time_box" ? html`<p>${words.timeBox}</p>` : ""}
    ${repositories.length > 0 ? html`<p>${words.notWhole(repositories.length)}${links}${more}</p>` : ""}
  </div></div>`;
}

function nothing(
  view: View,
  text: string,
  { isLater, isWhole }: { isLater: boolean; isWhole: boolean },
): Html {
  const { search: words } = view.messages;
  if (isLater) return emptyState(words.noMore);
  if (!isWhole) return emptyState(words.nothingSoFar);
  const filters = filtersOf(text).filter(({ without }) => without !== "");
  const links = filters.map(
    (filter) => html` <a href="${searchAddress(filter.without)}">${marked(filter.text)}</a>`,
  );
  const more =
    links.length > 0 ? html`${words.nothingHint} ${words.withoutFilter}${links}` : words.nothingHint;
  return emptyState(words.nothing, more);
}

function found(view: View, file: FoundFile, githubWebUrl: string): Html {
  const { messages } = view;
  const first = file.lines.find(({ match }) => match)?.number ?? null;
  const url = permalink(githubWebUrl, file, first);
  return html`<section class="file">
    <header><h2><a href="${fileAddress(file, first)}"><bdi class="in">${file.repository}</bdi><span class="in">/</span><bdi>${marked(file.path, file.path_ranges)}</bdi></a></h2>
      <p class="where">${file.language ? html`<span>${file.language}</span>` : ""}
      ${file.state === "indexed" ? "" : tag(messages.fileList.states[file.state])}
      ${commit(file.commit)} ${onGitHub(view, url)}</p></header>
    ${file.lines.length > 0 ? lines(file) : ""}
    ${file.more_lines > 0 ? html`<p class="more-lines"><a href="${fileAddress(file)}">${messages.search.moreLines(file.more_lines)}</a></p>` : ""}
  </section>`;
}

function lines(file: FoundFile): Html {
  return html`<table class="code">
    ${file.lines.map(({ number, text, offset, ranges, match }, i) => {
      const isApart = i > 0 && file.lines[i - 1]?.number !== number - 1;
      return html`${isApart ? html`<tr class="gap"><td>⋯</td><td></td></tr>` : ""}<tr class="${match ? "hit" : "near"}">
        <td><a href="${fileAddress(file, number)}">${number}</a></td>
        <td>${offset > 0 ? "…" : ""}${marked(text, ranges)}</td>
      </tr>`;
    })}
  </table>`;
}
