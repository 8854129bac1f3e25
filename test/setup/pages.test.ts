import { readFileSync } from "node:fs";
import http from "node:http";
import path from "node:path";
import { text } from "node:stream/consumers";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { createBrowser, formOf } from "../support/browser.ts";
import { ANSWERS, confirm, enter, serveSetup, wordsOf } from "./server.ts";

const LINK_FIRST =
  "Open the link that Repodex printed on its console: it works once, in one browser. " +
  "Stop Repodex and start it again for a new one.";

describe("the console's link", () => {
  test("lets one browser in, as often as it likes, and no second one", async () => {
    const server = await serveSetup();
    const { browser, form } = await enter(server);

    const again = await browser.open(server.link);
    const other = await createBrowser().open(server.link);

    for (const page of [form, again]) {
      expect([page.status, page.url]).toEqual([200, `${server.url}/setup`]);
    }
    expect([other.status, wordsOf(other)]).toEqual([403, `Forbidden ${LINK_FIRST}`]);
  });

  test.each(["", "x", "A".repeat(43)])(
    "with the token %j lets nobody in, and is not spent by it",
    async (token) => {
      const server = await serveSetup();

      const guess = await createBrowser().open(`${server.url}/setup?token=${token}`);
      const { form } = await enter(server);

      expect([guess.status, form.status]).toEqual([403, 200]);
    },
  );

  test("is not spent by a look at its headers", async () => {
    const server = await serveSetup();

    const { status } = await fetch(server.link, { method: "HEAD" });
    const { form } = await enter(server);

    expect([status, form.status]).toEqual([403, 200]);
  });

  test("leaves a cookie for this browser alone, which no script and no other site's form can use", async () => {
    const server = await serveSetup();

    const { headers } = await fetch(server.link, { redirect: "manual" });

    expect(headers.get("set-cookie")).toMatch(
      /^repodex_setup=[\w-]{43}; Path=\/setup; HttpOnly; SameSite=Lax$/,
    );
    expect(headers.get("location")).toBe("/setup");
    expect(headers.get("cache-control")).toBe("no-store");
  });

  test("is needed for everything", async () => {
    const server = await serveSetup();
    await enter(server);

    for (const [method, at] of [
      ["GET", "/setup"],
      ["POST", "/setup"],
      ["GET", "/setup/callback?code=1&state=2"],
      ["GET", "/"],
      ["GET", "/nowhere"],
      ["GET", "/api/v1/repositories"],
    ] as const) {
      const response = await fetch(`${server.url}${at}`, { method });
      expect([response.status, await response.text()], at).toEqual([
        403,
        expect.stringContaining(LINK_FIRST),
      ]);
    }
  });
});

/** Unlike fetch, this sends any header. */
async function send(
  url: string,
  { method = "GET", headers = {} }: { method?: string; headers?: Record<string, string> },
): Promise<{ status: number; body: string }> {
  return await new Promise((resolve, reject) => {
    const request = http.request(url, { method, headers, agent: false }, (response) => {
      text(response).then((body) => resolve({ status: response.statusCode ?? 0, body }), reject);
    });
    request.on("error", reject).end();
  });
}

test.each<[string, Record<string, string>]>([
  ["under another Host", { host: "evil.example" }],
  ["under a Host of the network", { host: "192.168.0.1:3000" }],
  ["with Forwarded", { forwarded: "for=192.0.2.1" }],
  ["with X-Forwarded-For", { "x-forwarded-for": "127.0.0.1" }],
  ["with X-Real-IP", { "x-real-ip": "127.0.0.1" }],
  ["from another site", { origin: "https://evil.example" }],
  ["from another port of this machine", { origin: "http://127.0.0.1:1" }],
])("what comes %s is refused with a sentence, link and cookie or not", async (_how, headers) => {
  const server = await serveSetup();
  const { browser } = await enter(server);
  const cookie = `repodex_setup=${browser.cookies[0]?.value}`;
  const unused = await serveSetup();

  const answers = [
    await send(`${server.url}/setup`, { headers: { ...headers, cookie } }),
    await send(`${server.url}/setup`, { method: "POST", headers: { ...headers, cookie } }),
    await send(`${server.url}/static/style.css`, { headers }),
    await send(unused.link, { headers }),
  ];

  for (const { status, body } of answers) {
    expect([status, body]).toEqual([
      403,
      expect.stringContaining("Set-up answers only this machine itself."),
    ]);
  }
  expect((await enter(unused)).form.status).toBe(200);
});

