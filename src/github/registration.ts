import { readFileSync } from "node:fs";
import path from "node:path";
import type { ProbotOctokit } from "probot";
import { parse } from "yaml";
import { CALLBACK_PATH } from "../access/identity.ts";
import { webUrlOf } from "../config.ts";
import type { Asked, Exchange, Registrar, StoredCredentials } from "../credentials.ts";
import { bounded } from "./client.ts";
import { httpFailureOf, translateError } from "./errors.ts";
import { createPlainOctokit } from "./plain-octokit.ts";

const APP_YML = path.join(import.meta.dirname, "../../app.yml");

/**
 * Registers Apps by GitHub's manifest flow, on github.com or the Enterprise Server whose REST root is given.
 * https://docs.github.com/en/apps/sharing-github-apps/registering-a-github-app-from-a-manifest
 */
export function createRegistrar(githubUrl: string | null): Registrar {
  const site = webUrlOf(githubUrl);
  return {
    site,
    privateNetwork: githubUrl !== null,
    prepare(asked) {
      const owner = asked.organization ? `/organizations/${encodeURIComponent(asked.organization)}` : "";
      const action = `${site}${owner}/settings/apps/new?state=${encodeURIComponent(asked.state)}`;
      return { action, manifest: createManifest(asked) };
    },
    exchange: (code) => exchangeCode(code, githubUrl),
  };
}

/** app.yml with what only this server knows. */
function createManifest({ name, publicUrl, redirectUrl }: Asked): object {
  return {
    ...(parse(readFileSync(APP_YML, "utf8")) as object),
    name,
    url: publicUrl,
    hook_attributes: { url: `${publicUrl}/api/github/webhooks`, active: true },
    redirect_url: redirectUrl,
    callback_urls: [`${publicUrl}${CALLBACK_PATH}`],
    public: false,
  };
}

/** Gets the credentials of an App that was just registered: GitHub gives them once, to whoever has the code. */
async function exchangeCode(code: string, githubUrl: string | null): Promise<Exchange> {
  const octokit = createPlainOctokit(githubUrl);
  try {
    const { data } = await octokit.rest.apps.createFromManifest({ code, request: bounded() });
    return readCredentials(data);
  } catch (error) {
    const status = httpFailureOf(error)?.status;
    if (status === 404 || status === 422) {
      const sentence =
        "GitHub does not know the code that it sent: it was used already, or is older than an hour.";
      return { kind: "refused", sentence };
    }
    const { message } = translateError(error, "hand over the new App's credentials");
    return { kind: "unanswered", sentence: message };
  }
}

type Converted = Awaited<ReturnType<ProbotOctokit["rest"]["apps"]["createFromManifest"]>>["data"];

function readCredentials(app: Converted): Exchange {
  const credentials = {
    APP_ID: String(app.id ?? ""),
    PRIVATE_KEY: app.pem,
    WEBHOOK_SECRET: app.webhook_secret,
    GITHUB_CLIENT_ID: app.client_id,
    GITHUB_CLIENT_SECRET: app.client_secret,
    slug: app.slug,
    html_url: app.html_url,
  };
  const missing = Object.entries(credentials).filter(
    ([, value]) => typeof value !== "string" || value === "",
  );
  if (missing.length === 0) {
    return { kind: "registered", credentials: credentials as Omit<StoredCredentials, "PUBLIC_URL"> };
  }
  const names = missing.map(([name]) => name).join(", ");
  return { kind: "refused", sentence: `GitHub's answer about the new App lacks ${names}.` };
}
