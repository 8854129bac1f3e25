import type { ProbotOctokit } from "probot";
import {
  type Identity,
  IdentityRefused,
  IdentityUnavailable,
  type ReadableRepository,
  type UserTokens,
} from "../access/identity.ts";
import { webUrlOf } from "../config.ts";
import { allPages, bounded } from "./client.ts";
import { httpFailureOf, translateError } from "./errors.ts";
import { createPlainOctokit } from "./plain-octokit.ts";

const PAGE = 100;

export interface IdentityOptions {
  clientId: string;
  clientSecret: string;
  /** REST root of an Enterprise Server, or null for github.com. */
  githubUrl: string | null;
}

/**
 * Signs people in through the App.
 * https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-user-access-token-for-a-github-app
 */
export function createIdentity({ clientId, clientSecret, githubUrl }: IdentityOptions): Identity {
  const site = webUrlOf(githubUrl);
  const ask = (fields: Record<string, string>) =>
    askForTokens(createPlainOctokit(githubUrl), {
      url: `${site}/login/oauth/access_token`,
      fields: { client_id: clientId, client_secret: clientSecret, ...fields },
    });
  return {
    authorizeUrl({ state, challenge, redirectUrl }) {
      const query = new URLSearchParams({
        client_id: clientId,
        redirect_uri: redirectUrl,
        state,
        code_challenge: challenge,
        code_challenge_method: "S256",
      });
      return `${site}/login/oauth/authorize?${query}`;
    },
    exchange: (code, { verifier, redirectUrl }) =>
      ask({ code, code_verifier: verifier, redirect_uri: redirectUrl }),
    refresh: (refreshToken) => ask({ grant_type: "refresh_token", refresh_token: refreshToken }),
    async whoIs(accessToken) {
      const octokit = createPlainOctokit(githubUrl, accessToken);
      const { data } = await inWords("say who signed in", () =>
        octokit.rest.users.getAuthenticated({ request: bounded() }),
      );
      return { id: String(data.id), login: data.login };
    },
    listReadable: (accessToken) => listReadable(createPlainOctokit(githubUrl, accessToken)),
  };
}

interface TokenAnswer {
  access_token?: string;
  expires_in?: number;
  refresh_token?: string;
  refresh_token_expires_in?: number;
  error?: string;
}

/** GitHub answers refusals of this request with status 200 as well; what says neither is no refusal. */
async function askForTokens(
  octokit: ProbotOctokit,
  { url, fields }: { url: string; fields: Record<string, string> },
): Promise<UserTokens> {
  const headers = { accept: "application/json" };
  const { data } = await inWords("sign somebody in", () =>
    octokit.request(`POST ${url}`, { ...fields, headers, request: bounded() }).catch((error: unknown) => {
      throw httpFailureOf(error)?.status === 404 ? clientUnknown(error) : error;
    }),
  );
  const answer: TokenAnswer = typeof data === "object" && data !== null ? data : {};
  if (answer.error) throw refusalOf(answer.error);
  if (!answer.access_token)
    throw new IdentityUnavailable("GitHub's answer has no token, and does not say why.");
  return {
    access: answer.access_token,
    accessExpiresAt: after(answer.expires_in),
    refresh: answer.refresh_token ?? null,
    refreshExpiresAt: after(answer.refresh_token_expires_in),
  };
}

function refusalOf(error: string): Error {
  switch (error) {
    case "incorrect_client_credentials":
      return new IdentityUnavailable(
        "GitHub does not take the App's client secret: the operator must set GITHUB_CLIENT_ID and GITHUB_CLIENT_SECRET anew.",
      );
    case "redirect_uri_mismatch":
      return new IdentityUnavailable(
        "GitHub does not know the address to come back to: the operator must add it to the App's callback URLs.",
      );
    default:
      return new IdentityRefused(`GitHub does not sign in with this: ${error}.`);
  }
}

function after(seconds: number | undefined): Date | null {
  return seconds === undefined ? null : new Date(Date.now() + seconds * 1000);
}

/**
 * What the person has an explicit permission for, in each installation that they have to do with. That a repository is
 * public is none: it is the owner's to say who searches it here.
 */
async function listReadable(octokit: ProbotOctokit): Promise<ReadableRepository[]> {
  return await inWords("say what a person may see", async () => {
    const installations = await allPages(async (page) => {
      const { data, headers } = await octokit.rest.apps.listInstallationsForAuthenticatedUser({
        per_page: PAGE,
        page,
        request: bounded(),
      });
      return { items: data.installations, headers };
    });
    const readable: ReadableRepository[] = [];
    for (const { id } of installations) readable.push(...(await listOfInstallation(octokit, id)));
    return readable;
  });
}

/** Nothing where GitHub does not show the installation: it was suspended or removed in between. */
async function listOfInstallation(
  octokit: ProbotOctokit,
  installationId: number,
): Promise<ReadableRepository[]> {
  try {
    return await allPages(async (page) => {
      const { data, headers } = await octokit.rest.apps.listInstallationReposForAuthenticatedUser({
        installation_id: installationId,
        per_page: PAGE,
        page,
        request: bounded(),
      });
      const items = data.repositories.map(({ id, permissions }) => ({
        id: String(id),
        mayWrite: permissions?.push === true || permissions?.maintain === true || permissions?.admin === true,
      }));
      return { items, headers };
    });
  } catch (error) {
    const failure = httpFailureOf(error);
    const { code } = translateError(error, "list repositories");
    if (failure?.status === 404 || code === "suspended" || code === "forbidden") return [];
    throw error;
  }
}

/** GitHub has no page for a client that it does not know. */
function clientUnknown(cause: unknown): IdentityUnavailable {
  const message =
    "GitHub does not know the App's client: the operator must set GITHUB_CLIENT_ID and GITHUB_CLIENT_SECRET anew.";
  return new IdentityUnavailable(message, { cause });
}

async function inWords<T>(doing: string, request: () => Promise<T>): Promise<T> {
  try {
    return await request();
  } catch (error) {
    if (error instanceof IdentityUnavailable) throw error;
    if (httpFailureOf(error)?.status === 401) {
      throw new IdentityRefused("GitHub does not take the person's token any more.", { cause: error });
    }
    throw new IdentityUnavailable(translateError(error, doing).message, { cause: error });
  }
}
