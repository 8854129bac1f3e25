import { html } from "hono/html";
import { QuerySyntaxError } from "../../search/query-error.ts";
import type { FoundFile, Incomplete, SearchAnswer } from "../../search/search.ts";
import { makeVisible } from "../../visible.ts";
import { permalink } from "../permalink.ts";
import { fileAddress, marked, onGitHub } from "./code.ts";
import { commit, type Html, layout, plural } from "./layout.ts";
import { searchBox } from "./search-box.ts";

const REPOSITORIES_NAMED = 10;

/** What is shown below a query: nothing where nothing is asked. */
export type SearchOutcome = SearchAnswer | QuerySyntaxError | null;

export interface SearchPageOptions {
  outcome: SearchOutcome;
  /** This is not the answer's first page. */
  isLater: boolean;
  githubWebUrl: string;
}

/** A query, and what is found: a page without a script. */
export function searchPage(text: string, { outcome, ...options }: SearchPageOptions): Html {
  const isMistake = outcome instanceof QuerySyntaxError;
  const body = html`<h1>Search</h1>
    ${searchBox(text, { invalid: isMistake })}
    ${outcome === null ? help() : isMistake ? mistake(text, outcome) : answer(text, outcome, options)}`;
  return layout(text.trim() === "" ? "Search" : `${makeVisible(text)} · Search`, body);
}

const HELP: [string, string][] = [
  ["createServer", "with this in a line, or in the path; whole words come first"],
  ["http server", "with both, not necessarily in one line"],
  ['"http server"', "with exactly this text in a line"],
  ["/create(Http)?Server\\(/", "with a line in which this regular expression matches"],
  ["foo OR bar", "with one of them"],
  ["foo -bar", "with foo, and no line with bar"],
  ["repo:octocat/hello path:src/*.ts lang:ts foo", "in these places only"],
  ["foo case:yes", "with foo, but not Foo"],
];

function help(): Html {
  return html`<table class="help">
    <thead>
      <tr><th>Write</th><th>Finds files</th></tr>
    </thead>
    <tbody>
      ${HELP.map(([query, meaning]) => html`<tr><td><code>${query}</code></td><td>${meaning}</td></tr>`)}
    </tbody>
  </table>`;
}

/** What is wrong with a query, under the place where it is. */
function mistake(text: string, { message, span: { start, end } }: QuerySyntaxError): Html {
  // What is missing has no width of its own.
  const place = start === end ? "\u00a0" : text.slice(start, end);
  return html`<div class="outcome bad" id="mistake" role="alert">
      <pre class="query">${marked(text.slice(0, start))}<u>${marked(place)}</u>${marked(text.slice(end))}</pre>
      <p>${marked(message)}</p>
    </div>
    ${help()}`;
}

function answer(
  text: string,
  { data, next_cursor, incomplete, ...total }: SearchAnswer,
  { isLater, githubWebUrl }: Omit<SearchPageOptions, "outcome">,
): Html {
  return html`${incomplete ? notice(incomplete) : ""}
    ${data.length === 0 ? nothing({ isLater, isWhole: incomplete === null }) : totalOf(total)}
    ${data.map((file) => found(file, githubWebUrl))}
    ${next_cursor === null ? "" : html`<p class="pages"><a href="/search?${new URLSearchParams({ q: text, cursor: next_cursor })}" rel="next">Next page</a></p>`}`;
}

function totalOf({
  estimated_total,
  total_is_exact,
}: Pick<SearchAnswer, "estimated_total" | "total_is_exact">): Html {
  return html`<p class="where">${total_is_exact ? "" : "about "}${plural(estimated_total, "file")}</p>`;
}

/** Why something may be missing. */
function notice({ message, repositories }: Incomplete): Html {
  const shown = repositories.slice(0, REPOSITORIES_NAMED);
  const named = shown.map((id, i) => html`${i > 0 ? ", " : ""}<a href="/repositories/${id}">${id}</a>`);
  return html`<p class="outcome warn" role="status">
    ${message} ${repositories.length > 0 ? html`<small>Not indexed whole yet, by id: ${named}${shown.length < repositories.length ? " and others" : ""}.</small>` : ""}
  </p>`;
}

function nothing({ isLater, isWhole }: { isLater: boolean; isWhole: boolean }): Html {
  if (isLater) return html`<p>There are no more files.</p>`;
  if (!isWhole) return html`<p>Nothing was found so far.</p>`;
  return html`<p>No file is like this. Fewer words, or a part of one, find more.</p>`;
}

function found(file: FoundFile, githubWebUrl: string): Html {
  const first = file.lines.find(({ match }) => match)?.number ?? null;
  const url = permalink(githubWebUrl, file, first);
  return html`<section class="file">
    <h2>
      <a href="${fileAddress(file, first)}"><bdi>${file.repository}</bdi>/<bdi>${marked(file.path, file.path_ranges)}</bdi></a>
    </h2>
    <p class="where">
      ${file.language ? html`<span>${file.language}</span>` : ""}
      ${file.state === "indexed" ? "" : html`<span class="state">${file.state}</span>`}
      ${commit(file.commit)} ${onGitHub(url)}
    </p>
    ${file.lines.length > 0 ? lines(file) : ""}
    ${file.more_lines > 0 ? html`<p class="more"><a href="${fileAddress(file)}">… and ${plural(file.more_lines, "more line")}</a></p>` : ""}
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
