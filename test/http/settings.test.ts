import { expect, test } from "vitest";
import { MAX_TOKENS } from "../../src/access/tokens.ts";
import { type Browser, createBrowser, type Page } from "../support/browser.ts";
import { useDatabase } from "../support/database.ts";
import { seedRepository, seedUser } from "../support/seed.ts";
import { signInAccess } from "../support/sign-in.ts";
import { wordsOf } from "./page.ts";
import { type HttpServer, serve } from "./server.ts";

const database = useDatabase();
const NEW = { name: "ci", scope: "write", days: "30" };

/** A site with a repository that its person may write to, and the person's browser. */
async function setUp(login = "octocat", id = "583231") {
  await seedRepository(database.db, { id: "100" });
  const server = await serve(database, { access: signInAccess(database, { operators: ["hubot"] }) });
  return { server, ...(await browserOf(server, { login, id })) };
}

async function browserOf({ url }: HttpServer, { login, id }: { login: string; id: string }) {
  const { session } = await seedUser(database.db, { id, login, write: ["100"] });
  await database.db.deleteFrom("api_tokens").where("user_id", "=", id).execute();
  const browser = createBrowser();
  browser.cookies.push({ host: new URL(url).hostname, path: "/", name: "repodex-session", value: session });
  const post = (path: string, fields: Record<string, string> = {}) =>
    postForm(browser, `${url}${path}`, fields);
  return { browser, post, open: () => browser.open(`${url}/settings`) };
}

async function postForm(browser: Browser, url: string, fields: Record<string, string>): Promise<Page> {
  const inputs = Object.entries(fields).map(([name, value]) => `<input name="${name}" value="${value}">`);
  const page = {
    url,
    status: 200,
    headers: new Headers(),
    text: `<form method="post" action="${url}">${inputs.join("")}`,
  };
  return await browser.submit(page);
}

const tokenIn = ({ text }: Page) => /value="(rdx_[\w-]+)"/.exec(text)?.[1] ?? "";

async function actAs({ url }: HttpServer, token: string): Promise<number> {
  const headers = { authorization: `Bearer ${token}` };
  return (await fetch(`${url}/api/v1/repositories/100/rescan`, { method: "POST", headers })).status;
}

test("a token is made and shown once, acts for its owner, and is none once it is revoked", async () => {
  const { server, post, open } = await setUp();

  const made = await post("/settings/tokens", NEW);
  const again = await open();
  const used = await actAs(server, tokenIn(made));
  const shown = await open();
  const revoke = /action="(\/settings\/tokens\/\d+\/revoke)"/.exec(shown.text)?.[1] ?? "";
  const revoked = await post(revoke);

  expect([made.status, used]).toEqual([201, 202]);
  expect(again.text).not.toContain(tokenIn(made));
  expect(wordsOf(shown.text)).toMatch(/ci read, scan and cancel now in \d+ days now Revoke/);
  expect([revoked.status, new URL(revoked.url).pathname]).toEqual([200, "/settings"]);
  expect(wordsOf(revoked.text)).toContain("The token is revoked");
  expect(await actAs(server, tokenIn(made))).toBe(401);
});

test("a token that may only read says so when it is used for more", async () => {
  const { server, post } = await setUp();
  const token = tokenIn(await post("/settings/tokens", { ...NEW, scope: "read" }));

  const headers = { authorization: `Bearer ${token}` };
  const read = await fetch(`${server.url}/api/v1/repositories/100`, { headers });
  const acted = await fetch(`${server.url}/api/v1/repositories/100/rescan`, { method: "POST", headers });

  expect([read.status, acted.status]).toEqual([200, 403]);
  expect(((await acted.json()) as { detail: string }).detail).toMatch(/^This token may only read\./);
});

