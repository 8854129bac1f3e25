import type { Logger } from "pino";
import { Probot, ProbotOctokit } from "probot";
import { boundedFetch } from "./bounded-fetch.ts";

/** A request must end well before a run's stall limit. */
const REQUEST_TIMEOUT_MS = 30_000;

export interface AppCredentials {
  appId: string;
  privateKey: string;
  webhookSecret: string;
  /** GitHub Enterprise Server's REST root, or null for github.com. */
  baseUrl: string | null;
}

export type GitHubApp = Probot;
export type Octokit = ProbotOctokit;

/**
 * The Probot app. Octokit's own waiting is off: a spent budget goes back to the run queue with its time, instead
 * of sleeping in a slot for hours, and an empty repository's 409 is an answer, not a reason to ask four times.
 */
export function createGitHubApp(credentials: AppCredentials, log: Logger): GitHubApp {
  return new Probot({
    appId: credentials.appId,
    privateKey: credentials.privateKey,
    secret: credentials.webhookSecret,
    request: { fetch: boundedFetch },
    ...(credentials.baseUrl && { baseUrl: credentials.baseUrl }),
    log: log.child({ name: "probot" }, { level: log.level === "silent" ? "silent" : "warn" }) as never, // Probot brings a pino of its own
    Octokit: ProbotOctokit.defaults((options: Record<string, unknown>) => ({
      ...options,
      retry: { doNotRetry: [304, 400, 401, 403, 404, 409, 410, 422, 429, 451], retries: 2 },
      throttle: {
        ...(options.throttle as object | undefined),
        onRateLimit: () => false,
        onSecondaryRateLimit: () => false,
      },
    })) as typeof ProbotOctokit,
  });
}

/** An Octokit of one installation, with that installation's own limiter. */
export async function octokitFor(app: GitHubApp, installationId: string): Promise<Octokit> {
  return await app.auth(Number(installationId));
}

/** For requests that create something: a failed answer may hide that it was created, so Octokit must not repeat it. */
export function once(signal: AbortSignal): { signal: AbortSignal; retries: number } {
  return { ...bounded(signal), retries: 0 };
}

/** All items of a paginated list, each page bounded in time: Octokit's own paginate drops the signal. */
export async function allPages<T>(
  ask: (page: number) => Promise<{ items: T[]; headers: { link?: string | undefined } }>,
): Promise<T[]> {
  const all: T[] = [];
  for (let page = 1; ; page += 1) {
    const { items, headers } = await ask(page);
    all.push(...items);
    if (!headers.link?.includes('rel="next"')) return all;
  }
}

/** The part of a request's options that bounds it in time and lets it be cancelled. */
export function bounded(signal?: AbortSignal): { signal: AbortSignal } {
  const timeout = AbortSignal.timeout(REQUEST_TIMEOUT_MS);
  return { signal: signal ? AbortSignal.any([signal, timeout]) : timeout };
}
