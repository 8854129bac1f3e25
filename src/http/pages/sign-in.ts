import { html } from "hono/html";
import type { Html } from "./html.ts";
import { icon } from "./icons.ts";
import { layout } from "./layout.ts";
import type { Messages } from "./messages/en.ts";
import type { View } from "./view.ts";

export interface SignInOptions {
  /** Where browsers find this server, or "" for where they are: cookies are for that address alone. */
  site: string;
  /** A path here, to come back to. */
  returnTo: string;
  /** Why the page is shown. */
  reason: keyof Messages["signIn"]["reasons"] | null;
  /** What went wrong at the last try, in a sentence. */
  problem?: string | null;
}

/** The way in, through GitHub. */
export function signInPage(view: View, { site, returnTo, reason, problem = null }: SignInOptions): Html {
  const { signIn: words } = view.messages;
  const address = `${site}/sign-in/github?${new URLSearchParams({ return_to: returnTo })}`;
  const body = html`<div class="sign-in">
      <h1>${words.title}</h1>
      ${problem === null ? "" : html`<div class="notice bad" role="alert">${icon("cross")}<p>${problem}</p></div>`}
      <p>${reason === null ? "" : html`${words.reasons[reason]} `}${words.intro}</p>
      <p><a class="button primary" href="${address}">${words.button}</a></p>
    </div>`;
  return layout(view, { title: words.title, body });
}
