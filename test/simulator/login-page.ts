import { type Answer, empty, json, notFound } from "./answers.ts";
import type { Authorizations } from "./authorizations.ts";
import type { Incoming } from "./handle.ts";
import { objectOf } from "./routes/body.ts";
import type { Simulation } from "./simulation.ts";

const AUTHORIZE = "/login/oauth/authorize";
const ACCESS_TOKEN = "/login/oauth/access_token";

/** Whether an address is one of those that let the App act for a person. */
export function isLoginPage(url: URL): boolean {
  return url.pathname === AUTHORIZE || url.pathname === ACCESS_TOKEN;
}

/**
 * GitHub's own side of signing in: the page, whose button is pressed at once, and what makes tokens of a code.
 * https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-user-access-token-for-a-github-app
 */
export function createLoginArea({ authorizations }: Simulation) {
  return {
    resource: null,
    locate: (_method: string, url: URL) => ({ route: url.pathname, path: url.pathname }),
    check: () => null,
    async answer({ method, url, body }: Incoming): Promise<Answer> {
      if (method === "GET" && url.pathname === AUTHORIZE) return authorize(url.searchParams, authorizations);
      if (method === "POST" && url.pathname === ACCESS_TOKEN)
        return giveTokens(objectOf(body), authorizations);
      throw notFound();
    },
  };
}

function authorize(asked: URLSearchParams, authorizations: Authorizations): Answer {
  const { clientId, callbackUrls, browserUser } = authorizations;
  if (asked.get("client_id") !== clientId) throw notFound();
  const redirectUri = asked.get("redirect_uri") ?? callbackUrls[0] ?? "";
  const isKnown = callbackUrls.includes(redirectUri);
  const back = new URL(isKnown ? redirectUri : (callbackUrls[0] ?? "http://127.0.0.1:9/"));
  const answer: Record<string, string> = !isKnown
    ? {
        error: "redirect_uri_mismatch",
        error_description: "The redirect_uri MUST match the registered callback URL.",
      }
    : browserUser === null
      ? { error: "access_denied", error_description: "The user has denied your application access." }
      : {
          code: authorizations.begin({
            login: browserUser,
            redirectUri,
            challenge: asked.get("code_challenge"),
          }),
        };
  for (const [name, value] of Object.entries(answer)) back.searchParams.set(name, value);
  const state = asked.get("state");
  if (state !== null) back.searchParams.set("state", state);
  return empty(302, { location: back.href });
}

/** Errors come with status 200 here. */
function giveTokens(body: Record<string, unknown>, authorizations: Authorizations): Answer {
  const text = (name: string) => (typeof body[name] === "string" ? body[name] : "");
  if (
    text("client_id") !== authorizations.clientId ||
    text("client_secret") !== authorizations.clientSecret
  ) {
    return refuse("incorrect_client_credentials", "The client_id and/or client_secret passed are incorrect.");
  }
  if (text("grant_type") === "refresh_token") {
    const tokens = authorizations.refresh(text("refresh_token"));
    return tokens
      ? json(200, tokens)
      : refuse("bad_refresh_token", "The refresh token passed is incorrect or expired.");
  }
  const proof = { redirectUri: text("redirect_uri"), verifier: text("code_verifier") || null };
  const tokens = authorizations.exchange(text("code"), proof);
  return tokens
    ? json(200, tokens)
    : refuse("bad_verification_code", "The code passed is incorrect or expired.");
}

function refuse(error: string, error_description: string): Answer {
  return json(200, { error, error_description, error_uri: "https://docs.github.com/apps" });
}
