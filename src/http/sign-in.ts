import { createHash } from "node:crypto";
import { type Context, Hono } from "hono";
import type { Logger } from "pino";
import { CALLBACK_PATH, IdentityRefused } from "../access/identity.ts";
import { randomSecret, type Seal } from "../access/seal.ts";
import { SESSION_DAYS } from "../access/sessions.ts";
import { isLocal } from "../config.ts";
import { askGitHub, type GitHubAccess, isEqual, requireSameOrigin } from "./access.ts";
import { signInPage } from "./pages/sign-in.ts";
import { createView } from "./pages/view.ts";
import { Problem } from "./problem.ts";
import { endSession, readPending, readSession, siteOf, writePending, writeSession } from "./session.ts";

/** A code of GitHub's is good for as long. */
const PENDING_SECONDS = 600;
const PURPOSE = "a sign-in that was begun";
const MAX_RETURN = 2_000;

/** What a browser that was sent to GitHub must bring back. */
interface Pending {
  state: string;
  verifier: string;
  returnTo: string;
  endsAt: number;
}

/** Signing in through GitHub and out again: what is answered to those who have not signed in. */
export function createSignInRoutes(access: GitHubAccess, log: Logger): Hono {
  const { accounts, seal } = access;
  const site = access.publicUrl ?? "";
  const routes = new Hono();

  routes.get("/sign-in", (c) => {
    const returnTo = returnOf(c.req.query("return_to"));
    return c.html(signInPage(createView(c), { site, returnTo, reason: reasonOf(c, access) }));
  });

  routes.get("/sign-in/github", (c) => {
    requireOwnAddress(c, access);
    const pending: Pending = {
      state: randomSecret(),
      verifier: randomSecret(),
      returnTo: returnOf(c.req.query("return_to")),
      endsAt: Date.now() + PENDING_SECONDS * 1000,
    };
    const sealed = seal.seal(JSON.stringify(pending), PURPOSE).toString("base64url");
    writePending(c, access, sealed, PENDING_SECONDS);
    const challenge = createHash("sha256").update(pending.verifier).digest("base64url");
    const redirectUrl = `${siteOf(c, access)}${CALLBACK_PATH}`;
    return c.redirect(accounts.identity.authorizeUrl({ state: pending.state, challenge, redirectUrl }), 302);
  });

  routes.get(CALLBACK_PATH, async (c) => {
    const { code = "", state = "", error } = c.req.query();
    const pending = openPending(readPending(c, access), seal);
    const refuse = (problem: string, status: 400 | 403) =>
      c.html(
        signInPage(createView(c), { site, returnTo: pending?.returnTo ?? "/", reason: null, problem }),
        status,
      );
    // One that was begun in another tab since may yet come back.
    if (!pending || !isEqual(state, pending.state)) return refuse(NOT_BEGUN, 400);
    writePending(c, access, "", 0);
    if (error !== undefined || code === "") {
      log.info({ error }, "not signed in");
      return refuse(refusalOf(error), 403);
    }
    const redirectUrl = `${siteOf(c, access)}${CALLBACK_PATH}`;
    const proof = { verifier: pending.verifier, redirectUrl };
    const secret = await askGitHub(() => accounts.signIn(code, proof)).catch((error: unknown) => {
      if (error instanceof IdentityRefused) return null;
      throw error;
    });
    if (secret === null) return refuse(NOT_BEGUN, 400);
    const before = readSession(c, access);
    if (before !== undefined) await accounts.signOut(before); // a browser has one session
    writeSession(c, access, secret, SESSION_DAYS);
    return c.redirect(pending.returnTo, 303);
  });

  routes.post("/sign-out", async (c) => {
    requireSameOrigin(c, access.publicUrl);
    const secret = readSession(c, access);
    if (secret !== undefined) await accounts.signOut(secret);
    endSession(c, access);
    return c.redirect("/sign-in?out", 303);
  });

  return routes;
}

/** Where a browser without a session is led to: the page that it wanted comes after. */
export function signInAddress(c: Context): string {
  const url = new URL(c.req.url);
  return `/sign-in?${new URLSearchParams({ return_to: `${url.pathname}${url.search}` })}`;
}

/** A path on this server, or its first page: nobody is sent elsewhere by a link. */
function returnOf(text: string | undefined): string {
  const url = text === undefined || text.length > MAX_RETURN ? null : URL.parse(text, "http://here");
  if (url?.origin !== "http://here" || /^\/(sign-in|sign-out)\b/.test(url.pathname)) return "/";
  return url.pathname.startsWith("//") ? "/" : `${url.pathname}${url.search}${url.hash}`;
}

function openPending(cookie: string | undefined, seal: Seal): Pending | null {
  const text = cookie ? seal.open(Buffer.from(cookie, "base64url"), PURPOSE) : null;
  const pending = text === null ? null : (JSON.parse(text) as Pending);
  return pending && pending.endsAt > Date.now() ? pending : null;
}

/** Without a public address GitHub would be told whatever name the request came by. */
function requireOwnAddress(c: Context, { publicUrl }: GitHubAccess): void {
  if (publicUrl !== null || isLocal(new URL(c.req.url))) return;
  const detail = "The operator must set PUBLIC_URL before anybody can sign in from elsewhere.";
  throw new Problem(503, "Not available", { detail });
}

/** Why a page to sign in is shown, where that can be told. */
function reasonOf(c: Context, access: GitHubAccess): "signed_out" | "expired" | "required" | null {
  if (c.req.query("out") !== undefined) return "signed_out";
  if (readSession(c, access) !== undefined) return "expired";
  return c.req.query("return_to") === undefined ? null : "required";
}

const NOT_BEGUN =
  "This sign-in was not begun in this browser, took more than ten minutes, or was used already. Start again.";

function refusalOf(error: string | undefined): string {
  if (error === "redirect_uri_mismatch") {
    return "GitHub does not know the address to come back to: the operator must add it to the App's callback URLs.";
  }
  return "You did not let Repodex know who you are on GitHub, so there is nothing that it can show. Sign in again to change that.";
}
