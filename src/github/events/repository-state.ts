import type { RepositoryFacts } from "../../installations/installations.ts";
import { bounded, type GitHub, type Octokit } from "../client.ts";
import { translateError } from "../errors.ts";
import type { Origin } from "./context.ts";
import { repositoryFacts } from "./facts.ts";

/**
 * What GitHub says of an event's repository now, since events come late and in any order; null where it does not show
 * it to the installation, or shows another one under that name.
 */
export async function readRepository(github: GitHub, origin: Origin): Promise<RepositoryFacts | null> {
  const { facts } = origin;
  const octokit = readerOf(github, origin);
  try {
    const { data } = await octokit.rest.repos.get({
      owner: facts.owner,
      repo: facts.name,
      request: bounded(),
    });
    return String(data?.id) === facts.id ? repositoryFacts(data) : null;
  } catch (error) {
    const translated = translateError(error, "read the repository");
    if (translated.code === "not_found" || translated.code === "uninstalled") return null;
    throw translated;
  }
}

/** Reads what GitHub says of an event's repository, beside its contents. */
export function readerOf(github: GitHub, { installationId, facts }: Origin): Octokit {
  return github.as({
    installationId,
    repositoryId: facts.id,
    permissions: { metadata: "read" },
    background: false,
  });
}
