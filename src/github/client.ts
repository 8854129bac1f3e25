import type { Logger } from "pino";
import { Probot, ProbotOctokit } from "probot";
import { boundedFetch } from "./bounded-fetch.ts";
import { type Budgets, createBudgets, type Resource } from "./budget.ts";
import { headersOf } from "./errors.ts";
import { createTokens, type TokenScope, type Tokens } from "./tokens.ts";

/** A request must end well before a run's stall limit. */
const REQUEST_TIMEOUT_MS = 30_000;

export interface AppCredentials {
  appId: string;
  privateKey: string;
  webhookSecret: string;
  /** GitHub Enterprise Server's REST root, or null for github.com. */
  baseUrl: string | null;
}

export type Octokit = ProbotOctokit;

/** In whose name, and for what, requests are made. */
export interface Use extends TokenScope {
  /** Nobody waits for it: it leaves a share of the installation's budget to pushes and people. */
  background: boolean;
}

/** GitHub as our App sees it. */
export interface GitHub {
  /** Takes events; see app.ts. */
  probot: Probot;
  budgets: Budgets;
  /** As the App itself: installations, their tokens, deliveries. */
  asApp(): Promise<Octokit>;
  /** With a token for this use alone, asked for at the first request. */
  as(use: Use): Octokit;
}

/**
 * Opens GitHub. Octokit's own waiting is off: a spent budget goes back to the run queue with its time instead of
 * sleeping in a slot for hours, an empty repository's 409 is an answer and no reason to ask four times, and writes are
 * paced in the database (src/runs/write-allowance.ts), where all replicas see it.
 */
export function createGitHub(credentials: AppCredentials, log: Logger): GitHub {
  const shared = {
    request: { fetch: boundedFetch, log: QUIET }, // else it warns on the console, addresses and all
    ...(credentials.baseUrl && { baseUrl: credentials.baseUrl }),
  };
  const probot = new Probot({
    ...shared,
    appId: credentials.appId,
    privateKey: credentials.privateKey,
    secret: credentials.webhookSecret,
    log: log.child({ name: "probot" }, { level: log.level === "silent" ? "silent" : "warn" }) as never, // Probot brings a pino of its own
    Octokit: OctokitWithoutWaiting as typeof ProbotOctokit,
  });
  const budgets = createBudgets();
  const asApp = async () => await probot.auth();
  const tokens = createTokens(async ({ installationId, repositoryId, permissions }) => {
    const octokit = await asApp();
    const { data } = await octokit.rest.apps.createInstallationAccessToken({
      installation_id: Number(installationId),
      ...(repositoryId !== null && { repository_ids: [Number(repositoryId)] }),
      permissions,
      request: bounded(),
    });
    return data.token;
  });
  return {
    probot,
    budgets,
    asApp,
    as: (use) =>
      new OctokitWithoutWaiting({
        ...shared,
        log: QUIET,
        userAgent: use.background ? "repodex-background" : "repodex",
        authStrategy: () => Object.assign(async () => ({}), { hook: authorize(use, { tokens, budgets }) }),
      }) as Octokit,
  };
}

const OctokitWithoutWaiting = ProbotOctokit.defaults((options: Record<string, unknown>) => ({
  ...options,
  retry: { doNotRetry: [304, 400, 401, 403, 404, 409, 410, 422, 429, 451], retries: 2 },
  throttle: { enabled: false },
}));

const ignore = () => {};
/** What fails is thrown, and logged by whoever catches it. */
const QUIET = { debug: ignore, info: ignore, warn: ignore, error: ignore };

/** As much of Octokit's request as its authentication sees. */
interface Request {
  (endpoint: object): Promise<{ headers: Record<string, string | number | undefined> }>;
  endpoint: {
    merge(route: unknown, parameters: unknown): { url: string; headers: Record<string, string | undefined> };
  };
}

/** Every request's way out: within the budget, with a token for its use, renewed once where GitHub refuses it. */
function authorize(use: Use, { tokens, budgets }: { tokens: Tokens; budgets: Budgets }) {
  return async (request: Request, route: unknown, parameters?: unknown) => {
    const endpoint = request.endpoint.merge(route, parameters);
    const resource: Resource = endpoint.url.endsWith("/graphql") ? "graphql" : "core";
    const counted = { installationId: use.installationId, resource, background: use.background };

    async function send(token: string) {
      endpoint.headers.authorization = `token ${token}`;
      budgets.begin(counted);
      let headers = null;
      try {
        const response = await request(endpoint);
        headers = response.headers;
        return response;
      } catch (error) {
        headers = headersOf(error);
        throw error;
      } finally {
        budgets.end(counted, headers);
      }
    }

    const token = await tokens.get(use);
    try {
      return await send(token);
    } catch (error) {
      const refused = error instanceof Error && "status" in error && error.status === 401;
      if (!refused) throw error;
      await tokens.forget(use, token);
      return await send(await tokens.get(use));
    }
  };
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