describe("the form", () => {
  test("begins with PUBLIC_URL, carries no script, and may lead to GitHub alone", async () => {
    const server = await serveSetup({ githubUrl: null, suggestedUrl: "https://repodex.octo.example" });

    const { form } = await enter(server);

    expect(formOf(form.text)).toEqual({
      action: "/setup",
      fields: { publicUrl: "https://repodex.octo.example", name: "", organization: "" },
    });
    expect(form.headers.get("content-security-policy")).toBe(
      "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self' https://github.com; " +
        "frame-ancestors 'none'; base-uri 'none'",
    );
    expect(form.headers.get("cache-control")).toBe("no-store");
    expect(form.text).not.toMatch(/<script| on\w+="| style="|(src|href)="(?!\/|#)/i);
  });

  test.each<[string, Record<string, string>, RegExp]>([
    ["no address", { publicUrl: "" }, /Enter the whole address/],
    ["no address at all", { publicUrl: "repodex.example.com" }, /Enter the whole address/],
    ["another scheme", { publicUrl: "ftp://repodex.example.com" }, /Enter the whole address/],
    ["an address without TLS", { publicUrl: "http://repodex.example.com" }, /Enter an https address/],
    [
      "this machine's own address",
      { publicUrl: "https://localhost:3000" },
      /GitHub cannot reach this machine/,
    ],
    [
      "an address in IPv6 of this machine",
      { publicUrl: "https://[::1]" },
      /GitHub cannot reach this machine/,
    ],
    ["a password in it", { publicUrl: "https://a:b@repodex.example.com" }, /without a user/],
    ["a query", { publicUrl: "https://repodex.example.com?a=b" }, /without a user, a question mark/],
    ["no name", { name: "  " }, /Enter a name/],
    ["a name too long", { name: "a".repeat(35) }, /at most 34 characters/],
    ["no organization of GitHub", { organization: "octo org/.." }, /Enter the organization's name/],
  ])("with %s comes back with a sentence and what was entered", async (_what, wrong, sentence) => {
    const server = await serveSetup({ githubUrl: null });
    const { browser, form } = await enter(server);

    const page = await browser.submit(form, { ...ANSWERS, ...wrong });

    expect([page.status, wordsOf(page).replaceAll("&#39;", "'")]).toEqual([
      422,
      expect.stringMatching(sentence),
    ]);
    const { action, fields } = formOf(page.text);
    expect(action).toBe("/setup");
    expect(fields).toEqual(
      Object.fromEntries(Object.entries({ ...ANSWERS, ...wrong }).map(([k, v]) => [k, v.trim()])),
    );
  });

  test("shows what was entered as text, whatever it is", async () => {
    const server = await serveSetup();
    const { browser, form } = await enter(server);
    const hostile = `"'></title><script>alert(1)</script>`;

    const page = await browser.submit(form, { ...ANSWERS, name: hostile, organization: hostile });

    expect(page.text).not.toContain("<script");
    expect(formOf(page.text).fields).toMatchObject({ name: hostile, organization: hostile });
  });

  test("refuses a body that no person types", async () => {
    const server = await serveSetup();
    const { browser, form } = await enter(server);

    const page = await browser.submit(form, { ...ANSWERS, name: "a".repeat(70_000) });

    expect([page.status, wordsOf(page)]).toEqual([413, "Too large The answers must not be over 64 KB."]);
  });

  test.each([
    [null, "", "https://github.com/settings/apps/new"],
    [null, "octo-org", "https://github.com/organizations/octo-org/settings/apps/new"],
    ["https://git.example.com/api/v3", "", "https://git.example.com/settings/apps/new"],
    [
      "http://git.example.com:8080/api/v3",
      "octo",
      "http://git.example.com:8080/organizations/octo/settings/apps/new",
    ],
  ])("of the GitHub %s, for the organization %j, leads to %s", async (githubUrl, organization, address) => {
    const server = await serveSetup({ githubUrl });
    const { browser, form } = await enter(server);

    const page = await browser.submit(form, { ...ANSWERS, organization });

    const { action } = formOf(page.text);
    expect(action).toMatch(new RegExp(`^${address.replaceAll(".", "\\.")}\\?state=[\\w-]{43}$`));
    const policy = page.headers.get("content-security-policy");
    expect(policy).toContain(`form-action 'self' ${new URL(address).origin};`);
    expect(page.headers.get("referrer-policy")).toBe("strict-origin");
  });

  test("takes app.yml to GitHub, with what only this server knows", async () => {
    const server = await serveSetup();
    const { browser, form } = await enter(server);

    const page = await browser.submit(form, { ...ANSWERS, publicUrl: "https://repodex.example.com/index/" });

    const app = parse(readFileSync(path.join(import.meta.dirname, "../../app.yml"), "utf8"));
    expect(JSON.parse(formOf(page.text).fields.manifest ?? "")).toEqual({
      description: app.description,
      default_permissions: app.default_permissions,
      default_events: app.default_events,
      name: "repodex-of-octo",
      url: "https://repodex.example.com/index",
      hook_attributes: { url: "https://repodex.example.com/index/api/github/webhooks", active: true },
      redirect_url: `${server.url}/setup/callback`,
      callback_urls: ["https://repodex.example.com/index/sign-in/callback"],
      public: false,
    });
    expect(app.default_permissions).toMatchObject({ contents: "read", checks: "write" });
  });

  test("has GitHub send the browser back by the name it came under: the cookie is for that one", async () => {
    const server = await serveSetup();
    const link = server.link.replace("127.0.0.1", "localhost");
    const browser = createBrowser();

    const page = await browser.submit(await browser.open(link), ANSWERS);

    const { redirect_url } = JSON.parse(formOf(page.text).fields.manifest ?? "");
    expect(redirect_url).toBe(`${server.url.replace("127.0.0.1", "localhost")}/setup/callback`);
  });

  test("of an Enterprise Server may name this one in its own network", async () => {
    const server = await serveSetup({ githubUrl: "https://git.example.com/api/v3" });
    const { browser, form } = await enter(server);

    const page = await browser.submit(form, { ...ANSWERS, publicUrl: "http://repodex.local:3000" });

    expect(page.status).toBe(200);
  });
});

test("every confirmation has a state of its own", async () => {
  const server = await serveSetup();
  const { browser, page } = await confirm(server);

  const again = await browser.submit(await browser.open(`${server.url}/setup`), ANSWERS);

  expect(formOf(again.text).action).not.toBe(formOf(page.text).action);
});

test("an address that is not set-up's says so", async () => {
  const server = await serveSetup();
  const { browser } = await enter(server);

  const page = await browser.open(`${server.url}/setup/nowhere`);

  expect([page.status, wordsOf(page)]).toEqual([404, expect.stringContaining("there is only /setup here")]);
});
