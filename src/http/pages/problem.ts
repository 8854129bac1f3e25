import { html } from "hono/html";
import type { Problem } from "../problem.ts";
import { type Html, layout } from "./layout.ts";

/** An error for a reader of pages. */
export function problemPage({ title, message }: Problem): Html {
  return layout(title, html`<h1>${title}</h1><p role="alert">${message}</p>`);
}
