import { html } from "hono/html";
import type { RepositoryView } from "../../installations/read.ts";
import type { FileContent } from "../../scan/read.ts";
import { makeVisible } from "../../visible.ts";
import { permalink } from "../permalink.ts";
import { LINES_OF_PAGE, marked, onGitHub, pageAddress } from "./code.ts";
import type { Html } from "./html.ts";
import { icon } from "./icons.ts";
import { layout } from "./layout.ts";
import { commit, emptyState, english, tag } from "./marks.ts";
import type { View } from "./view.ts";

/** A line is shown to here: no reader follows it further, and a browser does not either. */
const COLUMNS_SHOWN = 10_000;

interface FilePageOptions {
  repository: RepositoryView;
  path_base64: string | null;
  /** The first line that is shown. */
  start: number;
  githubWebUrl: string;
}

/** A file as it is indexed; `text` begins with line `start`. */
export function filePage(view: View, file: FileContent, options: FilePageOptions): Html {
  const { repository, path_base64, start, githubWebUrl } = options;
  const { full_name } = repository;
  const at = { repository: full_name, commit: file.commit, path: file.path, path_base64 };
  const url = permalink(githubWebUrl, at, start > 1 ? start : null);
  const body = html`<div class="heading"><div class="name">
      <p class="where"><a href="/repositories/${repository.id}"><bdi>${full_name}</bdi></a> <span>${view.messages.file.at(commit(file.commit))}</span></p>
      <h1 class="path"><bdi>${marked(file.path)}</bdi></h1>
      <p class="where">${file.language ? tag(file.language) : ""} ${onGitHub(view, url)}</p>
    </div></div>
    ${file.state === "indexed" ? content(view, file, options) : notIndexed(view, file)}`;
  return layout(view, { title: `${makeVisible(file.path)} · ${full_name}`, body });
}

function notIndexed(view: View, { state, reason }: FileContent): Html {
  const { file: words, fileList, problemList } = view.messages;
  const problem = state === "indexed" ? null : problemList.states[state];
  return html`<div class="notice warn">${icon("warning")}<div>
      <p>${words.notIndexed} ${english(view, makeVisible(reason ?? ""))} ${tag(fileList.states[state])}</p>
      ${problem ? html`<p class="advice">${problem.advice}</p>` : ""}</div></div>`;
}

function content(view: View, file: FileContent, options: FilePageOptions): Html {
  if (file.total_lines === 0) return emptyState(view.messages.file.empty);
  const lines = splitLines(file.text);
  const pages = file.total_lines > LINES_OF_PAGE ? pageLinks(view, file, options) : "";
  return html`${pages}
    <table class="code whole">
      ${lines.map((line, i) => lineRow(view, options.start + i, line))}
    </table>
    ${pages}`;
}

/** The lines of a text, without their ends. */
function splitLines(text: string): string[] {
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  return lines.map((line) => (line.endsWith("\r") ? line.slice(0, -1) : line));
}

function lineRow({ messages }: View, number: number, line: string): Html {
  const rest = line.length - COLUMNS_SHOWN;
  const more = rest > 0 ? html` <small>${messages.file.moreCharacters(rest)}</small>` : "";
  return html`<tr id="L${number}"><td><a href="#L${number}">${number}</a></td><td>${marked(line.slice(0, COLUMNS_SHOWN))}${more}</td></tr>
    `;
}

function pageLinks({ messages: { file: words } }: View, file: FileContent, options: FilePageOptions): Html {
  const { repository, path_base64, start } = options;
  const end = Math.min(file.total_lines, start + LINES_OF_PAGE - 1);
  const place = { repository_id: repository.id, path: file.path, path_base64 };
  const link = (line: number, rel: "prev" | "next") =>
    html`<a href="${pageAddress(place, line)}" rel="${rel}">${rel === "prev" ? words.previous : words.nextLines}</a>`;
  return html`<nav class="pages">
    ${start > 1 ? link(Math.max(1, start - LINES_OF_PAGE), "prev") : ""}
    <span>${words.lines(start, end, file.total_lines)}</span>
    ${end < file.total_lines ? link(end + 1, "next") : ""}
  </nav>`;
}
