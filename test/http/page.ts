import { expect } from "vitest";
import type { HttpServer } from "./server.ts";

/** Ends an attribute, an element, a title; then would run. */
export const HOSTILE = `"'></title></code><script>alert(1)</script><img src=x onerror=alert(1)>&amp;`;
export const ESCAPED = "&lt;script&gt;alert(1)&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;&amp;amp;";

/** How a page without a script is asked for again. */
export const REFRESH = '<noscript><meta http-equiv="refresh"';

const POLICY =
  "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; img-src 'self'; " +
  "form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
const OWN_SCRIPT = /<script type="module" src="\/static\/live\.js\?v=[\w-]{10}"><\/script>/;
/** Where pages may lead: to themselves, to this server, to the repository on GitHub, and to its files there. */
const ELSEWHERE = /(?:action|href|src)="(?!\/|#|https:\/\/github\.com\/)/i;

export interface PageRequest {
  status?: number;
  language?: string;
}

/** A page's HTML; also that nothing in it could run or be loaded from elsewhere. */
export async function readPage(
  server: HttpServer,
  path: string,
  { status = 200, language = "en" }: PageRequest = {},
): Promise<string> {
  const headers = { accept: "text/html,*/*;q=0.8", "accept-language": language };
  const response = await server.ask(path, { headers });
  const page = await response.text();
  expect(response.status, page).toBe(status);
  expect(response.headers.get("content-type")).toMatch(/^text\/html; charset=utf-8$/i);
  expect(response.headers.get("content-security-policy")).toBe(POLICY);
  expect(response.headers.get("x-content-type-options")).toBe("nosniff");
  expect(response.headers.get("cache-control")).toBe("no-store");
  expect(response.headers.get("vary")).toMatch(/accept-language/i);
  expectHarmless(page);
  return page;
}

/** Holds a page's HTML against what no page may have. */
export function expectHarmless(page: string): void {
  expect(page).toMatch(/^<!doctype html>/);
  expect(page.replace(OWN_SCRIPT, "")).not.toMatch(/<script|<img|<iframe|<object| on\w+="| style="/i);
  expect(page).not.toMatch(ELSEWHERE);
  expect(page).not.toMatch(/undefined|\[object|NaN|>null<|Invalid Date/);
  const ids = [...page.matchAll(/ id="([^"]*)"/g)].map(([, id]) => id);
  expect(new Set(ids).size, "each id is there once").toBe(ids.length);
}

/** A page's words, without its tags and what stands above them. */
export function wordsOf(page: string): string {
  const main = page.slice(
    page.indexOf("<main"),
    page.includes("</main>") ? page.indexOf("</main>") : undefined,
  );
  return main
    .replace(/<[^>]*>/g, " ")
    .replace(/\s+/g, " ")
    .replace(/ ([.,:;])(?=\s|$)/g, "$1")
    .trim();
}

/** The title, without the site's name. */
export function titleOf(page: string): string {
  return /<title>(.*) · Repodex<\/title>/s.exec(page)?.[1] ?? "";
}

/** Where the links of a page lead that say so. */
export function linksOf(page: string, pattern: RegExp): string[] {
  return [...page.matchAll(/<a [^>]*href="([^"]*)"[^>]*>(.*?)<\/a>/gs)]
    .filter(([, , text = ""]) =>
      pattern.test(
        text
          .replace(/<[^>]*>/g, "")
          .replace(/\s+/g, " ")
          .trim(),
      ),
    )
    .map(([, address = ""]) => address.replaceAll("&amp;", "&"));
}

/** The buttons of a page by what they say, with where their form goes, or null where they cannot be used. */
export function buttonsOf(page: string): Record<string, { action: string; mode?: string } | null> {
  const buttons: Record<string, { action: string; mode?: string } | null> = {};
  for (const [, text = ""] of page.matchAll(/<button[^>]* disabled[^>]*>(.*?)<\/button>/gs))
    buttons[text.replace(/<[^>]*>/g, "")] = null;
  const forms = /<form method="post" action="([^"]*)">(.*?)<button[^>]*>(.*?)<\/button><\/form>/gs;
  for (const [, action = "", fields = "", text = ""] of page.matchAll(forms)) {
    const mode = /name="mode" value="(\w+)"/.exec(fields)?.[1];
    buttons[text.replace(/<[^>]*>/g, "")] = { action, ...(mode && { mode }) };
  }
  return buttons;
}
