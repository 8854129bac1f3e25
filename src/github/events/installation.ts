import {
  addRepositories,
  confirmInstallation,
  removeInstallation,
  removeRepositories,
} from "../../installations/installations.ts";
import { bounded, octokitFor } from "../client.ts";
import { translateError } from "../errors.ts";
import { type EventContext, settleDelivery } from "./context.ts";
import { installationFacts, type RepositoryPayload, repositoryFacts } from "./facts.ts";

/** The repositories come from the API, page by page: a payload names only the first of them. */
export function onInstallationCreated(context: EventContext): void {
  context.app.on("installation.created", async ({ id, payload }) => {
    const { installation } = payload;
    const repositories = await listRepositories(context, String(installation.id));
    const account = installation.account && "login" in installation.account ? installation.account : null;
    await settleDelivery(context, id, async (trx) => {
      await confirmInstallation(trx, installationFacts(installation, account));
      await addRepositories(trx, String(installation.id), {
        repositories: repositories.map(repositoryFacts),
        delivery_guid: id,
      });
      return `Installed with ${repositories.length} repositories, one run each.`;
    });
  });
}

export function onInstallationDeleted(context: EventContext): void {
  context.app.on("installation.deleted", async ({ id, payload }) => {
    await settleDelivery(context, id, async (trx) => {
      await removeInstallation(trx, String(payload.installation.id));
      return "Uninstalled: its repositories are hidden, their runs cancelled.";
    });
  });
}

export function onRepositoriesAdded(context: EventContext): void {
  context.app.on("installation_repositories.added", async ({ id, payload }) => {
    const { installation } = payload;
    const added = new Set(payload.repositories_added.map((repository) => repository.id));
    const repositories = await listRepositories(context, String(installation.id));
    const account = installation.account && "login" in installation.account ? installation.account : null;
    await settleDelivery(context, id, async (trx) => {
      await confirmInstallation(trx, installationFacts(installation, account));
      const listed = repositories.filter((repository) => added.has(repository.id));
      await addRepositories(trx, String(installation.id), {
        repositories: listed.map(repositoryFacts),
        delivery_guid: id,
      });
      return `${listed.length} of ${added.size} added repositories are readable, one run each.`;
    });
  });
}

export function onRepositoriesRemoved(context: EventContext): void {
  context.app.on("installation_repositories.removed", async ({ id, payload }) => {
    const removed = payload.repositories_removed.map((repository) => String(repository.id));
    await settleDelivery(context, id, async (trx) => {
      await removeRepositories(trx, String(payload.installation.id), removed);
      return `${removed.length} repositories removed: hidden, their runs cancelled.`;
    });
  });
}

async function listRepositories({ app }: EventContext, installationId: string): Promise<RepositoryPayload[]> {
  const octokit = await octokitFor(app, installationId);
  try {
    return await octokit.paginate(octokit.rest.apps.listReposAccessibleToInstallation, {
      per_page: 100,
      request: bounded(),
    });
  } catch (error) {
    throw translateError(error, "list the installation's repositories");
  }
}
