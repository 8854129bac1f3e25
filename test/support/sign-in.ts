import { Accounts } from "../../src/access/accounts.ts";
import { createSeal } from "../../src/access/seal.ts";
import type { Connection } from "../../src/database/connect.ts";
import { createIdentity } from "../../src/github/identity.ts";
import type { GitHubAccess } from "../../src/http/access.ts";
import { createLogger } from "../../src/log.ts";
import type { Simulator } from "../simulator/simulator.ts";
import { type Browser, createBrowser, type Page } from "./browser.ts";
import { API_TOKEN } from "./repodex.ts";

interface SignInAccessOptions {
  /** The GitHub to sign in at; none that answers, unless it is given. */
  simulator?: Simulator;
  operators?: string[];
  clientSecret?: string;
  log?: ReturnType<typeof createLogger>;
}

/** Access by signing in; the operator's token is API_TOKEN. */
export function signInAccess(
  { connection }: { connection: Connection },
  { simulator, operators = [], log = createLogger("silent"), ...options }: SignInAccessOptions = {},
): GitHubAccess {
  const { clientId = "Iv23liOfTheTests", clientSecret = "the client secret of the tests" } =
    simulator?.authorizations ?? {};
  const secret = options.clientSecret ?? clientSecret;
  const seal = createSeal(secret);
  const githubUrl = `${simulator?.url ?? "http://127.0.0.1:9"}/api/v3`;
  const identity = createIdentity({ clientId, clientSecret: secret, githubUrl });
  const accounts = new Accounts({ connection, identity, seal, log });
  return {
    kind: "github",
    accounts,
    seal,
    operators: new Set(operators),
    apiToken: API_TOKEN,
    publicUrl: null,
  };
}

/** Opens a page as somebody who follows "Sign in with GitHub"; the simulator's own page agrees at once. */
export async function signIn(
  { url }: { url: string },
  {
    browser = createBrowser(),
    returnTo = "/api/v1/repositories",
  }: { browser?: Browser; returnTo?: string } = {},
): Promise<{ browser: Browser; page: Page }> {
  const query = new URLSearchParams({ return_to: returnTo });
  return { browser, page: await browser.open(`${url}/sign-in/github?${query}`) };
}

/** The cookie header that a browser would send. */
export function cookieOf({ cookies }: Browser): string {
  return cookies.map(({ name, value }) => `${name}=${value}`).join("; ");
}
