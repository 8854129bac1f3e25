import { html } from "hono/html";
import type { RepositoryView } from "../../installations/read.ts";
import { commit, count, type Html, layout, time } from "./layout.ts";
import { searchBox } from "./search-box.ts";

/** The repositories that can be read here; `more` says that there are others. */
export function homePage(repositories: RepositoryView[], { more }: { more: boolean }): Html {
  const body =
    repositories.length === 0
      ? html`<h1>Repositories</h1>
          <p>None yet. Install the GitHub App on an account, and its repositories appear here.</p>`
      : html`${searchBox("")}
          <h1>Repositories</h1>
          ${table(repositories)}
          ${more ? html`<p>There are more: see <a href="/api/v1/repositories">the whole list</a>.</p>` : ""}`;
  return layout("Repositories", body);
}

function table(repositories: RepositoryView[]): Html {
  return html`<table>
    <thead>
      <tr><th>Repository</th><th>Indexed</th><th>On</th><th>Files</th></tr>
    </thead>
    <tbody>
      ${repositories.map(
        ({ id, full_name, indexed }) => html`<tr>
          <td><a href="/repositories/${id}">${full_name}</a></td>
          <td>${indexed ? commit(indexed.commit) : "not yet"}</td>
          <td>${indexed ? time(indexed.at) : ""}</td>
          <td>${indexed ? count(indexed.files) : ""}</td>
        </tr>`,
      )}
    </tbody>
  </table>`;
}
