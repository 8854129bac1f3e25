import { sql } from "kysely";
import { describe, expect, test } from "vitest";
import { CHECK_SECONDS } from "../../src/access/account.ts";
import { deleteIdleUsers, leaseCheck, noteAccessChanged } from "../../src/access/users.ts";
import { serve } from "../http/server.ts";
import type { Simulator } from "../simulator/simulator.ts";
import { startTestSimulator } from "../simulator/test-client.ts";
import { type Browser, createBrowser } from "../support/browser.ts";
import { useDatabase } from "../support/database.ts";
import { createRepository } from "../support/git.ts";
import { startJourney } from "../support/journey.ts";
import { captureLog } from "../support/log.ts";
import { seedRepository } from "../support/seed.ts";
import { cookieOf, signIn, signInAccess } from "../support/sign-in.ts";
import { until } from "../support/wait.ts";

const database = useDatabase();

/** A GitHub with octocat's repository and one of somebody else's, both known here, and the app that people sign in to. */
async function setUp() {
  const simulator = await startTestSimulator();
  const { dir } = await createRepository({ bare: true, files: { a: "a\n" } });
  const installation_id = simulator.addInstallation({ account: "octocat" });
  const add = (name: string) => simulator.addRepository({ installation_id, git_dir: dir, name });
  const [own, foreign] = [add("hello"), add("foreign")];
  simulator.setPermission(foreign.id, "octocat", "none");
  for (const { id } of [own, foreign]) {
    await seedRepository(database.db, { id: String(id), installation_id: String(installation_id) });
  }
  const { log, text } = captureLog();
  const server = await serveAt(simulator, { log });
  return { simulator, server, own: String(own.id), foreign: String(foreign.id), logged: text };
}

/** (Another replica of) the app. */
async function serveAt(
  simulator: Simulator,
  options: Parameters<typeof signInAccess>[1] & { publicUrl?: string } = {},
) {
  const { publicUrl = null, ...rest } = options;
  const access = { ...signInAccess(database, { simulator, ...rest }), publicUrl };
  const server = await serve(database, { access, ...(options.log && { log: options.log }) });
  simulator.authorizations.callbackUrls.push(`${server.url}/sign-in/callback`);
  return server;
}

async function idsSeen({ url }: { url: string }, browser: Browser): Promise<string[] | number> {
  const { status, text } = await browser.open(`${url}/api/v1/repositories`);
  if (status !== 200) return status;
  return (JSON.parse(text) as { data: { id: string }[] }).data.map(({ id }) => id);
}

/** Lets the time pass after which GitHub's word on what may be seen does not count any more. */
async function passCheck(): Promise<void> {
  await sql`update users set checked_at = checked_at - make_interval(secs => ${CHECK_SECONDS})`.execute(
    database.db,
  );
}

