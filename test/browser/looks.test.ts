import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { Hono } from "hono";
import { sql } from "kysely";
import type { Page } from "playwright-core";
import { describe, expect, onTestFinished, test } from "vitest";
import { createRegistrar } from "../../src/github/registration.ts";
import { createSetupApp } from "../../src/http/setup/app.ts";
import { createSetupSession } from "../../src/http/setup/session.ts";
import { createLogger } from "../../src/log.ts";
import { appendEvent } from "../../src/runs/events.ts";
import { startServer } from "../../src/server.ts";
import { seedRun } from "../http/seed.ts";
import { type HttpServer, serve } from "../http/server.ts";
import {
  CHROMIUM,
  DESK,
  expectAccessible,
  layoutShiftOf,
  PHONE,
  transferred,
  useChromium,
  type Visit,
} from "../support/chromium.ts";
import { useDatabase } from "../support/database.ts";
import { startJourney } from "../support/journey.ts";
import { seedRepository, seedUser } from "../support/seed.ts";
import { signInAccess } from "../support/sign-in.ts";

/** `npm run screenshots` sets it: where the pictures of the pages go. */
const SCREENSHOTS = process.env.SCREENSHOTS;
const MOST_BYTES = 60_000;
const database = useDatabase();

/** This project's own source, as somebody has it in a repository. */
function ownSource(): Record<string, Buffer> {
  const root = path.join(import.meta.dirname, "../..");
  const files = readdirSync(path.join(root, "src"), { recursive: true, withFileTypes: true }).filter(
    (entry) => entry.isFile(),
  );
  const read = files.map(({ parentPath, name }) => path.relative(root, path.join(parentPath, name)));
  const own = Object.fromEntries(read.map((file) => [file, readFileSync(path.join(root, file))]));
  return {
    ...own,
    "docs/한국어.txt": Buffer.from("c0ceb5a6bdba", "hex"),
    "assets/logo.png": Buffer.from([0x89, 0x50, 0x4e, 0x47, 0, 1]),
    "assets/model.bin": Buffer.from("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"),
    "legacy/notes.txt": Buffer.from([0x81, 0x8d, 0x8f, 0x90, 0x9d, 0x0a]),
    "vendor/large.js": Buffer.alloc(1_500_000, "x;\n"),
  };
}

