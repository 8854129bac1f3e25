import { html } from "hono/html";
import type { Html } from "../pages/html.ts";
import { layout } from "../pages/layout.ts";
import { viewIn } from "../pages/view.ts";
import { type Answers, type Faults, MAX_NAME } from "./answers.ts";

/** Set-up speaks English alone: to operators, as the console does. */
function page(title: string, body: Html): Html {
  return layout(viewIn("en"), { title, body: html`<div class="set-up">${body}</div>` });
}

/** The form, with what was entered before and what is wrong with it. */
export function formPage(answers: Answers, faults: Faults = {}): Html {
  return page(
    "Set up",
    html`<h1>Register the GitHub App</h1>
      <p>
        Repodex works as a GitHub App of your own. GitHub makes it from these answers and gives its credentials to
        this server; nobody else sees them.
      </p>
      <form method="post" action="/setup">
        ${field("publicUrl", {
          label: "Public address of this server",
          hint: html`GitHub must reach it: your reverse proxy with TLS, or a tunnel to this server. Check runs link to
          it, too.`,
          type: "url",
          placeholder: "https://repodex.example.com",
          required: true,
          value: answers.publicUrl,
          fault: faults.publicUrl,
        })}
        ${field("name", {
          label: "Name of the App",
          hint: html`It signs comments and check runs, and no other App on GitHub may have it: your organization's name
          in it helps. At most ${MAX_NAME} characters.`,
          placeholder: "repodex-of-octo",
          required: true,
          value: answers.name,
          fault: faults.name,
        })}
        ${field("organization", {
          label: "Organization that owns the App",
          hint: html`Leave it empty to own it yourself. A private App can be installed by its owner only.`,
          placeholder: "octo-org",
          value: answers.organization,
          fault: faults.organization,
        })}
        <button type="submit" class="primary">Continue</button>
      </form>`,
  );
}

interface Field {
  label: string;
  hint: Html;
  type?: string;
  placeholder: string;
  required?: boolean;
  value: string;
  fault: string | undefined;
}

function field(name: keyof Answers, { label, hint, value, fault, ...input }: Field): Html {
  return html`<p class="field">
    <label for="${name}">${label}</label>
    <input
      id="${name}"
      name="${name}"
      type="${input.type ?? "text"}"
      value="${value}"
      placeholder="${input.placeholder}"
      autocomplete="off"
      aria-describedby="${name}-hint"
      ${input.required ? "required" : ""}
      ${fault ? html`aria-invalid="true"` : ""}
    />
    ${fault ? html`<strong role="alert">${fault}</strong>` : ""}
    <small id="${name}-hint">${hint}</small>
  </p>`;
}

/** What GitHub will be asked for, and the form that takes it there. */
export function confirmPage(
  answers: Answers,
  { action, manifest }: { action: string; manifest: object },
): Html {
  return page(
    "Continue on GitHub",
    html`<h1>Continue on GitHub</h1>
      <dl>
        <dt>App</dt>
        <dd>${answers.name}</dd>
        <dt>Owner</dt>
        <dd>${answers.organization || "you"}</dd>
        <dt>Webhooks go to</dt>
        <dd><code>${answers.publicUrl}/api/github/webhooks</code></dd>
      </dl>
      <p>
        Be signed in to GitHub in this browser. There you press <b>Create GitHub App</b> and are sent back here. You
        have an hour.
      </p>
      <form method="post" action="${action}">
        <input type="hidden" name="manifest" value="${JSON.stringify(manifest)}" />
        <button type="submit" class="primary">Create it on GitHub</button>
      </form>
      <p><a href="/setup">Change the answers</a></p>`,
  );
}

/** The end: what is left to do. */
export function registeredPage({
  slug,
  installUrl,
  file,
}: {
  slug: string;
  installUrl: string;
  file: string;
}): Html {
  return page(
    "Registered",
    html`<h1>The App is registered</h1>
      <p class="notice good">
        <b>${slug}</b> is yours. Its credentials are in <code>${file}</code>, for your eyes only; every start takes them
        from there. Repodex goes on as the App now: the console says when it listens.
      </p>
      <p><a href="${installUrl}">Install the App on your repositories</a></p>`,
  );
}

/** Something that did not work, in a sentence, and the way back. */
export function failedPage(title: string, sentence: string): Html {
  return page(
    title,
    html`<h1>${title}</h1>
      <p role="alert">${sentence}</p>
      <p><a href="/setup">Start again</a></p>`,
  );
}