describe("signing in", () => {
  test("leads back to where one wanted to go, and shows what GitHub lets one read and nothing else", async () => {
    const { server, own } = await setUp();
    const wanted = `/repositories/${own}?x=1`;

    const asked = await createBrowser().open(`${server.url}${wanted}`);
    const { browser, page } = await signIn(server, { returnTo: wanted });

    expect(new URL(asked.url).pathname).toBe("/sign-in");
    expect(new URL(asked.url).searchParams.get("return_to")).toBe(wanted);
    expect([page.status, page.url]).toEqual([200, `${server.url}${wanted}`]);
    expect(await idsSeen(server, browser)).toEqual([own]);
    const headers = { cookie: cookieOf(browser), authorization: "Basic cHJveHk6cHJveHk=" };
    expect((await fetch(`${server.url}/`, { headers })).status, "with a proxy's own password").toBe(200);
  });

  test("keeps nothing that could be used by who reads the database or the log", async () => {
    const { server, simulator, logged } = await setUp();
    const { browser } = await signIn(server);
    const secrets = browser.cookies.map(({ value }) => value);

    const users = await database.db.selectFrom("users").selectAll().execute();
    const sessions = await database.db.selectFrom("sessions").selectAll().execute();

    const rows = [...users, ...sessions].flatMap((row) => Object.values(row));
    const kept = rows
      .map((value) => (Buffer.isBuffer(value) ? value.toString("latin1") : String(value)))
      .join("\n");
    expect([users.length, sessions.length, secrets.length]).toEqual([1, 1, 1]);
    expect(logged()).toContain("signed in");
    for (const secret of secrets) expect(kept + logged()).not.toContain(secret);
    expect(simulator.authorizations.appearsIn(kept + logged())).toBe(false);
  });

  test("is refused without the state that was given out, to another browser, and for a second time", async () => {
    const { server, simulator } = await setUp();
    const stranger = createBrowser();
    const redirectUri = `${server.url}/sign-in/callback`;
    const code = simulator.authorizations.begin({ login: "octocat", redirectUri, challenge: null });
    const began = createBrowser();
    await signIn(server, { browser: began });
    const callback = began.visited.find((url) => url.includes("/sign-in/callback")) ?? "";

    const refused = [
      await stranger.open(`${redirectUri}?code=${code}`),
      await stranger.open(`${redirectUri}?code=${code}&state=x`),
      await stranger.open(callback),
      await began.open(callback),
    ];

    expect(callback).toMatch(/code=.+state=/);
    expect(refused.map(({ status }) => status)).toEqual([400, 400, 400, 400]);
    for (const { text } of refused) expect(text).toContain("was not begun in this browser");
    expect(stranger.cookies).toEqual([]);
  });

  test("of two that are begun in one browser, the later one is good whichever comes back first", async () => {
    const { server } = await setUp();
    const begin = async () => {
      const answer = await fetch(`${server.url}/sign-in/github`, { redirect: "manual" });
      const [set = ""] = answer.headers.getSetCookie();
      const back = await fetch(answer.headers.get("location") ?? "", { redirect: "manual" });
      return { cookie: set.split(";")[0] ?? "", callback: back.headers.get("location") ?? "" };
    };
    const [earlier, later] = [await begin(), await begin()];
    const comeBack = (callback: string, cookie: string) =>
      fetch(callback, { redirect: "manual", headers: { cookie } });

    const refused = await comeBack(earlier.callback, later.cookie);
    const accepted = await comeBack(later.callback, later.cookie);

    expect([refused.status, refused.headers.getSetCookie()]).toEqual([400, []]);
    expect([accepted.status, accepted.headers.getSetCookie().length]).toEqual([303, 2]);
  });

  test("never leads elsewhere", async () => {
    const { server } = await setUp();
    const elsewhere = [
      "https://evil.example/",
      "//evil.example/",
      "/\\evil.example/",
      "\\\\evil.example",
      "/.//evil.example",
      "javascript:alert(1)",
      "/sign-in/github",
      "/sign-out",
      `/${"x".repeat(3_000)}`,
    ];

    for (const returnTo of elsewhere) {
      const { page } = await signIn(server, { returnTo });
      expect(page.url, returnTo).toBe(`${server.url}/`);
    }
  });

  test("that one does not agree to is said, with the way back", async () => {
    const { server, simulator } = await setUp();
    simulator.authorizations.browserUser = null;

    const { browser, page } = await signIn(server);

    expect(page.status).toBe(403);
    expect(page.text).toContain("You did not let Repodex know who you are");
    expect(await idsSeen(server, browser)).toBe(401);
  });

  test("tells the operator's mistakes: an address that GitHub does not know, a wrong secret", async () => {
    const { server, simulator } = await setUp();
    const { callbackUrls } = simulator.authorizations;
    const known = callbackUrls.splice(0, 1, `${server.url}/sign-in/callback?`);

    const { page: unknown } = await signIn(server);
    callbackUrls.splice(0, 1, ...known);
    const { page: refused } = await signIn(await serveAt(simulator, { clientSecret: "not the secret" }));

    expect([unknown.status, refused.status]).toEqual([403, 503]);
    expect(unknown.text).toContain("must add it to the App&#39;s callback URLs");
    expect(refused.text).toContain("GitHub does not take the App&#39;s client secret");
  });

  test("tells the operator of a client that GitHub does not know", async () => {
    const { server, simulator } = await setUp();
    simulator.fault({ route: "/login/oauth/access_token", status: 404, body: { error: "Not Found" } });

    const { page } = await signIn(server);

    expect(page.status).toBe(503);
    expect(page.text).toContain("the operator must set GITHUB_CLIENT_ID");
    expect(page.text).not.toContain("repository");
  });

  test("under https gives a cookie that no other site, script or connection can have", async () => {
    const { simulator } = await setUp();
    const publicUrl = "https://repodex.example.com";
    const secure = await serveAt(simulator, { publicUrl });

    const page = await createBrowser().open(`${secure.url}/`); // by another address than people know
    const answer = await fetch(`${secure.url}/sign-in/github`, { redirect: "manual" });

    expect(page.text).toContain(`href="${publicUrl}/sign-in/github?return_to=%2F"`);
    expect(answer.status).toBe(302);
    expect(answer.headers.getSetCookie()).toEqual([
      expect.stringMatching(
        /^__Host-repodex-sign-in=[\w-]+; Max-Age=600; Path=\/; HttpOnly; Secure; SameSite=Lax$/,
      ),
    ]);
    const asked = new URL(answer.headers.get("location") ?? "").searchParams;
    expect(asked.get("redirect_uri")).toBe(`${publicUrl}/sign-in/callback`);
    expect(asked.get("code_challenge_method")).toBe("S256");
  });

  test("is not there where the operator's token is all that counts", async () => {
    const server = await serve(database);

    expect((await createBrowser().open(`${server.url}/sign-in`)).status).toBe(401);
  });
});

