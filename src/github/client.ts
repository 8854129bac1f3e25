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
    Octokit: ProbotOctokit.plugin(renewRefusedToken).defaults((options: Record<string, unknown>) => ({
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

/**
 * Asks once more, with a new token, where GitHub refuses the one that is kept: by Octokit's clock it may be good
 * for long, as after a clock was set back, or GitHub may have revoked it.
 */
function renewRefusedToken(octokit: BaseOctokit, options: { auth?: KeptTokens }): void {
  octokit.hook.wrap("request", async (request, parameters) => {
    try {
      return await request(parameters);
    } catch (error) {
      const { cache, installationId } = options.auth ?? {};
      const refused = error instanceof Error && "status" in error && error.status === 401;
      if (!refused || !cache || installationId === undefined || !cache.get(String(installationId)))
        throw error;
      cache.delete(String(installationId));
      return await request(parameters);
    }
  });
}

type BaseOctokit = Parameters<Parameters<typeof ProbotOctokit.plugin>[0]>[0];

/** What Probot hands to the authentication of an installation's Octokit: the App's tokens by installation. */
interface KeptTokens {
  installationId?: number;
  cache?: { get(key: string): unknown; delete(key: string): void };
}

/** An Octokit of one installation, with that installation's own limiter. */
export async function octokitFor(app: GitHubApp, installationId: string): Promise<Octokit> {
  return await app.auth(Number(installationId));
}

/**
 * An Octokit of one installation for reading alone, unthrottled: Octokit's limiter takes every GraphQL query for a
 * write and spaces them by a second. A scan asks one thing after the other as it is.
 */
export async function readerFor(app: GitHubApp, installationId: string): Promise<Octokit> {
  const octokit = await app.auth();
  return (await octokit.auth({
    type: "installation",
    installationId: Number(installationId),
    factory: ({ octokit: parent, octokitOptions, ...otherOptions }: AuthContext) =>
      new parent.constructor({
        ...octokitOptions,
        throttle: { enabled: false },
        auth: { ...octokitOptions.auth, otherOptions, installationId: Number(installationId) },
      }),
  })) as Octokit;
}

/** What octokit-auth-probot hands to a factory: the options of the App's own client. */
interface AuthContext {
  octokit: { constructor: new (options: object) => Octokit };
  octokitOptions: { auth?: object };
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
