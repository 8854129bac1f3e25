import { html } from "hono/html";
import type { RepositoryView } from "../../installations/read.ts";
import type { FileContent } from "../../scan/read.ts";
import { makeVisible } from "../../visible.ts";
import { permalink } from "../permalink.ts";
import { LINES_OF_PAGE, marked, onGitHub, pageAddress } from "./code.ts";
import { commit, count, type Html, layout, plural } from "./layout.ts";

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
export function filePage(file: FileContent, options: FilePageOptions): Html {
  const { repository, path_base64, start, githubWebUrl } = options;
  const { full_name } = repository;
  const at = { repository: full_name, commit: file.commit, path: file.path, path_base64 };
  const url = permalink(githubWebUrl, at, start > 1 ? start : null);
  const body = html`<h1 class="path"><bdi>${marked(file.path)}</bdi></h1>
    <p class="where">
      <a href="/repositories/${repository.id}">${full_name}</a><span>at ${commit(file.commit)}</span>
      ${file.language ? html`<span>${file.language}</span>` : ""} ${onGitHub(url)}
    </p>
    ${file.state === "indexed" ? content(file, options) : notIndexed(file)}`;
  return layout(`${makeVisible(file.path)} · ${full_name}`, body);
}

function notIndexed({ state, reason }: FileContent): Html {
  return html`<p class="outcome warn">
    Not indexed: ${marked(reason ?? `${state}.`)} <span class="state">${state}</span>
  </p>`;
}

function content(file: FileContent, options: FilePageOptions): Html {
  if (file.total_lines === 0) return html`<p>The file is empty.</p>`;
  const lines = splitLines(file.text);
  const pages = file.total_lines > LINES_OF_PAGE ? pageLinks(file, options) : "";
  return html`${pages}
    <table class="code whole">
      ${lines.map((line, i) => lineRow(options.start + i, line))}
    </table>
    ${pages}`;
}

/** The lines of a text, without their ends. */
function splitLines(text: string): string[] {
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  return lines.map((line) => (line.endsWith("\r") ? line.slice(0, -1) : line));
}

function lineRow(number: number, line: string): Html {
  const rest = line.length - COLUMNS_SHOWN;
  const more = rest > 0 ? html` <small>… and ${plural(rest, "more character")}</small>` : "";
  return html`<tr id="L${number}"><td><a href="#L${number}">${number}</a></td><td>${marked(line.slice(0, COLUMNS_SHOWN))}${more}</td></tr>
    `;
}

function pageLinks(file: FileContent, { repository, path_base64, start }: FilePageOptions): Html {
  const end = Math.min(file.total_lines, start + LINES_OF_PAGE - 1);
  const place = { repository_id: repository.id, path: file.path, path_base64 };
  const link = (line: number, rel: "prev" | "next") =>
    html`<a href="${pageAddress(place, line)}" rel="${rel}">${rel === "prev" ? "Previous lines" : "Next lines"}</a>`;
  return html`<p class="pages">
    ${start > 1 ? link(Math.max(1, start - LINES_OF_PAGE), "prev") : ""}
    Lines ${count(start)} to ${count(end)} of ${count(file.total_lines)}
    ${end < file.total_lines ? link(end + 1, "next") : ""}
  </p>`;
}
