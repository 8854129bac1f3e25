import { finished } from "node:stream";
import type { HttpBindings } from "@hono/node-server";
import { type Context, Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { getCookie, setCookie } from "hono/cookie";
import { secureHeaders } from "hono/secure-headers";
import type { Logger } from "pino";
import type { Registrar, StoredCredentials } from "../../credentials.ts";
import { refuseForeign } from "../access.ts";
import { createStaticRoutes } from "../pages/assets.ts";
import { problemPage } from "../pages/problem.ts";
import { viewIn } from "../pages/view.ts";
import { Problem } from "../problem.ts";
import { type Answers, readAnswers } from "./answers.ts";
import { confirmPage, failedPage, formPage, registeredPage } from "./pages.ts";
import type { SetupSession } from "./session.ts";

export interface SetupOptions {
  session: SetupSession;
  registrar: Registrar;
  suggestedUrl: string | null;
  store(credentials: StoredCredentials): "stored" | "exists";
  /** Where that is, for people. */
  file: string;
  onRegistered(credentials: StoredCredentials): void;
  log: Logger;
}

const COOKIE = "repodex_setup";
const MAX_BODY_BYTES = 64 * 1024;
const OUR_MACHINE_ONLY =
  "Set-up answers only this machine itself. Open the console's link here or through an SSH tunnel, not through a proxy.";
const LINK_FIRST =
  "Open the link that Repodex printed on its console: it works once, in one browser. " +
  "Stop Repodex and start it again for a new one.";

/** The few pages that a server without an App has: they end with the App's credentials in their file. */
export function createSetupApp(options: SetupOptions): Hono {
  const { session, registrar, log } = options;
  const app = new Hono();
  app.use(protect(registrar.site));
  app.use(async (c, next) => {
    refuseForeign(c, OUR_MACHINE_ONLY);
    await next();
    if (!c.res.headers.has("cache-control")) c.header("cache-control", "no-store");
  });
  app.route("/static", createStaticRoutes());
  app.get("/", (c) => c.redirect("/setup", 303));
  app.use(async (c, next) => {
    const token = c.req.method === "GET" && c.req.path === "/setup" ? c.req.query("token") : undefined;
    if (token !== undefined) return enter(c, { session, token });
    if (!session.holds(getCookie(c, COOKIE))) throw new Problem(403, "Forbidden", { detail: LINK_FIRST });
    return await next();
  });
  app.get("/setup", (c) =>
    c.html(formPage({ publicUrl: options.suggestedUrl ?? "", name: "", organization: "" })),
  );
  app.post("/setup", bodyLimit({ maxSize: MAX_BODY_BYTES, onError: tooLarge }), async (c) =>
    askGitHub(c, options),
  );
  app.get("/setup/callback", (c) => finish(c, options));
  app.notFound((c) => {
    const detail = "Until the App is registered there is only /setup here.";
    return c.html(problemPage(viewIn("en"), new Problem(404, "Not found", { detail })), 404);
  });
  app.onError((error, c) => {
    if (error instanceof Problem) return c.html(problemPage(viewIn("en"), error), error.status);
    log.error({ err: error, method: c.req.method, path: c.req.path }, "set-up request failed");
    const detail = "Something failed here; the console says what. Start again.";
    return c.html(problemPage(viewIn("en"), new Problem(500, "Internal error", { detail })), 500);
  });
  return app;
}

/** As on the other pages, but forms may lead to GitHub, which is told whence, and never with a token in it. */
function protect(site: string) {
  return secureHeaders({
    contentSecurityPolicy: {
      defaultSrc: ["'none'"],
      styleSrc: ["'self'"],
      imgSrc: ["'self'"],
      formAction: ["'self'", site],
      frameAncestors: ["'none'"],
      baseUri: ["'none'"],
    },
    referrerPolicy: "strict-origin",
  });
}

function tooLarge(): never {
  throw new Problem(413, "Too large", { detail: "The answers must not be over 64 KB." });
}

/** The token goes out of the address at once: it would stay in the browser's history. */
function enter(c: Context, { session, token }: { session: SetupSession; token: string }): Response {
  const cookie = session.enter(token);
  // Opened again by the browser that has the cookie already, the link leads where it did.
  if (cookie === null && !session.holds(getCookie(c, COOKIE))) {
    throw new Problem(403, "Forbidden", { detail: LINK_FIRST });
  }
  if (cookie !== null) setCookie(c, COOKIE, cookie, { httpOnly: true, sameSite: "Lax", path: "/setup" });
  return c.redirect("/setup", 303);
}

async function askGitHub(c: Context, { session, registrar }: SetupOptions): Promise<Response> {
  const { answers, faults } = readAnswers(await c.req.parseBody(), registrar);
  if (Object.keys(faults).length > 0) return c.html(formPage(answers, faults), 422);
  const { name, organization, publicUrl }: Answers = answers;
  const form = registrar.prepare({
    name,
    organization: organization || null,
    publicUrl,
    // As this browser names us: a tunnel may have another port, and the cookie is for this name alone.
    redirectUrl: `${new URL(c.req.url).origin}/setup/callback`,
    state: session.begin(publicUrl),
  });
  return c.html(confirmPage(answers, form));
}

async function finish(c: Context, options: SetupOptions): Promise<Response> {
  const { session, registrar, log } = options;
  const { code = "", state = "" } = c.req.query();
  const pending = session.take(state);
  if (!pending) {
    const sentence =
      "This is no answer to a registration that was begun here, or it was used already, or came after more than an hour. " +
      `If GitHub has made an App for it, delete that first, ${placeOf(registrar)}.`;
    return c.html(failedPage("Not taken", sentence), 400);
  }
  if (code === "") return c.html(failedPage("Not registered", "GitHub sent no code. Start again."), 400);
  const exchange = await registrar.exchange(code);
  if (exchange.kind === "registered") {
    const credentials = { ...exchange.credentials, PUBLIC_URL: pending.publicUrl };
    return keep(c, { ...options, credentials });
  }
  log.warn({ reason: exchange.sentence }, "the App was not registered");
  if (exchange.kind === "refused") {
    const sentence = `${exchange.sentence} If GitHub has made the App, delete it, ${placeOf(registrar)}, and start again.`;
    return c.html(failedPage("Not registered", sentence), 400);
  }
  session.giveBack(state, pending);
  const sentence = `${exchange.sentence} Reload this page to try again: what GitHub sent is good for an hour.`;
  return c.html(failedPage("Not registered yet", sentence), 502);
}

/** The credentials exist here alone now: GitHub shows them once. */
function keep(
  c: Context,
  { credentials, registrar, ...options }: SetupOptions & { credentials: StoredCredentials },
): Response | Promise<Response> {
  const { file, log } = options;
  const unused = `The new App ${credentials.slug} is of no use then: delete it, ${placeOf(registrar)}`;
  try {
    if (options.store(credentials) === "exists") {
      const sentence =
        `There is an App's file already, ${file}, and it was left as it is. ${unused}, ` +
        "and start Repodex again: it takes what is in the file.";
      return c.html(failedPage("Registered before", sentence), 409);
    }
  } catch (error) {
    log.error({ err: error, file }, "the App's credentials could not be stored");
    const sentence =
      `The credentials could not be written to ${file}; the console says why. ${unused}, ` +
      "mend the folder and start again.";
    return c.html(failedPage("Not stored", sentence), 500);
  }
  // Only now that the page is on its way, whole, or its reader gone, may this server close.
  finished((c.env as HttpBindings).outgoing, () => options.onRegistered(credentials));
  c.header("connection", "close");
  const installUrl = `${credentials.html_url}/installations/new`;
  return c.html(registeredPage({ slug: credentials.slug, installUrl, file }));
}

function placeOf({ site }: Registrar): string {
  return `in its owner's settings on ${new URL(site).host}, under Developer settings, GitHub Apps`;
}
