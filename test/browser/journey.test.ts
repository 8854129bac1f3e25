import { randomBytes } from "node:crypto";
import { sql } from "kysely";
import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { CHECK_SECONDS } from "../../src/access/account.ts";
import { en } from "../../src/http/pages/messages/en.ts";
import { CHROMIUM, layoutShiftOf, useChromium } from "../support/chromium.ts";
import { useDatabase } from "../support/database.ts";
import { type Journey, startJourney } from "../support/journey.ts";
import { until } from "../support/wait.ts";

const FILES = 40;
const TREE = "/repos/{owner}/{repo}/git/trees/{tree_sha}";
/** Nothing on a page moves by itself by more than rounding does. */
const MOST_SHIFT = 0.005;

const database = useDatabase();

/** Texts that do not compress, so much of them that their archive is read in parts. */
function someFiles(): Record<string, string> {
  const text = () =>
    randomBytes(120_000)
      .toString("base64")
      .replaceAll(/(.{76})/g, "$1\n");
  return Object.fromEntries(Array.from({ length: FILES }, (_, i) => [`src/file${i}.txt`, text()]));
}

/** Holds whatever asks for a route, after so many bytes of its answer, until it is let go. */
function hold({ simulator }: Journey, fault: { route: string; meanwhileAfterBytes?: number }) {
  const [held, released] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const meanwhile = () => {
    held.resolve();
    return released.promise;
  };
  simulator.fault({ ...fault, meanwhile });
  return { held: held.promise, release: released.resolve };
}

describe.skipIf(CHROMIUM === null)("a person with a browser", () => {
  const chromium = useChromium();

  test.for<[string, boolean]>([
    ["with scripts: the page follows by itself", true],
    ["without scripts: the page follows when it is loaded again", false],
  ])(
    "installs, watches, mends, rescans, cancels, searches and leaves, %s",
    { timeout: 120_000 },
    async ([, javaScript]) => {
      const journey = await startJourney(database, { started: false, files: someFiles() });
      const { simulator, git } = journey;
      const server = await journey.start({ ...simulator.signInEnvironment, OPERATORS: "octocat" });
      simulator.authorizations.callbackUrls.push(`${server.url}/sign-in/callback`);
      const { page, complaints } = await chromium.visit({ javaScript });
      const repository = `${server.url}/repositories/${journey.repositoryId}`;
      const banner = page.locator("#banner");
      const button = (name: string) => page.getByRole("button", { name, exact: true });

      /** Waits until the page says so: by itself where it can, else by loading it again. */
      async function see(place: ReturnType<Page["locator"]>, text: string | RegExp): Promise<string> {
        const found = place.filter({ hasText: text }).first();
        if (javaScript) await found.waitFor({ timeout: 20_000 });
        else {
          await until(async () => (await found.isVisible()) || (await page.reload().then(() => false)), {
            what: String(text),
            timeoutMs: 20_000,
          });
        }
        return (await found.textContent()) ?? "";
      }

      // First run: signing in, nothing there, then the App is installed.
      await page.goto(`${server.url}/`);
      const stream = javaScript && page.waitForResponse((answer) => answer.url().endsWith("/api/v1/events"));
      await page.getByRole("link", { name: en.signIn.button }).click();
      await see(page.locator("h1"), en.firstRun.title);
      const firstScan = hold(journey, { route: "tarball", meanwhileAfterBytes: 3_500_000 });
      await stream; // it was opened by somebody who could see nothing
      await simulator.deliverInstallationCreated(journey.installationId);
      await see(page.locator("#repositories"), "octocat/hello");
      await page.locator("#repositories").getByRole("link", { name: "octocat/hello" }).click();

      // Progress moves, to success.
      await firstScan.held;
      const progress = await see(banner, new RegExp(`[1-9]\\d* of ${FILES} files`));
      expect(Number(/(\d+) of/.exec(progress)?.[1])).toBeLessThan(FILES);
      if (javaScript) await page.evaluate("globalThis.kept = true");
      firstScan.release();
      await see(banner, en.banner.idle);
      const first = await git.head();
      await see(page.locator("#facts"), first.slice(0, 7));
      expect(await page.locator("#facts").textContent()).toContain(en.verified);

      // A push is followed without a reload, and nothing moves.
      const second = await git.commit({ "src/new.ts": "export const needle = 1;\n" });
      await simulator.deliverPush(journey.repositoryId);
      await see(page.locator("#facts"), second.slice(0, 7));
      if (javaScript) {
        expect(await page.evaluate("globalThis.kept")).toBe(true);
        expect(await layoutShiftOf(page)).toBeLessThanOrEqual(MOST_SHIFT);
      }

      // What fails says why, and what to do.
      const forbid = simulator.fault({
        route: TREE,
        status: 403,
        times: 100,
        body: { message: "Resource not accessible by integration" },
      });
      await git.commit({ "src/new.ts": "export const needle = 2;\n" });
      await simulator.deliverPush(journey.repositoryId);
      await see(banner, en.banner.failed);
      expect(await banner.textContent()).toContain("GitHub refused to list the files");
      expect(await banner.textContent()).toContain(en.advice.forbidden);
      if (javaScript) expect(await layoutShiftOf(page)).toBeLessThanOrEqual(MOST_SHIFT);
      await banner.getByRole("link", { name: en.banner.seeFailure }).click();
      await see(page.locator("#failure"), "GitHub refused to list the files");
      forbid();

      // A rescan while one runs: one more follows, and the page says so.
      await page.goto(repository);
      const held = hold(journey, { route: TREE });
      await button(en.actions.rescan).click();
      await held.held;
      await see(banner, /Listing files|Starting/);
      await button(en.actions.rescan).click();
      await see(page.getByRole("status"), en.notices.follow_up);
      await see(banner, en.banner.followUp);
      await button(en.actions.cancel).click();
      await see(page.getByRole("status"), en.notices.cancelling);
      held.release();
      await journey.untilStill();
      await page.goto(repository);
      await see(page.locator("#tab"), en.states.cancelled);
      await see(banner, en.banner.idle);

      // Search, the file that is found, and where it stays.
      await page.getByRole("search").getByRole("searchbox").fill("needle");
      await page.getByRole("search").getByRole("button").click();
      await page
        .getByRole("link", { name: /src\/new\.ts/ })
        .first()
        .click();
      await see(page.locator("h1"), "src/new.ts");
      expect(new URL(page.url()).hash).toBe("#L1");
      expect(await page.locator("#L1").textContent()).toContain("needle = 2");
      const permalink = await page.getByRole("link", { name: en.layout.onGitHub }).getAttribute("href");
      expect(permalink).toBe(`${simulator.url}/octocat/hello/blob/${await git.head()}/src/new.ts`);

      // Access that GitHub takes away, and signing out.
      simulator.setPermission(journey.repositoryId, "octocat", "none");
      await sql`update users set checked_at = checked_at - make_interval(secs => ${CHECK_SECONDS})`.execute(
        database.db,
      );
      const { status } = { status: (await page.goto(repository))?.status() };
      expect(status).toBe(404);
      await button(en.layout.signOut).click();
      await see(page.locator("main"), en.signIn.reasons.signed_out);
      expect((await page.goto(`${server.url}/`))?.url()).toContain("/sign-in");
      expect(complaints.filter((text) => !text.includes("404"))).toEqual([]);
    },
  );
});
