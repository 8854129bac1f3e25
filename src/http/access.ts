import { createHash, timingSafeEqual } from "node:crypto";
import type { Context, MiddlewareHandler } from "hono";
import type { Account } from "../access/account.ts";
import type { Accounts } from "../access/accounts.ts";
import { IdentityUnavailable } from "../access/identity.ts";
import type { Seal } from "../access/seal.ts";
import { SESSION_DAYS } from "../access/sessions.ts";
import type { TokenScope } from "../access/tokens.ts";
import { isLocal } from "../config.ts";
import { OPERATOR, type Viewer } from "../database/viewer.ts";
import { notFound, Problem } from "./problem.ts";
import type { RunChanges } from "./run-changes.ts";
import { readSession, writeSession } from "./session.ts";

/** Signing in through the App. */
export interface GitHubAccess {
  kind: "github";
  accounts: Accounts;
  /** Logins, in small letters. */
  operators: ReadonlySet<string>;
  /** The operator's token for programs such as Prometheus, where there is one. */
  apiToken: string | null;
  /** Keeps what a browser holds of a sign-in that was begun. */
  seal: Seal;
  /** Where browsers find this server; null: where they are, on this machine. */
  publicUrl: string | null;
}

export type AccessOptions = { kind: "open" } | { kind: "token"; token: string } | GitHubAccess;

/** Who asks, and what follows from that. */
export interface Caller {
  viewer: Viewer;
  /** As it is shown in runs. */
  actor: string;
  /** Who has signed in at GitHub; null for the operator's token and for open access. */
  user: { id: string; login: string } | null;
  /** Sees deliveries, metrics and everybody's settings. */
  isOperator: boolean;
  /** The browser's that it signed in with; null for all others. */
  sessionId: string | null;
  /** A browser, whose cookies and passwords other sites' pages could use; else a program. */
  isBrowser: boolean;
  /** A program that may only read, whatever its owner may. */
  isReader: boolean;
  /** Whether it may start and cancel scans of a repository that it sees. */
  mayWrite(repositoryId: string): boolean;
  /** Until when all of this counts; null: for good. */
  goodUntil: Date | null;
}

declare module "hono" {
  interface ContextVariableMap {
    caller: Caller;
    /** The caller's. */
    viewer: Viewer;
    /** Which change of what people may see was the last heard of before the caller was looked for. */
    accessChanges: number;
  }
}

const THE_OPERATOR: Caller = {
  viewer: OPERATOR,
  actor: "operator",
  user: null,
  sessionId: null,
  isOperator: true,
  isBrowser: false,
  isReader: false,
  mayWrite: () => true,
  goodUntil: null,
};

/** What only a proxy adds. */
const FORWARDED = /^(forwarded|x-forwarded-.+|x-real-ip)$/;

/** Lets a request through as a caller, or ends it. What a browser sends by itself acts for this site's pages alone. */
export function requireAccess(
  access: AccessOptions,
  changes: Pick<RunChanges, "accessChanges">,
): MiddlewareHandler {
  return async (c, next) => {
    c.set("accessChanges", changes.accessChanges);
    const caller = await requireCaller(c, access);
    if (caller.isBrowser && !isSafe(c))
      requireSameOrigin(c, access.kind === "github" ? access.publicUrl : null);
    c.set("caller", caller);
    c.set("viewer", caller.viewer);
    await next();
  };
}

/** Throws a Problem where the caller may not start or cancel scans of a repository that it sees. */
export function requireWrite(c: Context, repositoryId: string): void {
  const { caller } = c.var;
  if (caller.mayWrite(repositoryId)) return;
  const detail = caller.isReader
    ? "This token may only read. Make one with the scope `write` in the settings."
    : "That needs write access to the repository on GitHub.";
  throw new Problem(403, "Forbidden", { detail });
}

/** Throws the Problem of an unknown address where the caller is no operator. */
export function requireOperator(c: Context): void {
  if (!c.var.caller.isOperator) throw notFound("address");
}

/** Whom a request is answered as; throws a Problem where it is not answered. */
async function requireCaller(c: Context, access: AccessOptions): Promise<Caller> {
  if (access.kind === "github") return await requireUser(c, access);
  if (access.kind === "token") return requireToken(c, access.token);
  refuseForeign(c, OPEN_IS_LOCAL);
  return { ...THE_OPERATOR, isBrowser: c.req.header("sec-fetch-site") !== undefined };
}

const OPEN_IS_LOCAL =
  "ACCESS=open answers only this machine itself. Set ACCESS=token to be reached from elsewhere.";

