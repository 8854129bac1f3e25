import { html } from "hono/html";
import type { Html } from "./html.ts";
import { icon } from "./icons.ts";
import type { Messages } from "./messages/en.ts";
import type { View } from "./view.ts";

/** What a form led to: the address of the page that follows names it, and the page says it in words. */
export type NoticeName = keyof Messages["notices"];

/** The address of a page that begins with a notice. */
export function withNotice(address: string, name: NoticeName): string {
  return `${address}?${new URLSearchParams({ notice: name })}`;
}

/** What the request's address says has happened, if it is something that can have. */
export function notice({ messages: { notices }, path }: View): Html {
  const name = new URL(path, "http://localhost").searchParams.get("notice") ?? "";
  if (!isNotice(name, notices)) return html``;
  return html`<p class="notice" role="status">${icon("info")}<span>${notices[name]}</span></p>`;
}

function isNotice(name: string, notices: Messages["notices"]): name is NoticeName {
  return Object.hasOwn(notices, name);
}
