import { html } from "hono/html";
import type { ApiToken } from "../../access/tokens.ts";
import { type Html, layout } from "./layout.ts";

export function settingsPage(
  tokens: ApiToken[],
  { created, faults }: { created: string | null; faults: Record<string, string> },
): Html {
  return layout(
    "Settings",
    html`<h1>Settings</h1>${created === null ? "" : html`<input readonly name="created" value="${created}" />`}
      ${Object.values(faults).map((fault) => html`<p role="alert">${fault}</p>`)}
      ${tokens.map(({ id, name }) => html`<p data-token="${id}">${name}</p>`)}`,
  );
}
