import { html } from "hono/html";
import type { Html } from "./html.ts";
import { layout } from "./layout.ts";
import type { View } from "./view.ts";

/** Instead of a list of repositories while there are none: what comes next, which this page then shows by itself. */
export function firstRunPage(view: View, { installUrl }: { installUrl: string | null }): Html {
  const { firstRun: words } = view.messages;
  const body = html`<div class="first-run" id="repositories" data-live>
      <h1>${words.title}</h1>
      <ol class="steps" aria-label="${words.steps}">
        <li><p>${words.install}</p>
          ${installUrl ? html`<p><a class="button primary" href="${installUrl}">${words.installLink}</a></p>` : html`<p class="quiet">${words.installWords}</p>`}</li>
        <li><p>${words.appears}</p></li>
        <li><p>${words.search}</p></li>
      </ol>
    </div>`;
  return layout(view, { title: words.title, body, live: "/api/v1/events", isMoving: true });
}

/** The same for somebody who has signed in and may see none of those that there may be. */
export function nothingVisiblePage(view: View, { installUrl }: { installUrl: string | null }): Html {
  const { firstRun: words } = view.messages;
  const body = html`<div class="first-run" id="repositories" data-live>
      <h1>${words.noneYours}</h1>
      <p>${words.noneYoursWhy}</p>
      <p>${words.noneYoursDo}</p>
      ${installUrl ? html`<p><a class="button" href="${installUrl}">${words.installLink}</a></p>` : ""}
    </div>`;
  return layout(view, { title: words.noneYours, body, live: "/api/v1/events", isMoving: true });
}
