import type { Logger } from "pino";
import { bounded, type GitHub } from "./client.ts";

/** Where people install the App, as GitHub says: asked once it is needed, and kept. Null while GitHub does not say. */
export function createInstallLink(github: GitHub, log: Logger): () => Promise<string | null> {
  let known: string | null = null;
  return async () => {
    known ??= await readLink(github).catch((err: unknown) => {
      log.warn({ err }, "GitHub did not say where the App is installed");
      return null;
    });
    return known;
  };
}

async function readLink(github: GitHub): Promise<string | null> {
  const octokit = await github.asApp();
  const { data } = await octokit.rest.apps.getAuthenticated({ request: bounded() });
  return data ? `${data.html_url}/installations/new` : null;
}