describe("who has signed in", () => {
  test("signs out, by the own page's button alone, and that browser only", async () => {
    const { server, own } = await setUp();
    const { browser } = await signIn(server);
    const { browser: second } = await signIn(server);
    const signOut = (headers: Record<string, string>) =>
      fetch(`${server.url}/sign-out`, {
        method: "POST",
        redirect: "manual",
        headers: { cookie: cookieOf(browser), ...headers },
      });

    const foreign = [await signOut({}), await signOut({ origin: "https://evil.example" })];
    const before = await idsSeen(server, browser);
    const left = await signOut({ origin: server.url });

    expect(foreign.map(({ status }) => status)).toEqual([403, 403]);
    expect(before).toEqual([own]);
    expect([left.status, left.headers.get("location")]).toEqual([303, "/sign-in?out"]);
    expect(await idsSeen(server, browser)).toBe(401);
    expect(await idsSeen(server, second)).toEqual([own]);
  });

  test("is not signed out by a page of the same name without TLS, which anybody on the way can write", async () => {
    const { simulator } = await setUp();
    const { url } = await serveAt(simulator, { publicUrl: "https://repodex.example.com" });
    const signOut = async (origin: string) =>
      (await fetch(`${url}/sign-out`, { method: "POST", redirect: "manual", headers: { origin } })).status;

    expect(await signOut("http://repodex.example.com")).toBe(403);
    expect(await signOut("https://repodex.example.com")).toBe(303);
  });

  test("sees within minutes what GitHub gives and takes, without signing in again", async () => {
    const { server, simulator, own, foreign } = await setUp();
    const { browser } = await signIn(server);

    simulator.setPermission(Number(foreign), "octocat", "read");
    simulator.setPermission(Number(own), "octocat", "none");
    const before = await idsSeen(server, browser);
    await passCheck();
    const after = await idsSeen(server, browser);

    expect([before, after]).toEqual([[own], [foreign]]);
  });

  test("sees nothing, with a sentence, while GitHub cannot be asked; and all again afterwards", async () => {
    const { server, simulator, own } = await setUp();
    const { browser } = await signIn(server);
    await passCheck();
    const restore = simulator.fault({ route: "/user/installations", status: 503 });

    const page = await browser.open(`${server.url}/`);
    restore();

    expect([page.status, page.headers.get("retry-after")]).toEqual([503, "30"]);
    expect(page.text).toContain("could not be asked of GitHub, so nothing is shown. GitHub answered 503");
    expect(await idsSeen(server, browser)).toEqual([own]);
  });

  test("costs GitHub one look that nobody waits for in a while, however often they come, where it goes wrong", async () => {
    const { server, simulator, own } = await setUp();
    const { browser } = await signIn(server);
    await sql`update users set checked_at = checked_at - interval '150 seconds'`.execute(database.db);
    const refused = () => simulator.requests.filter(({ status }) => status === 503);
    const restore = simulator.fault({ route: "/user", status: 503, times: 100 });

    const seen = [await idsSeen(server, browser)];
    await until(() => refused().length > 0, { what: "the look to go wrong" });
    for (let i = 1; i <= 4; i += 1) seen.push(await idsSeen(server, browser));
    restore();
    await passCheck();
    seen.push(await idsSeen(server, browser)); // this one is waited for

    expect(seen).toEqual(Array(6).fill([own]));
    expect(refused()).toHaveLength(1);
  });

  test("stays so when GitHub's token ends: it is renewed, by one of two replicas", async () => {
    const { server, simulator, own } = await setUp();
    const second = await serveAt(simulator);
    const { browser } = await signIn(server);

    for (let round = 1; round <= 3; round += 1) {
      simulator.authorizations.expireAll();
      await passCheck();
      const seen = await Promise.all([server, second, server, second].map((at) => idsSeen(at, browser)));
      expect(seen, `round ${round}`).toEqual([[own], [own], [own], [own]]);
    }
  });

  test("is signed out at the next look where GitHub says that nobody may act for them, till they sign in", async () => {
    const { server, simulator, own } = await setUp();
    const { browser } = await signIn(server);

    simulator.authorizations.revoke("octocat");
    const before = await idsSeen(server, browser);
    await passCheck();
    const after = await idsSeen(server, browser);
    const { browser: again } = await signIn(server, { browser });

    expect([before, after, await idsSeen(server, again)]).toEqual([[own], 401, [own]]);
  });

  test("must sign in again after the App's client secret has changed", async () => {
    const { server, simulator, own } = await setUp();
    const { browser } = await signIn(server);
    const rotated = await serveAt(simulator, { clientSecret: "a new one" });

    const before = await idsSeen(rotated, browser);
    await passCheck();

    expect([before, await idsSeen(rotated, browser)]).toEqual([[own], 401]);
  });

  test("starts and cancels scans with write access alone, under the own name", async () => {
    const { server, simulator, own } = await setUp();
    const { browser } = await signIn(server);
    simulator.authorizations.browserUser = "reader";
    const { browser: reader } = await signIn(server);
    const post = (by: Browser, path: string) =>
      fetch(`${server.url}${path}`, {
        method: "POST",
        headers: { origin: server.url, cookie: cookieOf(by) },
      });
    const rescan = `/api/v1/repositories/${own}/rescan`;

    const refused = await post(reader, rescan);
    const accepted = await post(browser, rescan);

    expect(refused.status).toBe(403);
    expect(((await refused.json()) as { detail: string }).detail).toContain("needs write access");
    expect(accepted.status).toBe(202);
    const { run } = (await accepted.json()) as { run: { id: string; requested_by: string } };
    expect(run.requested_by).toBe("octocat");
    expect((await post(reader, `/api/v1/runs/${run.id}/cancel`)).status).toBe(403);
    expect((await post(browser, `/api/v1/runs/${run.id}/cancel`)).status).toBe(202);
  });

  test("sees and loses at once what an event tells of", async () => {
    const journey = await startJourney(database, { started: false });
    const { simulator } = journey;
    const server = await journey.start(simulator.signInEnvironment);
    simulator.authorizations.callbackUrls.push(`${server.url}/sign-in/callback`);
    simulator.setPermission(journey.repositoryId, "octocat", "none");
    await journey.install();
    const { browser } = await signIn(server);

    const before = await idsSeen(server, browser);
    simulator.setPermission(journey.repositoryId, "octocat", "read");
    await simulator.publicizeRepository(journey.repositoryId);
    await journey.untilStill();
    const given = await idsSeen(server, browser);
    const { sender } = simulator.origin(journey.repositoryId, "octocat");
    await simulator.deliver("github_app_authorization", { action: "revoked", sender });
    await journey.untilStill();

    expect([before, given, await idsSeen(server, browser)]).toEqual([
      [],
      [String(journey.repositoryId)],
      401,
    ]);
    expect(await database.db.selectFrom("sessions").select("id").execute()).toEqual([]);
  });
});

