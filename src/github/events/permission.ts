import { bounded, octokitFor } from "../client.ts";
import { translateError } from "../errors.ts";
import type { EventContext } from "./context.ts";

/**
 * Whether a person may start a scan: write access, asked of GitHub each time, since an author's association says
 * nothing of it. GitHub's `permission` folds maintain into write and triage into read. Null where GitHub does not show
 * the repository: that says nothing of the person.
 */
export async function mayRescan(
  { app }: EventContext,
  payload: {
    installation?: { id: number } | undefined;
    repository: { name: string; owner: { login: string } };
  },
  login: string,
): Promise<boolean | null> {
  if (!payload.installation) return false;
  const octokit = await octokitFor(app, String(payload.installation.id));
  try {
    const { data } = await octokit.rest.repos.getCollaboratorPermissionLevel({
      owner: payload.repository.owner.login,
      repo: payload.repository.name,
      username: login,
      request: bounded(),
    });
    return data.permission === "admin" || data.permission === "write";
  } catch (error) {
    const translated = translateError(error, "say what the person may do");
    if (translated.code === "not_found") return null;
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
