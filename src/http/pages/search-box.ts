import { html } from "hono/html";
import type { Html } from "./html.ts";
import { icon } from "./icons.ts";
import type { View } from "./view.ts";

/** Where a query is written; it begins with `text`. */
export function searchBox(
  { messages: { search } }: View,
  { text = "", invalid = false, large = false }: { text?: string; invalid?: boolean; large?: boolean } = {},
): Html {
  const mistake = invalid ? html` aria-invalid="true" aria-describedby="mistake"` : "";
  return html`<form class="search${large ? " large" : ""}" action="/search" role="search">
    <label>${icon("search")}<input
      type="search" name="q" value="${text}" aria-label="${search.label}" placeholder="${search.placeholder}"
      title="${search.hint}" autocomplete="off" autocapitalize="off" spellcheck="false" aria-keyshortcuts="/"${mistake}
    ></label>
    <button>${search.button}</button>
  </form>`;
}
