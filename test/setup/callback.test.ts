import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { Simulator } from "../simulator/simulator.ts";
import { startTestSimulator } from "../simulator/test-client.ts";
import { type Browser, createBrowser, formOf, type Page } from "../support/browser.ts";
import { until } from "../support/wait.ts";
import { confirm, type SetupServer, serveSetup, wordsOf } from "./server.ts";

const ROUTE = "/app-manifests/{code}/conversions";
const HOUR_MS = 3_600_000;

interface Setting {
  simulator: Simulator;
  server: SetupServer;
  browser: Browser;
  /** The page that leads to GitHub. */
  page: Page;
}

/** A person about to press the button that leads to GitHub. */
async function setUp({ now }: { now?: () => number } = {}): Promise<Setting> {
  const simulator = await startTestSimulator();
  const server = await serveSetup({ githubUrl: `${simulator.url}/api/v3`, ...(now && { now }) });
  const { browser, page } = await confirm(server);
  return { simulator, server, browser, page };
}

/** GitHub makes the App; the address to which it sends the browser back. */
async function askGitHub({ page }: Setting): Promise<string> {
  const { action, fields } = formOf(page.text);
  const answer = await fetch(action, {
    method: "POST",
    body: new URLSearchParams(fields),
    redirect: "manual",
  });
  return answer.headers.get("location") ?? "";
}

function exchanges({ simulator }: Setting): number {
  return simulator.requests.filter(({ route }) => route === ROUTE).length;
}

/** Nothing was stored, and nothing secret was told. */
function expectNothing({ simulator, server, browser }: Setting): void {
  expect(server.registered).toEqual([]);
  expect(readdirSync(server.dataDir)).toEqual([]);
  expectDiscretion({ simulator, server, browser });
}

function expectDiscretion({ simulator, server, browser }: Omit<Setting, "page">): void {
  const told = [server.logged(), ...browser.pages.slice(2).map(({ text }) => text)].join("\n");
  const key = simulator.environment.PRIVATE_KEY?.split("\n")[3] ?? "";
  expect(key).toHaveLength(64);
  const codes = simulator.registrations.map(({ code }) => code);
  const state = new URL(formOf(browser.pages[1]?.text ?? "").action).searchParams.get("state") ?? "";
  for (const secret of [key, simulator.webhookSecret, state, ...codes]) expect(told).not.toContain(secret);
}

