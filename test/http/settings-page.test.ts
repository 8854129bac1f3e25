import { describe, expect, test } from "vitest";
import { OPERATOR } from "../../src/database/viewer.ts";
import { firstRunPage, nothingVisiblePage } from "../../src/http/pages/first-run.ts";
import { type SettingsOptions, settingsPage } from "../../src/http/pages/settings.ts";
import { signInPage } from "../../src/http/pages/sign-in.ts";
import { type Language, type View, viewIn } from "../../src/http/pages/view.ts";
import { buttonsOf, ESCAPED, expectHarmless, HOSTILE, linksOf, wordsOf } from "./page.ts";

const NOW = new Date("2026-01-02T03:04:05Z");
const inDays = (days: number) => new Date(NOW.getTime() + days * 86_400_000);

function viewOf(login: string, language: Language = "en"): View {
  const caller = {
    viewer: OPERATOR,
    actor: login,
    user: { id: "1", login },
    sessionId: null,
    isOperator: false,
    isBrowser: true,
    isReader: false,
    mayWrite: () => true,
    goodUntil: null,
  };
  return { ...viewIn(language), caller, path: "/settings", now: NOW };
}

async function render(html: ReturnType<typeof settingsPage>): Promise<string> {
  const page = String(await html);
  expectHarmless(page);
  return page;
}

const TOKEN = {
  id: "7",
  name: "CI",
  scope: "read" as const,
  created_at: inDays(-2),
  expires_at: inDays(30),
  last_used_at: null,
  login: "octocat",
};
const settings = (options: Partial<SettingsOptions> = {}, view = viewOf("octocat")) =>
  render(settingsPage(view, { tokens: [TOKEN], created: null, ...options }));

describe("the settings page", () => {
  test("lists tokens with what they may, until when, and when they were used", async () => {
    const old = {
      ...TOKEN,
      id: "8",
      scope: "write" as const,
      expires_at: inDays(-1),
      last_used_at: inDays(-1),
    };

    const page = await settings({ tokens: [TOKEN, old] });

    expect(wordsOf(page)).toContain("CI read 2 days ago in 30 days never Revoke");
    expect(wordsOf(page)).toContain("CI read, scan and cancel 2 days ago expired 1 day ago Revoke");
    expect(page).toContain('<form method="post" action="/settings/tokens/7/revoke">');
    expect(page).toContain('aria-label="Revoke CI"');
    expect(wordsOf(page)).not.toContain("octocat");
  });

  test("names the owners where there are tokens of others", async () => {
    expect(wordsOf(await settings({}, viewOf("hubot")))).toContain("CI octocat read");
  });

  test("says so where there is no token, and takes a new one", async () => {
    const page = await settings({ tokens: [] });

    expect(wordsOf(page)).toContain("No token yet.");
    expect(page).toContain('<form class="new-token" method="post" action="/settings/tokens">');
    expect([...page.matchAll(/<option value="(\d+)"/g)].map(([, days]) => days)).toEqual([
      "7",
      "30",
      "90",
      "365",
    ]);
    expect([...page.matchAll(/name="scope" value="(\w+)"/g)].map(([, scope]) => scope)).toEqual([
      "read",
      "write",
    ]);
    expect(page).toContain('<option value="90" selected>');
  });

  test("shows a new token this once, in a field to copy from", async () => {
    const page = await settings({ created: "rpx_secret" });

    expect(page).toMatch(/<input id="created"[^>]* readonly[^>]* value="rpx_secret"/);
    expect(wordsOf(page)).toContain("Copy it now: it is shown this once.");
    expect(await settings()).not.toContain('id="created"');
  });

  test("says at a field what is wrong with it, and keeps what was typed", async () => {
    const page = await settings({
      values: { name: "Old", scope: "write", days: "7" },
      faults: { name: "There is one of that name." },
    });

    expect(page).toMatch(/value="Old"[^>]* aria-invalid="true"/);
    expect(page).toContain('<strong role="alert">There is one of that name.</strong>');
    expect(page).toContain('<option value="7" selected>');
    expect(page).toContain('value="write" checked');
  });

  test("lists the browsers that are signed in, where they are known", async () => {
    const session = { id: "3", created_at: inDays(-1), last_used_at: null, is_current: false };

    const page = await settings({ sessions: [session, { ...session, id: "4", is_current: true }] });

    expect(page).toContain('action="/settings/sessions/3/end"');
    expect(page).not.toContain('action="/settings/sessions/4/end"');
    expect(wordsOf(page)).toContain("this one");
    expect(wordsOf(await settings())).not.toContain("Signed-in browsers");
  });

  test("shows who is signed in, the way out, and hostile names as text", async () => {
    const hostile = { ...TOKEN, id: HOSTILE, name: HOSTILE, login: HOSTILE };

    for (const language of ["en", "ko"] as const) {
      const options = {
        tokens: [hostile],
        created: HOSTILE,
        faults: { name: HOSTILE },
        values: { name: HOSTILE },
      };
      const page = await settings(options, viewOf(`${HOSTILE}x`, language));
      expect(page.split(ESCAPED).length).toBeGreaterThan(6);
      expect(page).toContain('<form method="post" action="/sign-out"><button class="plain">');
    }
  });
});

describe("the page to sign in", () => {
  const view = { ...viewIn("en"), path: "/sign-in" };

  test("leads to GitHub and back to where its reader was", async () => {
    const returnTo = "/search?q=a&b=%22";

    const page = await render(
      signInPage(view, { site: "", returnTo, reason: "expired", problem: "GitHub said no." }),
    );

    const [address = ""] = linksOf(page, /^Sign in with GitHub$/);
    expect(new URL(address, "http://localhost").pathname).toBe("/sign-in/github");
    expect(new URL(address, "http://localhost").searchParams.get("return_to")).toBe(returnTo);
    expect(wordsOf(page)).toContain("GitHub said no. Your session has ended.");
  });

  test("is in the reader's language, with nothing of theirs as markup", async () => {
    const page = await render(
      signInPage(
        { ...view, ...viewIn("ko") },
        { site: "", returnTo: HOSTILE, reason: null, problem: HOSTILE },
      ),
    );

    expect(wordsOf(page)).toContain("GitHub로 로그인");
    expect(page).toContain(ESCAPED);
    expect(buttonsOf(page)).toEqual({});
  });
});

describe("a list without repositories", () => {
  const installUrl = "https://github.com/apps/repodex/installations/new";

  test("says where to install the App, by a link or in words", async () => {
    const linked = await render(firstRunPage(viewOf("octocat"), { installUrl }));
    const told = await render(firstRunPage(viewOf("octocat"), { installUrl: null }));

    expect(linksOf(linked, /Install the App on GitHub/)).toEqual([installUrl]);
    expect(linksOf(told, /Install/)).toEqual([]);
    expect(wordsOf(told)).toContain("Settings, Developer settings, GitHub Apps");
  });

  test("tells who has signed in and may see none that this is about GitHub", async () => {
    const words = wordsOf(await render(nothingVisiblePage(viewOf("octocat"), { installUrl })));

    expect(words).toContain("No repository here is yours to read on GitHub");
    expect(words).not.toContain("No repository yet");
  });
});