describe("what GitHub answers in the middle of something", () => {
  test("a sign-in is not refused for the tokens before it, which a check was still asking with", async () => {
    const { server, simulator, own } = await setUp();
    const { browser } = await signIn(server);
    await passCheck();
    simulator.authorizations.revoke("octocat");
    let again: Awaited<ReturnType<typeof signIn>> | undefined;
    simulator.fault({
      route: "/user",
      meanwhile: async () => {
        again = await signIn(server, { browser: createBrowser() });
      },
    });

    const before = await idsSeen(server, browser);

    expect(before, "which the sign-in made good again").toEqual([own]);
    expect([again?.page.status, again && (await idsSeen(server, again.browser))]).toEqual([200, [own]]);
  });

  test("tokens are renewed by one alone, however long GitHub took before", async () => {
    const { server, simulator, own } = await setUp();
    const { browser } = await signIn(server);
    const { id } = await database.db.selectFrom("users").select("id").executeTakeFirstOrThrow();
    await passCheck();
    simulator.authorizations.expireAll();
    const lapse = () => sql`update users set lease_until = '-infinity'`.execute(database.db);
    simulator.fault({ route: "/user", meanwhile: lapse });
    let second: unknown = "not asked";
    const ask = async () => {
      second = await leaseCheck(database.db, id);
    };
    simulator.fault({ route: "/login/oauth/access_token", meanwhileAfterBytes: 1, meanwhile: ask });

    const seen = await idsSeen(server, browser);

    expect([second, seen]).toEqual([null, [own]]);
  });

  test("what was asked later counts, whichever answer comes last", async () => {
    const { server, simulator, own } = await setUp();
    const second = await serveAt(simulator);
    const { browser } = await signIn(server);
    await passCheck();
    const seen: unknown[] = [];
    const overtake = async () => {
      simulator.setPermission(Number(own), "octocat", "none");
      await sql`update users set lease_until = null`.execute(database.db); // it took too long
      seen.push(await idsSeen(second, browser));
    };
    const repositories = "/user/installations/{installation_id}/repositories";
    simulator.fault({ route: repositories, meanwhileAfterBytes: 1, meanwhile: overtake });

    seen.push(await idsSeen(server, browser), await idsSeen(second, browser));

    expect(seen).toEqual([[], [], []]);
  });

  test.each([
    ["nothing", ""],
    ["a page for people", "<html>Please wait</html>"],
    ["no token", {}],
  ])("where tokens are to be renewed, %s is no refusal: nobody is signed out", async (_what, body) => {
    const { server, simulator, own } = await setUp();
    const { browser } = await signIn(server);
    await passCheck();
    simulator.authorizations.expireAll();
    simulator.fault({ route: "/login/oauth/access_token", status: 200, body });

    const meanwhile = await idsSeen(server, browser);

    expect([meanwhile, await idsSeen(server, browser)]).toEqual([503, [own]]);
  });

  test("whoever comes back is not cleared away as idle before their session is there", async () => {
    const { server, simulator, own } = await setUp();
    await signIn(server);
    await database.db.deleteFrom("sessions").execute();
    await sql`update users set created_at = created_at - interval '1 day'`.execute(database.db);
    simulator.fault({ route: "/user/installations", meanwhile: () => deleteIdleUsers(database.db) });

    const { browser } = await signIn(server);

    expect(await idsSeen(server, browser)).toEqual([own]);
  });

  test("events in a row, such as another tenant's, keep nobody from seeing what is theirs", async () => {
    const { server, simulator, own, foreign } = await setUp();
    const { browser } = await signIn(server);
    await passCheck();
    simulator.setPermission(Number(foreign), "octocat", "read");
    let asked = 0;
    const meanwhile = async () => {
      asked += 1;
      await noteAccessChanged(database.db);
    };
    simulator.fault({ route: "/user/installations", times: 10, meanwhile });

    const seen = await idsSeen(server, browser);

    expect([seen, asked]).toEqual([[own, foreign], 1]);
  });

  test("what was asked by a clock that has been set back since does not count", async () => {
    const { server, simulator, own } = await setUp();
    const { browser } = await signIn(server);
    await sql`update users set checked_at = checked_at + interval '1 hour'`.execute(database.db);
    simulator.setPermission(Number(own), "octocat", "none");

    const seen = [await idsSeen(server, browser), await idsSeen(server, browser)];

    expect(seen).toEqual([[], []]);
  });

  test("a list that moves while it is read names repositories twice, and each is seen once", async () => {
    const { server, simulator, own } = await setUp();
    simulator.fault({
      route: "/user/installations/{installation_id}/repositories",
      mutate: (body) => {
        const { total_count, repositories } = JSON.parse(body.toString());
        return Buffer.from(JSON.stringify({ total_count, repositories: [...repositories, ...repositories] }));
      },
    });

    const { browser } = await signIn(server);

    expect(await idsSeen(server, browser)).toEqual([own]);
  });
});
