import { createHash, timingSafeEqual } from "node:crypto";
import type { Context, MiddlewareHandler } from "hono";
import { isLoopback } from "../config.ts";
import { OPERATOR, type Viewer } from "../database/viewer.ts";
import { notFound, Problem } from "./problem.ts";

export type AccessOptions =
  | { kind: "open" }
  | { kind: "token"; token: string }
  /** Each bearer token is of somebody who may see some repositories. */
  | { kind: "viewers"; find: (token: string) => Viewer | null };

/** Who asks, and what follows from that. */
export interface Caller {
  viewer: Viewer;
  /** As it is shown in runs. */
  actor: string;
  /** Who has signed in at GitHub; null for the operator's token and for open access. */
  user: { id: string; login: string } | null;
  /** Sees deliveries, metrics and everybody's settings. */
  isOperator: boolean;
  /** Whether it may start and cancel scans of a repository that it sees. */
  mayWrite(repositoryId: string): boolean;
}

declare module "hono" {
  interface ContextVariableMap {
    caller: Caller;
    /** The caller's. */
    viewer: Viewer;
  }
}

const THE_OPERATOR: Caller = {
  viewer: OPERATOR,
  actor: "operator",
  user: null,
  isOperator: true,
  mayWrite: () => true,
};

/** What only a proxy adds. */
const FORWARDED = /^(forwarded|x-forwarded-.+|x-real-ip)$/;

/** Lets a request through as a caller, or ends it. Browsers sign in with the token as Basic password, to read only. */
export function requireAccess(access: AccessOptions): MiddlewareHandler {
  return async (c, next) => {
    const caller = requireCaller(c, access);
    c.set("caller", caller);
    c.set("viewer", caller.viewer);
    await next();
  };
}

/** Throws a Problem where the caller may not start or cancel scans of a repository that it sees. */
export function requireWrite(c: Context, repositoryId: string): void {
  if (c.var.caller.mayWrite(repositoryId)) return;
  throw new Problem(403, "Forbidden", { detail: "That needs write access to the repository on GitHub." });
}

/** Throws the Problem of an unknown address where the caller is no operator. */
export function requireOperator(c: Context): void {
  if (!c.var.caller.isOperator) throw notFound("address");
}

/** Whom a request is answered as; throws a Problem where it is not answered. */
function requireCaller(c: Context, access: AccessOptions): Caller {
  if (access.kind === "viewers") {
    const viewer = access.find(/^bearer (.+)$/i.exec(c.req.header("authorization") ?? "")?.[1] ?? "");
    if (viewer) return { ...THE_OPERATOR, viewer, isOperator: viewer.repositories === "all" };
    throw new Problem(401, "Unauthorized", { detail: "Send your token as `Authorization: Bearer …`." });
  }
  if (access.kind === "open") refuseForeign(c, OPEN_IS_LOCAL);
  else requireToken(c, access.token);
  return THE_OPERATOR;
}

const OPEN_IS_LOCAL =
  "ACCESS=open answers only this machine itself. Set ACCESS=token to be reached from elsewhere.";

/** For what is this machine's own browser's alone: not through a proxy, and not by another site's name or page. */
export function refuseForeign(c: Context, detail: string): void {
  const url = new URL(c.req.url);
  const forwarded = Object.keys(c.req.header()).some((name) => FORWARDED.test(name));
  const origin = c.req.header("origin");
  if (forwarded || !isLoopback(hostnameOf(url)) || (origin !== undefined && origin !== url.origin)) {
    throw new Problem(403, "Forbidden", { detail });
  }
}

function hostnameOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, "");
}

function requireToken(c: Context, token: string): void {
  const [scheme = "", credentials = ""] = (c.req.header("authorization") ?? "").split(" ", 2);
  if (/^bearer$/i.test(scheme) && isEqual(credentials, token)) return;
  // A browser sends Basic by itself, from other sites' forms too: enough to read, never to act.
  const reading = c.req.method === "GET" || c.req.method === "HEAD";
  if (reading && /^basic$/i.test(scheme)) {
    const password = Buffer.from(credentials, "base64").toString().split(":").slice(1).join(":");
    if (isEqual(password, token)) return;
  }
  throw new Problem(401, "Unauthorized", {
    detail:
      "Send the operator's token as `Authorization: Bearer …`; in a browser, as the password of any user.",
    headers: { "www-authenticate": 'Basic realm="Repodex", charset="UTF-8"' },
  });
}

/** Compares secrets in a time that tells nothing of where they differ. */
export function isEqual(given: string, expected: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(given), digest(expected));
}