describe("GitHub's answer", () => {
  test("is taken once, and its App's credentials are kept for the owner alone", async () => {
    const setting = await setUp();
    const { browser, server, simulator } = setting;
    const back = await askGitHub(setting);

    const page = await browser.open(back);
    const replayed = await browser.open(back);

    expect(page.status).toBe(200);
    expect(page.headers.get("connection")).toBe("close");
    expect(server.registered).toMatchObject([{ slug: "repodex", PUBLIC_URL: "https://repodex.example.com" }]);
    expect(readdirSync(server.dataDir)).toEqual(["github-app.json"]);
    expect(statSync(server.file).mode & 0o777).toBe(0o600);
    expect([replayed.status, wordsOf(replayed)]).toEqual([
      400,
      expect.stringMatching(/^Not taken .* used already/),
    ]);
    expect(exchanges(setting)).toBe(1);
    expectDiscretion(setting);
    expect(simulator.violations).toEqual([]);
  });

  test("is taken to the end where the browser goes away before it is shown", async () => {
    const setting = await setUp();
    const leaving = new AbortController();
    const held = Promise.withResolvers<void>();
    setting.simulator.fault({
      route: ROUTE,
      async meanwhile() {
        leaving.abort();
        await held.promise;
      },
    });
    const back = await askGitHub(setting);
    const headers = { cookie: `repodex_setup=${setting.browser.cookies[0]?.value}` };

    await expect(fetch(back, { headers, signal: leaving.signal })).rejects.toThrow("aborted");
    for (const _ of [1, 2]) await fetch(`${setting.server.url}/static/style.css`); // it has noticed by then
    held.resolve();

    await until(() => setting.server.registered.length > 0, { what: "the registration's end" });
    expect(readdirSync(setting.server.dataDir)).toEqual(["github-app.json"]);
  });

  test("is not taken from a browser that did not open the link, which spends nothing", async () => {
    const setting = await setUp();
    const back = await askGitHub(setting);

    const foreign = await createBrowser().open(back);

    expect([foreign.status, exchanges(setting)]).toEqual([403, 0]);
    expectNothing(setting);
    expect((await setting.browser.open(back)).status).toBe(200);
  });

  test.each<[string, (back: URL) => void]>([
    ["without a state", (back) => back.searchParams.delete("state")],
    ["with another state", (back) => back.searchParams.set("state", "A".repeat(43))],
    ["with another server's state", (back) => back.searchParams.set("state", "__proto__")],
  ])("%s is not taken, and no code is tried", async (_how, change) => {
    const setting = await setUp();
    const back = new URL(await askGitHub(setting));
    change(back);

    const page = await setting.browser.open(back.href);

    expect([page.status, wordsOf(page)]).toEqual([400, expect.stringContaining("was begun here")]);
    expect(exchanges(setting)).toBe(0);
    expectNothing(setting);
  });

  test("is not taken after an hour, and until then it is", async () => {
    let now = Date.now();
    const setting = await setUp({ now: () => now });
    const later = await setUp({ now: () => now });
    const [back, backLate] = [await askGitHub(setting), await askGitHub(later)];

    now += HOUR_MS - 1;
    const inTime = await setting.browser.open(back);
    now += 1;
    const late = await later.browser.open(backLate);

    expect([inTime.status, late.status]).toEqual([200, 400]);
    expect(wordsOf(late)).toContain("came after more than an hour");
    expect(exchanges(later)).toBe(0);
    expectNothing(later);
  });

  test("without a code is told so", async () => {
    const setting = await setUp();
    const back = new URL(await askGitHub(setting));
    back.searchParams.delete("code");

    const page = await setting.browser.open(back.href);

    expect([page.status, wordsOf(page)]).toEqual([400, expect.stringContaining("GitHub sent no code.")]);
    expectNothing(setting);
  });

  test.each([404, 422])("whose code GitHub refuses with %i says what to do, and is over", async (status) => {
    const setting = await setUp();
    setting.simulator.fault({ route: ROUTE, status, body: { message: "Refused", documentation_url: "x" } });
    const back = await askGitHub(setting);

    const page = await setting.browser.open(back);
    const again = await setting.browser.open(back);

    expect([page.status, wordsOf(page)]).toEqual([
      400,
      expect.stringMatching(
        /GitHub does not know the code .* delete it, in its owner.*s settings on 127\.0\.0\.1:\d+, .* and start again/,
      ),
    ]);
    expect(page.text).toContain('href="/setup"');
    expect([again.status, exchanges(setting)]).toEqual([400, 1]);
    expectNothing(setting);
  });

  test.each<[string, Parameters<Simulator["fault"]>[0], RegExp]>([
    ["fails", { status: 502 }, /GitHub answered 502/],
    ["breaks off", { status: 200, body: "x".repeat(100), cutAfterBytes: 20 }, /GitHub could not be reached/],
    [
      "wants us to wait",
      { status: 403, headers: { "x-ratelimit-remaining": "0", "x-ratelimit-reset": "1" } },
      /rate limit/,
    ],
  ])("can be tried again where GitHub %s, by a reload", async (_how, fault, sentence) => {
    const setting = await setUp();
    setting.simulator.fault({ ...fault, route: ROUTE });
    const back = await askGitHub(setting);

    const page = await setting.browser.open(back);
    expect([page.status, wordsOf(page)]).toEqual([502, expect.stringMatching(sentence)]);
    expect(wordsOf(page)).toContain("Reload this page to try again");
    expectNothing(setting);
    const reloaded = await setting.browser.open(back);

    expect(reloaded.status).toBe(200);
    expect(setting.server.registered).toHaveLength(1);
  });

  test("can be tried again where no GitHub answers at all", async () => {
    const simulator = await startTestSimulator();
    const server = await serveSetup();
    const { browser, page } = await confirm(server);
    const state = new URL(formOf(page.text).action).searchParams.get("state");
    const back = `${server.url}/setup/callback?code=a-code-that-nobody-may-see&state=${state}`;

    const pages = [await browser.open(back), await browser.open(back)];

    for (const { status, text } of pages) {
      expect([status, text]).toEqual([502, expect.stringContaining("GitHub could not be reached")]);
    }
    expect(server.logged()).toContain("GitHub could not be reached");
    expect(server.logged() + pages.map(({ text }) => text).join()).not.toContain("a-code-that-nobody");
    expectNothing({ simulator, server, browser, page });
  });

  test("that lacks the webhook secret is refused, without telling the rest", async () => {
    const setting = await setUp();
    const mutate = (body: Buffer) =>
      Buffer.from(JSON.stringify({ ...JSON.parse(body.toString()), webhook_secret: null }));
    setting.simulator.fault({ route: ROUTE, mutate });

    const page = await setting.browser.open(await askGitHub(setting));

    expect([page.status, wordsOf(page)]).toEqual([400, expect.stringContaining("lacks WEBHOOK_SECRET.")]);
    expectNothing(setting);
  });
});

describe("the credentials", () => {
  test("never replace a file that is there", async () => {
    const setting = await setUp();
    const { browser, server } = setting;
    writeFileSync(server.file, "another App's");

    const page = await browser.open(await askGitHub(setting));

    expect([page.status, wordsOf(page)]).toEqual([409, expect.stringContaining("it was left as it is")]);
    expect(wordsOf(page)).toContain("delete it, in its owner");
    expect(readFileSync(server.file, "utf8")).toBe("another App's");
    expect(readdirSync(server.dataDir)).toEqual(["github-app.json"]);
    expect(server.registered).toEqual([]);
    expectDiscretion(setting);
  });

  test("that cannot be written are told of, and the folder may be mended", async () => {
    const setting = await setUp();
    const { browser, server } = setting;
    rmSync(server.dataDir, { recursive: true });
    writeFileSync(server.dataDir, "a file where the folder was");

    const page = await browser.open(await askGitHub(setting));

    expect([page.status, wordsOf(page)]).toEqual([500, expect.stringContaining("could not be written")]);
    expect(server.logged()).toMatch(/could not be stored.*ENOTDIR|ENOTDIR.*could not be stored/);
    expect(server.registered).toEqual([]);
    expectDiscretion(setting);

    rmSync(server.dataDir);
    mkdirSync(server.dataDir);
    const next = await browser.submit(await browser.open(`${server.url}/setup`), {
      publicUrl: "https://repodex.example.com",
      name: "another",
    });
    expect((await browser.submit(next)).status).toBe(200);
  });
});
