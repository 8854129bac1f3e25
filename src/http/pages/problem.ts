import { html } from "hono/html";
import type { Problem } from "../problem.ts";
import type { Html } from "./html.ts";
import { layout } from "./layout.ts";
import { english } from "./marks.ts";
import type { View } from "./view.ts";

/** An error for a reader of pages, and the way back. */
export function problemPage(view: View, { status, title, message }: Problem): Html {
  const { problem } = view.messages;
  const name = view.language === "en" ? title : (problem.titles[status] ?? title);
  const body = html`<div class="problem">
    <h1>${name}</h1>
    <p role="alert">${english(view, message)}</p>
    ${view.caller ? html`<p class="ways"><a class="button" href="/">${problem.home}</a> <a class="button" href="/search">${problem.search}</a></p>` : ""}
  </div>`;
  return layout(view, { title: name, body });
}
