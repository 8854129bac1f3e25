import type { Kysely } from "kysely";
import { noteAccessChanged } from "../../access/users.ts";
import { readClock } from "../../database/clock.ts";
import type { Tables } from "../../database/schema.ts";
import {
  addRepositories,
  confirmInstallation,
  type RepositoryFacts,
  removeInstallation,
  removeRepositories,
  renameAccount,
  retryRefused,
  setSuspended,
} from "../../installations/installations.ts";
import { isToldSince } from "../../installations/told.ts";
import { type EventContext, type Payload, settleDelivery } from "./context.ts";
import { idOf, installationFacts, isAccount, listOf, objectOf } from "./facts.ts";

/** What was added or removed while it was being listed is not as the list says: the delivery is handled again. */
class ListingOutdated extends Error {
  override readonly name = "ListingOutdated";
  constructor() {
    super("Repositories were added or removed while they were being listed.");
  }
}

/** Lists the installation's repositories by the API, since a payload names only the first, and adds the chosen ones. */
async function addListed(
  { connection, directory, ...context }: EventContext,
  guid: string,
  options: {
    payload: Payload;
    choose: (listed: RepositoryFacts[]) => RepositoryFacts[];
    outcome: (added: number) => string;
  },
): Promise<void> {
  const facts = installationFacts(options.payload.installation);
  const installation_id = facts.id;
  const since = await readClock(connection.db);
  const listed = await directory.listRepositories(installation_id, { background: false });
  await settleDelivery({ connection, directory, ...context }, guid, async (trx) => {
    if (listed === null) return "The installation is gone again.";
    await confirmInstallation(trx, facts);
    if (await isToldSince(trx, { installation_id, since, what: "removed" })) throw new ListingOutdated();
    const repositories = options.choose(listed);
    await addRepositories(trx, installation_id, { repositories, delivery_guid: guid });
    await noteAccessChanged(trx);
    return options.outcome(repositories.length);
  });
}

export function onInstallationCreated(context: EventContext): void {
  context.github.probot.on("installation.created", async ({ id, payload }) => {
    await addListed(context, id, {
      payload: payload as never,
      choose: (listed) => listed,
      outcome: (added) =>
        `Installed with ${added} ${added === 1 ? "repository" : "repositories"}, one run each.`,
    });
  });
}

export function onInstallationDeleted(context: EventContext): void {
  context.github.probot.on("installation.deleted", async ({ id, payload }) => {
    await settleInstallation(context, id, payload.installation, async (trx, installationId) => {
      await removeInstallation(trx, installationId);
      return "Uninstalled: its repositories are hidden, their runs cancelled.";
    });
  });
}

/** Whether an installation is suspended is what GitHub says of it now: the two events come in any order. */
export function onInstallationSuspended(context: EventContext): void {
  context.github.probot.on(["installation.suspend", "installation.unsuspend"], async ({ id, payload }) => {
    const told = payload.action === "suspend";
    const { id: installationId } = installationFacts(payload.installation);
    const since = await readClock(context.connection.db);
    const now = await context.directory.readInstallation(installationId).catch((err: unknown) => {
      context.log.warn({ err, delivery_id: id }, "suspension taken at its word");
      return { suspended_at: told ? new Date() : null };
    });
    await settleInstallation(context, id, payload.installation, async (trx) => {
      if (now === null) return "The installation is gone.";
      const told = { installation_id: installationId, since, what: "suspension", except: id } as const;
      if (await isToldSince(trx, told)) throw new ListingOutdated();
      const suspended = now.suspended_at !== null;
      await setSuspended(trx, installationId, suspended);
      return suspended ? "Suspended: hidden, its runs wait." : "Not suspended: what it missed is looked for.";
    });
  });
}

/** What GitHub refused for want of a permission is tried again. */
export function onPermissionsAccepted(context: EventContext): void {
  context.github.probot.on("installation.new_permissions_accepted", async ({ id, payload }) => {
    await settleInstallation(context, id, payload.installation, async (trx, installationId) => {
      const runs = await retryRefused(trx, installationId);
      return `Permissions accepted: ${runs} refused scans are tried again.`;
    });
  });
}

async function settleInstallation(
  context: EventContext,
  guid: string,
  installation: unknown,
  write: (trx: Kysely<Tables>, installationId: string) => Promise<string>,
): Promise<void> {
  const { id } = installationFacts(installation);
  await settleDelivery(context, guid, async (trx) => {
    await noteAccessChanged(trx);
    return await write(trx, id);
  });
}

/** An account's new name is everybody's new name in it; the account is known by its id. */
export function onTargetRenamed(context: EventContext): void {
  context.github.probot.on("installation_target.renamed", async ({ id, payload: typed }) => {
    const { account } = typed as unknown as Payload;
    await settleDelivery(context, id, async (trx) => {
      if (!isAccount(account)) return "The event names no account.";
      const renamed = await renameAccount(trx, {
        account_id: String(account.id),
        account_login: account.login,
      });
      return `The account is called ${account.login} now: ${renamed} repositories renamed.`;
    });
  });
}

export function onRepositoriesAdded(context: EventContext): void {
  context.github.probot.on("installation_repositories.added", async ({ id, payload }) => {
    const named = namedIn(payload.repositories_added, "repositories_added");
    await addListed(context, id, {
      payload: payload as never,
      choose: (listed) => listed.filter((repository) => named.has(repository.id)),
      outcome: (added) => `${added} of ${named.size} added repositories are readable, one run each.`,
    });
  });
}

function namedIn(repositories: unknown, field: string): Set<string> {
  return new Set(listOf(repositories, field).map((item) => idOf(objectOf(item, field).id, `${field}.id`)));
}

/**
 * Deliveries come in any order, so what is said to be removed may be back already: the installation's own list decides.
 * Where GitHub gives none, the word of the delivery counts, since what was taken away must be hidden.
 */
export function onRepositoriesRemoved(context: EventContext): void {
  context.github.probot.on("installation_repositories.removed", async ({ id, payload }) => {
    const named = namedIn(payload.repositories_removed, "repositories_removed");
    const installation_id = installationFacts(payload.installation).id;
    const since = await readClock(context.connection.db);
    const listed = await context.directory
      .listRepositories(installation_id, { background: false })
      .catch((err: unknown) => {
        context.log.warn({ err, delivery_id: id }, "removal taken at its word");
        return null;
      });
    const left = new Set(listed?.map((repository) => repository.id));
    const removed = [...named].filter((repositoryId) => !left.has(repositoryId));
    await settleDelivery(context, id, async (trx) => {
      await removeRepositories(trx, installation_id, removed);
      await noteAccessChanged(trx);
      if (await isToldSince(trx, { installation_id, since, what: "added" })) throw new ListingOutdated();
      return `${removed.length} of ${named.size} removed repositories are gone: hidden, their runs cancelled.`;
    });
  });
}
