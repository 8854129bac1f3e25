import { html } from "hono/html";
import { TOKEN_SCOPES, type TokenScope } from "../../access/tokens.ts";
import type { Html } from "./html.ts";
import { icon } from "./icons.ts";
import { layout } from "./layout.ts";
import { emptyState, tag, time } from "./marks.ts";
import { notice } from "./notice.ts";
import type { View } from "./view.ts";

/** How many days a token may be good for, and what it may. */
export const TOKEN_DAYS = [7, 30, 90, 365] as const;
export const MAX_TOKEN_NAME = 100;

/** A token as its owner sees it: never its text. */
export interface TokenRow {
  id: string;
  name: string;
  scope: TokenScope;
  created_at: Date;
  expires_at: Date;
  last_used_at: Date | null;
  /** Whose it is. */
  login: string;
}

/** A browser that is signed in. */
export interface SessionRow {
  id: string;
  created_at: Date;
  last_used_at: Date | null;
  is_current: boolean;
}

export interface SettingsOptions {
  tokens: TokenRow[];
  /** The token that the page comes before, or null for the newest. */
  before?: string | null;
  /** There are older ones. */
  hasMore?: boolean;
  /** The text of a token that was made just now, shown this once. */
  created: string | null;
  sessions?: SessionRow[];
  /** What was typed before, and a sentence for each field that will not do. */
  values?: { name?: string; scope?: string; days?: string };
  faults?: { name?: string; scope?: string; days?: string };
}

/** API tokens, and the browsers that are signed in. */
export function settingsPage(view: View, options: SettingsOptions): Html {
  const { settings: words } = view.messages;
  const body = html`<div class="heading"><div class="name"><h1>${words.title}</h1></div></div>
    ${notice(view)}
    <section class="settings">
      <h2>${words.tokens}</h2>
      <p class="where">${words.tokensIntro}</p>
      ${options.created === null ? "" : createdToken(view, options.created)}
      ${options.tokens.length === 0 ? emptyState(words.none) : tokenTable(view, options.tokens)}
      ${pages(view, options)}
      ${tokenForm(view, options)}
    </section>
    ${options.sessions === undefined ? "" : sessionTable(view, options.sessions)}`;
  return layout(view, { title: words.title, body });
}

function createdToken({ messages: { settings: words } }: View, text: string): Html {
  return html`<div class="notice good" role="status">${icon("check")}<div class="created">
        <label for="created"><b>${words.created}</b> ${words.createdOnce}</label>
        <input id="created" class="secret" readonly value="${text}" autocomplete="off" spellcheck="false">
      </div></div>`;
}

function tokenTable(view: View, tokens: TokenRow[]): Html {
  const { settings: words } = view.messages;
  const { columns } = words;
  const isShared = tokens.some(({ login }) => login !== view.caller?.user?.login);
  return html`<table class="tokens">
        <thead><tr><th>${columns.name}</th>${isShared ? html`<th>${columns.owner}</th>` : ""}<th>${columns.scope}</th><th>${columns.created}</th><th>${columns.expires}</th><th>${columns.used}</th><th><span class="hidden-visually">${words.revoke}</span></th></tr></thead>
        <tbody>${tokens.map((token) => tokenRow(view, token, isShared))}</tbody>
      </table>`;
}

function pages(
  { messages: { layout: words } }: View,
  { tokens, before = null, hasMore = false }: SettingsOptions,
): Html {
  if (before === null && !hasMore) return html``;
  const older = `/settings?${new URLSearchParams({ before: tokens.at(-1)?.id ?? "" })}`;
  return html`<nav class="pages">${before === null ? "" : html`<a href="/settings">${words.newest}</a>`}
        ${hasMore ? html`<a href="${older}" rel="next">${words.older}</a>` : ""}</nav>`;
}

function tokenRow(view: View, token: TokenRow, isShared: boolean): Html {
  const { settings: words } = view.messages;
  const { columns } = words;
  const { id, name, scope, created_at, expires_at, last_used_at, login } = token;
  return html`<tr>
          <td><b>${name}</b></td>${isShared ? html`<td>${login}</td>` : ""}
          <td>${words.scopes[scope]}</td>
          <td data-label="${columns.created}">${time(view, created_at)}</td>
          <td data-label="${columns.expires}">${expires_at <= view.now ? tag(words.expired) : time(view, expires_at)}</td>
          <td data-label="${columns.used}">${last_used_at ? time(view, last_used_at) : html`<span class="quiet">${words.never}</span>`}</td>
          <td class="number"><form method="post" action="/settings/tokens/${id}/revoke"><button class="danger" aria-label="${words.revokeOf(name)}">${words.revoke}</button></form></td>
        </tr>`;
}

function tokenForm(
  { messages: { settings: words } }: View,
  { values = {}, faults = {} }: SettingsOptions,
): Html {
  const days = values.days ?? "90";
  const scope = values.scope ?? "read";
  return html`<form class="new-token" method="post" action="/settings/tokens">
        <h3>${words.newToken}</h3>
        <p class="field"><label for="name">${words.name}</label>
          <input id="name" name="name" value="${values.name ?? ""}" required maxlength="${MAX_TOKEN_NAME}" autocomplete="off" aria-describedby="name-hint"${faults.name ? html` aria-invalid="true"` : ""}>
          ${fault(faults.name)}<small id="name-hint">${words.nameHint}</small></p>
        <fieldset><legend>${words.scope}</legend>
          ${TOKEN_SCOPES.map((value) => html`<label><input type="radio" name="scope" value="${value}"${value === scope ? html` checked` : ""}> ${words.scopes[value]}</label>`)}
          ${fault(faults.scope)}</fieldset>
        <p class="field"><label for="days">${words.days}</label>
          <select id="days" name="days">${TOKEN_DAYS.map((n) => html`<option value="${n}"${String(n) === days ? html` selected` : ""}>${words.daysOf(n)}</option>`)}</select>
          ${fault(faults.days)}</p>
        <button class="primary">${words.create}</button>
      </form>`;
}

function fault(sentence: string | undefined): Html {
  return sentence ? html`<strong role="alert">${sentence}</strong>` : html``;
}

function sessionTable(view: View, sessions: SessionRow[]): Html {
  const { settings: words } = view.messages;
  return html`<section class="settings">
      <h2>${words.sessions}</h2>
      <table>
        <thead><tr><th>${words.since}</th><th>${words.lastSeen}</th><th><span class="hidden-visually">${words.endSession}</span></th></tr></thead>
        <tbody>${sessions.map(
          ({ id, created_at, last_used_at, is_current }) => html`<tr>
          <td>${time(view, created_at)}</td><td>${last_used_at ? time(view, last_used_at) : ""}</td>
          <td class="number">${is_current ? tag(words.thisSession) : html`<form method="post" action="/settings/sessions/${id}/end"><button>${words.endSession}</button></form>`}</td>
        </tr>`,
        )}</tbody>
      </table>
    </section>`;
}
