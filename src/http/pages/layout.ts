import { html, raw } from "hono/html";
import { assetAddress } from "./assets.ts";
import type { Html } from "./html.ts";
import { icon } from "./icons.ts";
import { searchBox } from "./search-box.ts";
import type { View } from "./view.ts";

/** How often a page of what lives is asked for again where no script does it. */
const REFRESH_SECONDS = 5;

export interface Page {
  title: string;
  body: Html;
  /** The stream that says when the page's marked parts have changed; absent for what does not change. */
  live?: string | null;
  /** It changes just now: without a script it is asked for again, which would take from its reader what is typed. */
  isMoving?: boolean;
  /** The page has its own box to search in. */
  hasSearch?: boolean;
}

/** A whole page. */
export function layout(
  view: View,
  { title, body, live = null, isMoving = false, hasSearch = false }: Page,
): Html {
  return html`<!doctype html>
<html lang="${view.language}">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>${title} · Repodex</title>
    <link rel="icon" href="${assetAddress("icon.svg")}" type="image/svg+xml">
    <link rel="stylesheet" href="${assetAddress("style.css")}">
    ${view.caller ? html`<script type="module" src="${assetAddress("live.js")}"></script>` : ""}
    ${isMoving ? refresh(view) : ""}
  </head>
  <body>
    <a class="skip" href="#main">${view.messages.layout.skip}</a>
    ${header(view, hasSearch)}
    <main id="main">${body}</main>
    ${live === null ? "" : html`<live-region src="${live}"><p role="status" hidden>${icon("warning")}${view.messages.layout.offline}</p></live-region>`}
  </body>
</html>`;
}

/** What is asked for again tells no second time of what was done just then. */
function refresh({ path }: View): Html {
  const url = new URL(path, "http://localhost");
  url.searchParams.delete("notice");
  return html`<noscript><meta http-equiv="refresh" content="${REFRESH_SECONDS};url=${url.pathname}${url.search}"></noscript>`;
}

function header(view: View, hasSearch: boolean): Html {
  const brand = html`<a class="brand" href="/"><span class="logo">${icon("brand")}</span>Repodex</a>`;
  if (!view.caller) return html`<header class="top">${brand}</header>`;
  return html`<header class="top">
      ${brand}
      ${hasSearch ? "" : searchBox(view)}
      ${navigation(view)}
    </header>`;
}

function navigation({ caller, messages: { layout }, path }: View): Html {
  const link = (address: string, text: string) =>
    html`<a href="${address}"${path.split("?")[0] === address ? raw(' aria-current="page"') : ""}>${text}</a>`;
  const user = caller?.user;
  return html`<nav aria-label="${layout.navigation}">
        ${link("/", layout.repositories)}
        ${caller?.isOperator ? link("/deliveries", layout.deliveries) : ""}
        ${user ? link("/settings", layout.settings) : ""}
        ${user ? html`<span class="who">${user.login}</span><form method="post" action="/sign-out"><button class="plain">${layout.signOut}</button></form>` : ""}
      </nav>`;
}
