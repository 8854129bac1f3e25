import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { Hono } from "hono";
import { onTestFinished } from "vitest";
import { credentialsFile, type StoredCredentials, storeCredentials } from "../../src/credentials.ts";
import { createRegistrar } from "../../src/github/registration.ts";
import { createSetupApp } from "../../src/http/setup/app.ts";
import { createSetupSession } from "../../src/http/setup/session.ts";
import { startServer } from "../../src/server.ts";
import { type Browser, createBrowser, type Page } from "../support/browser.ts";
import { captureLog } from "../support/log.ts";

/** Nothing answers there. */
const NO_GITHUB = "http://127.0.0.1:9/api/v3";

export interface SetupServer {
  url: string;
  link: string;
  dataDir: string;
  /** Where the credentials go. */
  file: string;
  registered: StoredCredentials[];
  /** Everything that was logged. */
  logged(): string;
}

/** Serves the set-up pages in this process, for a GitHub by its REST root; null is github.com. Ends with the test. */
export async function serveSetup({
  githubUrl = NO_GITHUB,
  suggestedUrl = null,
  now,
}: {
  githubUrl?: string | null;
  suggestedUrl?: string | null;
  now?: () => number;
} = {}): Promise<SetupServer> {
  const dataDir = mkdtempSync(path.join(tmpdir(), "setup-"));
  onTestFinished(() => rmSync(dataDir, { recursive: true, force: true }));
  const session = createSetupSession(now);
  const { log, text } = captureLog();
  const registered: StoredCredentials[] = [];
  const file = credentialsFile(dataDir);
  const http = createSetupApp({
    session,
    registrar: createRegistrar(githubUrl),
    suggestedUrl,
    store: (credentials) => storeCredentials(dataDir, credentials),
    file,
    onRegistered: (credentials) => registered.push(credentials),
    log,
  });
  const server = await startServer({ webhooks: new Hono(), http, host: "127.0.0.1", port: 0 });
  onTestFinished(() => server.close());
  const link = `${server.url}/setup?token=${session.token}`;
  return { url: server.url, link, dataDir, file, registered, logged: text };
}

/** A page's words, without its tags. */
export function wordsOf({ text }: Page): string {
  const body = text.slice(text.indexOf("<main"));
  return body
    .replace(/<[^>]*>/g, " ")
    .replace(/\s+/g, " ")
    .trim();
}

/** A browser that has opened the link. */
export async function enter({ link }: SetupServer): Promise<{ browser: Browser; form: Page }> {
  const browser = createBrowser();
  return { browser, form: await browser.open(link) };
}

export const ANSWERS = {
  publicUrl: "https://repodex.example.com",
  name: "repodex-of-octo",
  organization: "",
};

/** The page that leads to GitHub, after good answers. */
export async function confirm(server: SetupServer): Promise<{ browser: Browser; page: Page }> {
  const { browser, form } = await enter(server);
  return { browser, page: await browser.submit(form, ANSWERS) };
}
