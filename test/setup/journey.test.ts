import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { StoredCredentials } from "../../src/credentials.ts";
import type { Simulator } from "../simulator/simulator.ts";
import { listeningUrl, type SpawnedApp, spawnApp, startAppProcess } from "../support/app-process.ts";
import { createBrowser } from "../support/browser.ts";
import { useDatabase } from "../support/database.ts";
import { type Journey, startJourney } from "../support/journey.ts";
import { API_TOKEN } from "../support/repodex.ts";

const database = useDatabase();

interface FirstStart {
  app: SpawnedApp;
  link: string;
  file: string;
  environment: Record<string, string>;
}

/** What `npm start` is without credentials, next to this GitHub, once it has printed its link. */
async function startFirst(
  { environment: { GHE_HOST = "", GHE_PROTOCOL = "" } }: Simulator,
  extra: Record<string, string> = {},
): Promise<FirstStart> {
  const DATA_DIR = path.join(await mkdtemp(path.join(tmpdir(), "setup-")), "data");
  onTestFinished(() => rm(path.dirname(DATA_DIR), { recursive: true }));
  const environment = {
    RECONCILE_SECONDS: "0",
    GHE_HOST,
    GHE_PROTOCOL,
    DATA_DIR,
    PORT: "0",
    LOG_LEVEL: "trace",
    LEASE_SECONDS: "4",
    DATABASE_URL: database.url,
    API_TOKEN,
    ...extra,
  };
  const app = spawnApp(environment);
  onTestFinished(() => app.stop());
  const link = await app.line((line) => /^ {2}(http:\S+)$/.exec(line)?.[1] ?? null);
  return { app, link, file: path.join(DATA_DIR, "github-app.json"), environment };
}

/** What a person does from the link on. */
async function register({ link }: FirstStart) {
  const browser = createBrowser();
  const form = await browser.open(link);
  const publicUrl = new URL(link).origin;
  const confirm = await browser.submit(form, {
    publicUrl,
    name: "repodex-of-octo",
    organization: "octo-org",
  });
  const last = await browser.submit(confirm);
  return { browser, form, confirm, last };
}

async function readStored(file: string): Promise<StoredCredentials> {
  return JSON.parse(await readFile(file, "utf8"));
}

/** Waits until the App of this address has indexed the journey's repository. */
async function expectIndexed(journey: Journey, url: string): Promise<void> {
  journey.url = url;
  await journey.install();
  await journey.expectTruth();
  expect(journey.simulator.checkRuns.map(({ conclusion }) => conclusion)).toEqual(["success"]);
}

test("a first start leads from the console's link to an indexed repository, and no secret is seen on the way", async () => {
  const journey = await startJourney(database, { started: false });
  const { simulator } = journey;
  const first = await startFirst(simulator);
  // Octokit warns of it with the request's address, and the code is in that.
  simulator.fault({ route: "/app-manifests/{code}/conversions", headers: { deprecation: "true" } });

  const { browser, form, confirm, last } = await register(first);
  const url = await first.app.line(listeningUrl);
  const [registration] = simulator.registrations;
  const hook = registration?.manifest.hook_attributes as { url: string };
  simulator.webhookUrl = hook.url;
  await expectIndexed(journey, url);
  await first.app.stop();

  expect([form.status, confirm.status, last.status]).toEqual([200, 200, 200]);
  expect(last.text).toContain(`href="${simulator.url}/apps/repodex/installations/new"`);
  expect(url).toBe(new URL(first.link).origin);
  expect(hook.url).toBe(`${url}/api/github/webhooks`);
  expect(first.app.child.exitCode).toBe(0);
  expect(simulator.violations).toEqual([]);

  const stored = await readStored(first.file);
  expect(stored).toEqual({
    APP_ID: simulator.environment.APP_ID,
    PRIVATE_KEY: simulator.environment.PRIVATE_KEY,
    WEBHOOK_SECRET: simulator.webhookSecret,
    GITHUB_CLIENT_ID: expect.stringMatching(/^Iv23/),
    GITHUB_CLIENT_SECRET: expect.stringMatching(/^[0-9a-f]{40}$/),
    PUBLIC_URL: url,
    slug: "repodex",
    html_url: `${simulator.url}/apps/repodex`,
  });
  expect((await stat(first.file)).mode & 0o777).toBe(0o600);
  expect(await readdir(path.dirname(first.file))).toEqual(["github-app.json"]);

  const { code, state } = Object.fromEntries(new URL(last.url).searchParams);
  const [cookie] = browser.cookies;
  const secrets = {
    key: stored.PRIVATE_KEY.split("\n")[3],
    "webhook secret": stored.WEBHOOK_SECRET,
    "client secret": stored.GITHUB_CLIENT_SECRET,
    token: new URL(first.link).searchParams.get("token"),
    cookie: cookie?.value,
    code,
    state,
  };
  const output = first.app.output().replace(first.link, "");
  for (const [what, secret] of Object.entries(secrets)) {
    expect(secret?.length, what).toBeGreaterThanOrEqual(20);
    expect(output, what).not.toContain(secret);
    // The form that takes the state to GitHub names it, and only that.
    const pages = browser.pages.filter((page) => what !== "state" || page !== confirm);
    for (const { text } of pages) expect(text, what).not.toContain(secret);
  }
});

test("a second start is the App that the first one registered", async () => {
  const journey = await startJourney(database, { started: false });
  const { simulator } = journey;
  const first = await startFirst(simulator);
  await register(first);
  await first.app.line(listeningUrl);
  await first.app.stop();

  const second = await startAppProcess(first.environment);
  onTestFinished(() => second.stop());

  simulator.webhookUrl = `${second.url}/api/github/webhooks`;
  await expectIndexed(journey, second.url);
  expect(second.output()).not.toContain("/setup?token=");
  // The stored PUBLIC_URL is the first start's; check runs lead there.
  expect(simulator.checkRuns[0]?.details_url).toMatch(`${new URL(first.link).origin}/runs/`);
});

test("where the App cannot start after it was registered, the console says why and its credentials are kept", async () => {
  const { simulator } = await startJourney(database, { started: false });
  const first = await startFirst(simulator, { DATABASE_URL: "postgres://app:pw@127.0.0.1:1/repodex" });
  const exited = once(first.app.child, "exit");

  const { last } = await register(first);
  const [code] = await exited;

  expect(last.status).toBe(200);
  expect(code).toBe(1);
  expect(first.app.output()).toMatch(/Repodex cannot start: .*(ECONNREFUSED|database)/);
  expect(await readStored(first.file)).toMatchObject({ APP_ID: simulator.environment.APP_ID });
});

test.each(["SIGTERM", "SIGINT"] as const)("%s ends a first start that nobody set up", async (signal) => {
  const { simulator } = await startJourney(database, { started: false });
  const first = await startFirst(simulator);
  const exited = once(first.app.child, "exit");
  await createBrowser().open(first.link); // its connection is left open

  first.app.child.kill(signal);
  const [code] = await exited;

  expect(code).toBe(0);
  await expect(fetch(first.link)).rejects.toThrow("fetch failed");
});
