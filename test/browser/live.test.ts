import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { appendEvent } from "../../src/runs/events.ts";
import { requestRun } from "../../src/runs/queue.ts";
import { INDEXED, seedRun, updateRepository } from "../http/seed.ts";
import { serve } from "../http/server.ts";
import { CHROMIUM, useChromium, type VisitOptions } from "../support/chromium.ts";
import { useDatabase } from "../support/database.ts";
import { API_TOKEN } from "../support/repodex.ts";
import { seedRepository } from "../support/seed.ts";

const database = useDatabase();
const HOME = "/repositories/100";

async function move(runId: string, done: number): Promise<void> {
  const progress = JSON.stringify({ files_total: 1_208, files_done: done });
  await database.db.updateTable("runs").set({ progress }).where("id", "=", runId).execute();
  const data = { stage: "reading files", files_done: done, files_total: 1_208 };
  await appendEvent(database.db, runId, {
    kind: "run.progress",
    level: "debug",
    message: "reading files",
    data,
  });
}

describe.skipIf(CHROMIUM === null)("a page in a browser with scripts", () => {
  const chromium = useChromium();

  /** A page, once it hears of what changes. */
  async function open(path: string, options: VisitOptions = {}): Promise<Page> {
    const server = await serve(database);
    await server.listening;
    const { page, context } = await chromium.visit(options);
    await context.setExtraHTTPHeaders({ authorization: `Bearer ${API_TOKEN}` });
    await page.goto(server.url + path);
    return page;
  }

  test("follows a run, and keeps the focus, what is typed, what is opened and how far it is scrolled", async () => {
    await seedRepository(database.db);
    await updateRepository(database.db, INDEXED);
    const id = await seedRun(database.db, {
      state: "running",
      stage: "reading files",
      started_at: new Date(),
    });
    const error = { code: "flaky", message: "Again.", cause: "GitHub hung up." };
    await appendEvent(database.db, id, { kind: "run.retrying", level: "warn", message: "Again.", error });
    const page = await open(`/runs/${id}`);
    await page.locator("input[name=q]").fill("typed");
    await page.locator("summary").click();
    await page.locator("#actions button.danger").focus();
    await page.evaluate("document.body.style.minHeight = '5000px'; scrollTo(0, 300)");

    await move(id, 412);
    await page.locator("#banner", { hasText: "412 of 1,208 files" }).waitFor();
    await move(id, 906);
    await page.locator("#banner", { hasText: "906 of 1,208 files" }).waitFor();

    expect(await page.title()).toMatch(/^75% Running · Run/);
    expect(await page.locator("#banner progress").getAttribute("value")).toBe("906");
    expect(await page.locator("#log li").count()).toBe(3);
    expect(await page.locator("input[name=q]").inputValue()).toBe("typed");
    expect(await page.locator("details").getAttribute("open")).toBe("");
    expect(await page.evaluate("document.activeElement.className")).toBe("danger");
    expect(await page.evaluate("scrollY")).toBe(300);
  });

  test("tells of mistakes in the configuration as soon as the run has found them", async () => {
    await seedRepository(database.db);
    const id = await seedRun(database.db, { state: "running", started_at: new Date() });
    const page = await open(`/runs/${id}`);
    const faults = [{ line: 2, column: 1, message: "exclude must be a list." }];

    await database.db
      .updateTable("runs")
      .set({ configuration_faults: JSON.stringify(faults) })
      .where("id", "=", id)
      .execute();
    await move(id, 412);
    await page.locator("#banner", { hasText: "412 of 1,208 files" }).waitFor();

    expect(await page.locator("main").textContent()).toContain("exclude must be a list.");
  });

  test("keeps the focus on what moves to another place of the page", async () => {
    for (const id of ["100", "101"]) await seedRepository(database.db, { id });
    const id = await seedRun(database.db, { state: "running", started_at: new Date() });
    await seedRun(database.db, { state: "running", started_at: new Date(), repository_id: "101" });
    const page = await open("/");
    const focused = "document.activeElement.getAttribute('href')";
    await page.locator("#section-running a.name[href='/repositories/100']").focus();

    await database.db
      .updateTable("runs")
      .set({ state: "succeeded", finished_at: new Date(), worker: null, lease_until: null })
      .where("id", "=", id)
      .execute();
    await appendEvent(database.db, id, { kind: "run.completed", message: "Done." });
    await page.locator("#section-other a.name").waitFor();

    expect(await page.evaluate(focused)).toBe("/repositories/100");
  });

  test("is still once a run has ended", async () => {
    await seedRepository(database.db);
    const id = await seedRun(database.db, { state: "running", started_at: new Date() });
    const page = await open(`/runs/${id}`);
    expect(await page.locator("live-region").count()).toBe(1);

    await database.db
      .updateTable("runs")
      .set({ state: "succeeded", finished_at: new Date(), worker: null, lease_until: null, stage: null })
      .where("id", "=", id)
      .execute();
    await appendEvent(database.db, id, { kind: "run.completed", message: "Done." });

    await page.locator("h1", { hasText: "Succeeded" }).waitFor();
    expect(await page.locator("live-region").count()).toBe(0);
    expect(await page.locator("#actions .danger").isDisabled()).toBe(true);
  });

  test("shows the first repository by itself, in its reader's language", async () => {
    const page = await open("/", { language: "ko-KR" });
    expect(await page.locator("h1").textContent()).toBe("아직 저장소가 없습니다");

    await seedRepository(database.db);
    await database.db
      .transaction()
      .execute((trx) => requestRun(trx, { repository_id: "100", trigger: "install" }));

    await page.locator("table.repositories", { hasText: "repository-100" }).waitFor();
  });

  test("lets times go on, in its reader's language", async () => {
    await seedRepository(database.db);
    await updateRepository(database.db, INDEXED);
    await seedRun(database.db, { state: "running", started_at: new Date(Date.now() - 3_660_000) });
    const page = await open(HOME, { language: "ko-KR" });
    const meter = page.locator("#banner .elapsed");

    const before = (await meter.textContent()) ?? "";
    expect(before).toMatch(/^1:01:\d\d$/);
    await page.locator("#banner .elapsed", { hasNotText: before }).waitFor();
    await page.locator("#facts time").evaluate((time: { dateTime: string }) => {
      time.dateTime = new Date(Date.now() - 7_300_000).toISOString();
    });

    await page.locator("#facts time", { hasText: "2시간 전" }).waitFor();
  });

  test("says so when the connection is lost, and no longer when it is back", async () => {
    await seedRepository(database.db);
    await seedRun(database.db, { state: "running", started_at: new Date() });
    const page = await open(HOME);
    const said = page.locator("live-region p");
    expect(await said.isVisible()).toBe(false);

    await page.context().setOffline(true);
    await page.evaluate("document.dispatchEvent(new Event('visibilitychange')) && undefined"); // it is looked at again
    await said.waitFor();
    await page.context().setOffline(false);

    await said.waitFor({ state: "hidden" });
  });

  test("asks again when it may, where it was refused for having asked too much", async () => {
    await seedRepository(database.db);
    const id = await seedRun(database.db, {
      state: "running",
      stage: "reading files",
      started_at: new Date(),
    });
    const page = await open(HOME);
    let refused = 0;
    await page.route(`**${HOME}`, (route) => {
      refused += 1;
      return refused > 1 ? route.fallback() : route.fulfill({ status: 429, headers: { "retry-after": "1" } });
    });

    await move(id, 412);

    await page.locator("#banner", { hasText: "412 of 1,208 files" }).waitFor();
    expect(refused).toBe(2);
  });

  test("takes a notice out of its address, and goes to the search box at a slash", async () => {
    await seedRepository(database.db);
    const page = await open(`${HOME}?notice=queued`);
    const box = page.locator("main input[name=q]");

    expect(new URL(page.url()).search).toBe("");
    expect(await page.locator(".notice").textContent()).toBe("The scan is queued.");
    await page.keyboard.press("/");
    expect(await box.inputValue()).toBe("repo:account-1/repository-100 ");
    await page.keyboard.press("/");
    expect(await box.inputValue()).toBe("/"); // what was there was chosen, to be typed over
  });
});
