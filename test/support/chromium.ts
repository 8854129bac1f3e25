import { accessSync, constants } from "node:fs";
import path from "node:path";
import axe from "axe-core";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, expect, onTestFinished } from "vitest";

/** Where people have it; `CHROMIUM` names another. */
const NAMES = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"];
export const CHROMIUM = findChromium();

function findChromium(): string | null {
  const folders = (process.env.PATH ?? "").split(path.delimiter);
  const named = folders.flatMap((folder) => NAMES.map((name) => path.join(folder, name)));
  const candidates = process.env.CHROMIUM ? [process.env.CHROMIUM] : named;
  return candidates.find(isExecutable) ?? null;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Windows, in CSS pixels. */
export const DESK = { width: 1280, height: 900 };
export const PHONE = { width: 375, height: 812 };

export interface Visit {
  page: Page;
  context: BrowserContext;
  /** What the page said on its console that was no success; nothing is expected. */
  complaints: string[];
}

export interface VisitOptions {
  javaScript?: boolean;
  dark?: boolean;
  phone?: boolean;
  language?: "en-US" | "ko-KR";
}

/** One real browser for a test file. */
export function useChromium(): { visit(options?: VisitOptions): Promise<Visit> } {
  let browser: Browser;
  beforeAll(async () => {
    browser = await chromium.launch({
      executablePath: CHROMIUM ?? "chromium",
      args: ["--no-sandbox", "--headless", "--disable-gpu"],
    });
  });
  afterAll(async () => {
    await browser?.close();
  });

  return {
    async visit({ javaScript = true, dark = false, phone = false, language = "en-US" } = {}) {
      const context = await browser.newContext({
        javaScriptEnabled: javaScript,
        colorScheme: dark ? "dark" : "light",
        viewport: phone ? PHONE : DESK,
        locale: language,
      });
      onTestFinished(() => context.close());
      await context.addInitScript(watchLayout);
      const page = await context.newPage();
      const complaints: string[] = [];
      page.on("console", (message) => {
        if (["error", "warning"].includes(message.type())) complaints.push(message.text());
      });
      page.on("pageerror", (error) => complaints.push(String(error)));
      return { page, context, complaints };
    },
  };
}

declare global {
  var layoutShift: number;
}

/** What the browser tells of something that moved. */
interface Shift {
  value: number;
  hadRecentInput: boolean;
  sources: { node: { parentElement: { closest(selector: string): unknown } | null } | null }[];
}

/** Runs in the page: adds up how much of it moved without anybody's doing, but for rows that make room for a new one. */
function watchLayout(): void {
  globalThis.layoutShift = 0;
  const observer = new PerformanceObserver((list) => {
    for (const { value, hadRecentInput, sources } of list.getEntries() as unknown as Shift[]) {
      const isRow = sources.every(({ node }) => node?.parentElement?.closest("table, ol") != null);
      if (!hadRecentInput && !isRow) globalThis.layoutShift += value;
    }
  });
  observer.observe({ type: "layout-shift" as never, buffered: true }); // Node knows no such entries
}

/** How much of the page has moved by itself since it was opened (1: all of it, over its whole height). */
export async function layoutShiftOf(page: Page): Promise<number> {
  return await page.evaluate(() => globalThis.layoutShift);
}

/** Holds a page against axe's rules, or only some of them: what stands in the way of who sees, hears or moves otherwise. */
export async function expectAccessible(page: Page, { rules }: { rules?: string[] } = {}): Promise<void> {
  const isThere = await page.evaluate("typeof axe === 'object'");
  if (!isThere) await page.evaluate(axe.source);
  const found = await page.evaluate(async (only) => {
    const run = (globalThis as unknown as { axe: typeof axe }).axe.run;
    const { violations } = await (only ? run({ runOnly: only }) : run());
    return violations.map(
      ({ id, nodes }) =>
        `${id}: ${nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`).join("\n")}`,
    );
  }, rules);
  expect.soft(found, page.url()).toEqual([]);
}

/** Opens a page anew and answers the bytes that came for it, with all that belongs to it. */
export async function transferred(page: Page, url: string): Promise<number> {
  const session = await page.context().newCDPSession(page);
  let bytes = 0;
  session.on("Network.loadingFinished", ({ encodedDataLength }) => {
    bytes += encodedDataLength;
  });
  await session.send("Network.enable");
  await session.send("Network.setCacheDisabled", { cacheDisabled: true });
  await page.goto(url);
  await page.waitForLoadState("load");
  await session.detach();
  return bytes;
}