/** For what is this machine's own browser's alone: not through a proxy, and not by another site's name or page. */
export function refuseForeign(c: Context, detail: string): void {
  const url = new URL(c.req.url);
  const forwarded = Object.keys(c.req.header()).some((name) => FORWARDED.test(name));
  const origin = c.req.header("origin");
  if (forwarded || !isLocal(url) || (origin !== undefined && origin !== url.origin)) {
    throw new Problem(403, "Forbidden", { detail });
  }
}

/**
 * For what only this site's own pages may do: browsers say where a request comes from, and what says nothing is none.
 * `publicUrl` is where a proxy's browsers are; null: where the request went, with or without TLS on the way.
 */
export function requireSameOrigin(c: Context, publicUrl: string | null): void {
  const site = c.req.header("sec-fetch-site");
  const origin = c.req.header("origin");
  const isOwn =
    publicUrl === null
      ? URL.parse(origin ?? "")?.host === new URL(c.req.url).host
      : origin === new URL(publicUrl).origin;
  if (site === undefined ? isOwn : site === "same-origin") return;
  throw new Problem(403, "Forbidden", {
    detail:
      "This was not sent by a page of Repodex. Open the page here and try again; programs send a bearer token.",
  });
}

function isSafe(c: Context): boolean {
  return ["GET", "HEAD", "OPTIONS"].includes(c.req.method);
}

const BEARER = /^bearer +(\S+)$/i;

/** Programs send the token as Bearer, browsers as the password of any user. */
function requireToken(c: Context, token: string): Caller {
  const authorization = c.req.header("authorization") ?? "";
  const bearer = BEARER.exec(authorization)?.[1];
  if (bearer !== undefined && isEqual(bearer, token)) return THE_OPERATOR;
  const basic = /^basic +(\S+)$/i.exec(authorization)?.[1];
  if (basic !== undefined) {
    const password = Buffer.from(basic, "base64").toString().split(":").slice(1).join(":");
    if (isEqual(password, token)) return { ...THE_OPERATOR, isBrowser: true };
  }
  throw new Problem(401, "Unauthorized", {
    detail:
      "Send the operator's token as `Authorization: Bearer …`; in a browser, as the password of any user.",
    headers: { "www-authenticate": 'Basic realm="Repodex", charset="UTF-8"' },
  });
}

/** A person's browser or program, or the operator's program. */
async function requireUser(c: Context, access: GitHubAccess): Promise<Caller> {
  const bearer = BEARER.exec(c.req.header("authorization") ?? "")?.[1]; // a proxy may have a password of its own
  if (bearer !== undefined && access.apiToken !== null && isEqual(bearer, access.apiToken))
    return THE_OPERATOR;
  const found = await askGitHub(async () => {
    if (bearer === undefined) return await findBrowser(c, access);
    const known = await access.accounts.findByToken(bearer);
    return known && callerOf(known.account, { access, scope: known.scope });
  });
  if (found) return found;
  throw new Problem(401, "Unauthorized", {
    detail:
      "Sign in, or send a token of the settings page as `Authorization: Bearer …`. One that was good before may have " +
      "expired or been revoked, or its owner must sign in again.",
    headers: { "www-authenticate": 'Bearer realm="Repodex"' },
  });
}

async function findBrowser(c: Context, access: GitHubAccess): Promise<Caller | null> {
  const secret = readSession(c, access);
  if (secret === undefined) return null;
  const isPage = c.req.method === "GET" && (c.req.header("accept") ?? "").includes("text/html");
  const found = await access.accounts.findBySession(secret, { renew: isPage });
  if (found?.renewed) writeSession(c, access, found.renewed, SESSION_DAYS);
  return found && { ...callerOf(found.account, { access, scope: null }), sessionId: found.sessionId };
}

/** `scope` is a token's; null: a browser. */
function callerOf(
  { id, login, repositories, writable, goodUntil }: Account,
  { access, scope }: { access: GitHubAccess; scope: TokenScope | null },
): Caller {
  return {
    viewer: { repositories },
    actor: login,
    user: { id, login },
    sessionId: null,
    isOperator: access.operators.has(login.toLowerCase()),
    isBrowser: scope === null,
    isReader: scope === "read",
    mayWrite: (repositoryId) => scope !== "read" && writable.has(repositoryId),
    goodUntil,
  };
}

/** Turns what GitHub does not answer into a Problem. */
export async function askGitHub<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (!(error instanceof IdentityUnavailable)) throw error;
    throw new Problem(503, "Not available", {
      detail: `What you may see could not be asked of GitHub, so nothing is shown. ${error.message}`,
      headers: { "retry-after": "30" },
    });
  }
}

/** Compares secrets in a time that tells nothing of where they differ. */
export function isEqual(given: string, expected: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(given), digest(expected));
}