/** A site in the middle of its life: one repository really indexed, others in every state that there is. */
async function setUp() {
  const { db } = database;
  const journey = await startJourney(database, { started: false, files: ownSource() });
  const worker = await journey.start();
  await journey.install();
  await worker.close(); // what is seeded stays as it is
  const installation_id = String(journey.installationId);
  const own = String(journey.repositoryId);
  const names = ["website", "billing", "mobile-app", "infrastructure", "design-system", "archive-2019"];
  const ids = names.map((_, i) => String(900 + i));
  for (const [i, id] of ids.entries()) {
    await seedRepository(db, { id, installation_id });
    await db
      .updateTable("repositories")
      .set({ owner: "octocat", name: names[i] ?? "", archived: i === 5 })
      .where("id", "=", id)
      .execute();
  }
  await sql`
    update repositories r set indexed_commit = h.indexed_commit, indexed_tree_sha = h.indexed_tree_sha, indexed_verified = r.id <> 904,
      indexed_at = clock_timestamp() - (r.id - 898) * interval '3 hours', indexed_files = 120 * (r.id - 899), indexed_bytes = 1e6
    from repositories h where h.id = ${own} and r.id between 901 and 905`.execute(db);
  const [website, billing, mobile, infrastructure] = ids as [string, string, string, string];
  const run = (repository_id: string, seeded: object) =>
    seedRun(db, { repository_id, installation_id, ...seeded });
  const failed = await run(billing, {
    state: "failed",
    reason:
      "GitHub refused to list the files. Check that the App has the permissions of app.yml, and that the owner has accepted them.",
    reason_code: "forbidden",
    head_sha: "3f2a9c1".padEnd(40, "0"),
    failures: 1,
    epoch: 1,
    started_at: new Date(Date.now() - 62_000),
  });
  await log(failed, [
    { kind: "run.queued", message: "Queued by a push" },
    { kind: "run.started", message: "Claimed by build-1/4242" },
    { kind: "run.progress", message: "Listing files" },
    {
      kind: "run.completed",
      level: "error",
      message: "GitHub refused to list the files.",
      error: {
        code: "forbidden",
        message: "GitHub refused to list the files.",
        cause: "HttpError: Resource not accessible by integration",
      },
    },
  ]);
  const running = await run(website, {
    state: "running",
    stage: "reading files",
    trigger: "rescan",
    requested_by: "octocat",
    head_sha: "91be0d2".padEnd(40, "0"),
    progress: JSON.stringify({ files_total: 1_208, files_done: 412, chunks: 980, bytes: 4_200_000 }),
    epoch: 1,
    started_at: new Date(Date.now() - 14_000),
    queued_at: new Date(Date.now() - 17_000),
  });
  await log(running, [
    { kind: "run.queued", message: "Queued by octocat's rescan" },
    { kind: "run.started", message: "Claimed by build-1/4242" },
    { kind: "run.progress", message: "Reading files", data: { files_done: 412, files_total: 1_208 } },
  ]);
  await run(website, { state: "queued", trigger: "push" });
  await run(mobile, {
    state: "queued",
    wait_reason: "GitHub's rate limit is spent.",
    not_before: new Date(Date.now() + 1_260_000),
  });
  await run(infrastructure, { state: "succeeded", verified: true });
  await database.db
    .insertInto("deliveries")
    .values([
      {
        guid: "11111111-1111-4111-8111-111111111111",
        event: "installation",
        action: "created",
        state: "handled",
        attempts: 1,
        installation_id,
        outcome: "Installed with 7 repositories, one run each.",
      },
      {
        guid: "22222222-2222-4222-8222-222222222222",
        event: "push",
        state: "handled",
        attempts: 1,
        installation_id,
        repository_id: website,
        outcome: "Run 3 (queued): the head is 91be0d2.",
      },
      {
        guid: "33333333-3333-4333-8333-333333333333",
        event: "issue_comment",
        action: "created",
        state: "failed",
        attempts: 8,
        installation_id,
        repository_id: billing,
        error: "GitHub did not show the repository when it was asked what the person may do there.",
      },
    ])
    .execute();
  const { session } = await seedUser(db, { login: "octocat", write: [own, ...ids] });
  const server = await serve(database, { access: signInAccess(database, { operators: ["octocat"] }) });
  const succeeded = await db
    .selectFrom("runs")
    .select("id")
    .where("repository_id", "=", own)
    .executeTakeFirstOrThrow();
  return { server, session, own, website, billing, failed, running, succeeded: succeeded.id };
}

type LogEvent = Parameters<typeof appendEvent>[2];

async function log(run: string, events: LogEvent[]): Promise<void> {
  for (const event of events) await appendEvent(database.db, run, event);
}

/** Every page there is, by a name for its picture. */
function pagesOf({ own, website, billing, failed, running, succeeded }: Awaited<ReturnType<typeof setUp>>) {
  return {
    overview: "/",
    repository: `/repositories/${own}`,
    "repository-running": `/repositories/${website}`,
    "repository-failed": `/repositories/${billing}`,
    files: `/repositories/${own}/files`,
    problems: `/repositories/${own}/problems`,
    run: `/runs/${succeeded}`,
    "run-running": `/runs/${running}`,
    "run-failed": `/runs/${failed}`,
    search: `/search?q=${encodeURIComponent("lease lang:typescript")}`,
    "search-help": "/search",
    "search-mistake": `/search?q=${encodeURIComponent("/(unclosed/")}`,
    file: `/repositories/${own}/file?path=src/database/lease-loop.ts`,
    deliveries: "/deliveries",
    settings: "/settings",
    "not-found": "/repositories/1",
  };
}

