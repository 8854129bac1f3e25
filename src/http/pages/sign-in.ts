import type { Context } from "hono";
import { html } from "hono/html";
import { type Html, layout } from "./layout.ts";

/** Where a browser that nobody is known by begins. */
export function signInPage(_c: Context, { returnTo, isOut }: { returnTo: string; isOut: boolean }): Html {
  return layout(
    "Sign in",
    html`<h1>Sign in</h1>${isOut ? html`<p role="status">You are signed out.</p>` : ""}
      <p><a href="/sign-in/github?${new URLSearchParams({ return_to: returnTo })}">Sign in with GitHub</a></p>`,
  );
}
