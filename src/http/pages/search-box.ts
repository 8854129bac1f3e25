import { html } from "hono/html";
import type { Html } from "./layout.ts";

/** Where a query is written; it begins with `text`. */
export function searchBox(text: string, options: { invalid?: boolean } = {}): Html {
  const invalid = options.invalid ? html` aria-invalid="true" aria-describedby="mistake"` : "";
  return html`<form class="search" action="/search" role="search">
    <input
      type="search" name="q" value="${text}" aria-label="Search" placeholder='Words, "a text", /regex/'
      autocomplete="off" autocapitalize="off" spellcheck="false" ${invalid}
    />
    <button>Search</button>
  </form>`;
}