async function signInto(server: HttpServer, session: string, { context }: Visit) {
  await context.addCookies([{ name: "repodex-session", value: session, url: server.url }]);
}

async function picture(page: Page, name: string): Promise<void> {
  if (!SCREENSHOTS) return;
  mkdirSync(SCREENSHOTS, { recursive: true });
  const client = await page.context().newCDPSession(page);
  const { data } = await client.send("Page.captureScreenshot", { format: "webp", quality: 60 });
  writeFileSync(path.join(SCREENSHOTS, `${name}.webp`), Buffer.from(data, "base64"));
}

/** Holds a page, as it is open, against all that pages must be. */
async function expectFit(page: Page, name: string): Promise<void> {
  await expectAccessible(page);
  const width = await page.evaluate(
    "document.documentElement.scrollWidth - document.documentElement.clientWidth",
  );
  expect.soft(width, `${name} is wider than the window`).toBeLessThanOrEqual(0);
}

describe.skipIf(CHROMIUM === null)("every page", () => {
  const chromium = useChromium();

  test("is accessible, light and dark, on a desk and a phone, and small", { timeout: 300_000 }, async () => {
    const site = await setUp();
    const visit = await chromium.visit();
    const { page } = visit;
    await signInto(site.server, site.session, visit);
    for (const [name, address] of Object.entries(pagesOf(site))) {
      await page.emulateMedia({ colorScheme: "light", reducedMotion: "reduce" });
      await page.setViewportSize(DESK);
      const bytes = await transferred(page, `${site.server.url}${address}`);
      expect.soft(bytes, `${name}: bytes`).toBeLessThanOrEqual(MOST_BYTES);
      expect.soft(await layoutShiftOf(page), `${name} moves while it loads`).toBeLessThanOrEqual(0.01);
      await expectFit(page, name);
      await picture(page, `${name}-light`);
      await page.emulateMedia({ colorScheme: "dark", reducedMotion: "reduce" });
      await expectAccessible(page, { rules: ["color-contrast"] });
      await picture(page, `${name}-dark`);
      await page.setViewportSize(PHONE);
      await picture(page, `${name}-phone-dark`);
      await page.emulateMedia({ colorScheme: "light", reducedMotion: "reduce" });
      await expectFit(page, `${name} on a phone`);
      await picture(page, `${name}-phone`);
    }
    expect(visit.complaints.filter((text) => !/404|400/.test(text))).toEqual([]);
  });

  test("is so for those who have not come in yet, too, and in Korean", { timeout: 120_000 }, async () => {
    const server = await serve(database, { access: signInAccess(database, { operators: ["octocat"] }) });
    const { session } = await seedUser(database.db);
    for (const language of ["en-US", "ko-KR"] as const) {
      const visit = await chromium.visit({ language });
      await visit.page.goto(`${server.url}/`);
      await expectFit(visit.page, "sign-in");
      await picture(visit.page, `sign-in-${language.slice(0, 2)}`);
      await signInto(server, session, visit);
      for (const [name, address] of Object.entries({
        "first-run": "/",
        settings: "/settings",
        search: "/search",
      })) {
        await visit.page.goto(`${server.url}${address}`);
        await expectFit(visit.page, name);
        if (name === "first-run" || language === "ko-KR")
          await picture(visit.page, `${name}-${language.slice(0, 2)}`);
      }
      expect(await visit.page.evaluate("document.documentElement.lang")).toBe(language.slice(0, 2));
    }
  });

  test("is so while there is no App yet", async () => {
    const session = createSetupSession();
    const app = createSetupApp({
      session,
      registrar: createRegistrar(null),
      suggestedUrl: null,
      store: () => "stored",
      file: "github-app.json",
      onRegistered() {},
      log: createLogger("silent"),
    });
    const server = await startServer({ webhooks: new Hono(), http: app, host: "127.0.0.1", port: 0 });
    onTestFinished(() => server.close());
    const { page } = await chromium.visit();

    await page.goto(`${server.url}/setup?token=${session.token}`);

    await expectFit(page, "setup");
    await picture(page, "setup-light");
  });
});
