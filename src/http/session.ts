import type { Context } from "hono";
import { getCookie, setCookie } from "hono/cookie";

/** As much of the access as cookies need. */
interface Site {
  publicUrl: string | null;
}

const DAY_SECONDS = 86_400;

/** The secret of the browser's session, where it brings one. */
export function readSession(c: Context, site: Site): string | undefined {
  return getCookie(c, nameOf("session", c, site));
}

export function writeSession(c: Context, site: Site, secret: string, days: number): void {
  setCookie(c, nameOf("session", c, site), secret, attributesOf(c, site, days * DAY_SECONDS));
}

export function endSession(c: Context, site: Site): void {
  setCookie(c, nameOf("session", c, site), "", attributesOf(c, site, 0));
}

/** What a sign-in that was begun needs when it comes back: sealed, so that no other browser's answer is taken for it. */
export function readPending(c: Context, site: Site): string | undefined {
  return getCookie(c, nameOf("sign-in", c, site));
}

export function writePending(c: Context, site: Site, sealed: string, seconds: number): void {
  setCookie(c, nameOf("sign-in", c, site), sealed, attributesOf(c, site, seconds));
}

/** Where browsers find this server, without a trailing slash. */
export function siteOf(c: Context, { publicUrl }: Site): string {
  return publicUrl ?? new URL(c.req.url).origin;
}

/** With https, a name that only this host itself can have set, for all of it (RFC 6265bis, `__Host-`). */
function nameOf(what: string, c: Context, site: Site): string {
  return isSecure(c, site) ? `__Host-repodex-${what}` : `repodex-${what}`;
}

function attributesOf(c: Context, site: Site, maxAge: number) {
  return { path: "/", httpOnly: true, secure: isSecure(c, site), sameSite: "Lax", maxAge } as const;
}

/** Without TLS only this machine itself is served like this (src/config.ts). */
function isSecure(c: Context, site: Site): boolean {
  return siteOf(c, site).startsWith("https:");
}
