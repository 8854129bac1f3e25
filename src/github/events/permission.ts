import { bounded, type GitHub } from "../client.ts";
import { translateError } from "../errors.ts";
import type { Origin } from "./context.ts";
import { readerOf } from "./repository-state.ts";

/**
 * Whether a person may start a scan: write access, asked of GitHub each time, since an author's association says
 * nothing of it. GitHub's `permission` folds maintain into write and triage into read. Null where GitHub does not show
 * the repository: that says nothing of the person.
 */
export async function mayRescan(github: GitHub, origin: Origin, login: string): Promise<boolean | null> {
  const { facts } = origin;
  const octokit = readerOf(github, origin);
  try {
    const { data } = await octokit.rest.repos.getCollaboratorPermissionLevel({
      owner: facts.owner,
      repo: facts.name,
      username: login,
      request: bounded(),
    });
    return data.permission === "admin" || data.permission === "write";
  } catch (error) {
    const translated = translateError(error, "say what the person may do");
    if (translated.code === "not_found" || translated.code === "uninstalled") return null;
    throw translated;
  }
}

/** GitHub does not show a repository that we were not told was removed: word of that, or the repository, will come. */
export class PermissionUnknown extends Error {
  override readonly name = "PermissionUnknown";
  constructor() {
    super("GitHub did not show the repository when it was asked what the person may do there.");
  }
}