test.each<[string, Record<string, string>, RegExp]>([
  ["no name", { ...NEW, name: " " }, /Enter a name that tells you later/],
  ["too long a name", { ...NEW, name: "x".repeat(101) }, /at most 100 characters/],
  ["a name that turns the line around", { ...NEW, name: "ci\u202e" }, /without control characters/],
  ["a name of two lines", { ...NEW, name: "ci\u2028no" }, /without control characters/],
  ["a name that nobody sees", { ...NEW, name: "\u200b" }, /without control characters/],
  ["another scope", { ...NEW, scope: "admin" }, /Choose what the token may do/],
  ["other days", { ...NEW, days: "36500" }, /Choose for how many days/],
  ["days that are no number", { ...NEW, days: "x" }, /Choose for how many days/],
])("what is asked with %s is refused at its field, with what was typed", async (_what, fields, sentence) => {
  const { post } = await setUp();

  const page = await post("/settings/tokens", fields);

  expect(page.status).toBe(422);
  expect(wordsOf(page.text)).toMatch(sentence);
  if (fields.name === NEW.name) expect(page.text).toContain('value="ci"');
  expect(await database.db.selectFrom("api_tokens").select("id").execute()).toEqual([]);
});

test("nobody has more tokens than can be looked through", async () => {
  const { post } = await setUp();
  for (let i = 1; i <= MAX_TOKENS; i += 1) await post("/settings/tokens", NEW);

  const page = await post("/settings/tokens", NEW);

  expect(page.status).toBe(422);
  expect(wordsOf(page.text)).toContain(`You have ${MAX_TOKENS} tokens`);
});

test("a person sees and revokes their own tokens, an operator everybody's", async () => {
  const { server, post } = await setUp();
  const token = tokenIn(await post("/settings/tokens", NEW));
  const { id } = await database.db.selectFrom("api_tokens").select("id").executeTakeFirstOrThrow();
  const other = await browserOf(server, { login: "other", id: "2" });
  const operator = await browserOf(server, { login: "hubot", id: "3" });

  const refused = await other.post(`/settings/tokens/${id}/revoke`);
  const stillGood = await actAs(server, token);
  const seen = await operator.open();
  const revoked = await operator.post(`/settings/tokens/${id}/revoke`);

  expect(wordsOf((await other.open()).text)).toContain("No token yet");
  expect([refused.status, stillGood, revoked.status]).toEqual([404, 202, 200]);
  expect(wordsOf(seen.text)).toContain("ci octocat read, scan and cancel");
  expect(await actAs(server, token)).toBe(401);
});

test("an operator comes to the oldest token of all, however many there are", async () => {
  const { server } = await setUp();
  const operator = await browserOf(server, { login: "hubot", id: "3" });
  const secret_hash = (n: number) => Buffer.from(`of token ${n}`);
  const token = { user_id: "583231", scope: "read", expires_at: new Date("2100-01-01") } as const;
  const rows = Array.from({ length: 401 }, (_, n) => ({
    ...token,
    name: `no ${n}.`,
    secret_hash: secret_hash(n),
  }));
  await database.db.insertInto("api_tokens").values(rows).execute();

  const seen: string[] = [];
  for (let page: Page | null = await operator.open(); page; ) {
    seen.push(...[...page.text.matchAll(/<b>(no \d+\.)<\/b>/g)].map(([, name = ""]) => name));
    const older: string | undefined = /href="(\/settings\?before=\d+)"/.exec(page.text)?.[1];
    page = older === undefined ? null : await operator.browser.open(server.url + older);
  }

  expect(seen).toEqual(rows.map(({ name }) => name).toReversed());
});

test("a person signs another of their browsers out, and nobody else's", async () => {
  const { server, browser, post, open } = await setUp();
  const second = await browserOf(server, { login: "octocat", id: "583231" });
  const foreign = await browserOf(server, { login: "other", id: "2" });
  const idsIn = ({ text }: Page) =>
    [...text.matchAll(/\/settings\/sessions\/(\d+)\/end/g)].map(([, id]) => id);
  const [id = ""] = idsIn(await open());

  const refused = await foreign.post(`/settings/sessions/${id}/end`);
  const before = await second.open();
  const ended = await post(`/settings/sessions/${id}/end`);

  expect([refused.status, new URL(before.url).pathname, ended.status]).toEqual([404, "/settings", 200]);
  expect(idsIn(ended)).toEqual([]);
  expect(new URL((await second.open()).url).pathname).toBe("/sign-in");
  expect(new URL((await browser.open(`${server.url}/settings`)).url).pathname).toBe("/settings");
});
