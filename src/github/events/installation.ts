import { type Kysely, sql } from "kysely";
import type { Tables } from "../../database/schema.ts";
import { isToldSince } from "../../deliveries/store.ts";
import {
  addRepositories,
  confirmInstallation,
  removeInstallation,
  removeRepositories,
} from "../../installations/installations.ts";
import { allPages, bounded, octokitFor } from "../client.ts";
import { translateError } from "../errors.ts";
import { type EventContext, settleDelivery } from "./context.ts";
import { installationFacts, type RepositoryPayload, repositoryFacts } from "./facts.ts";

/** What was added or removed while it was being listed is not as the list says: the delivery is handled again. */
class ListingOutdated extends Error {
  override readonly name = "ListingOutdated";
  constructor() {
    super("Repositories were added or removed while they were being listed.");
  }
}

interface AddingPayload {
  installation: { id: number; account: unknown };
}

/** Lists the installation's repositories by the API, since a payload names only the first, and adds the chosen ones. */
async function addListed(
  context: EventContext,
  guid: string,
  options: {
    payload: AddingPayload;
    choose: (listed: RepositoryPayload[]) => RepositoryPayload[];
    outcome: (added: number) => string;
  },
): Promise<void> {
  const { installation } = options.payload;
  const installation_id = String(installation.id);
  const since = await readClock(context.connection.db);
  const listed = await listRepositories(context, installation_id);
  await settleDelivery(context, guid, async (trx) => {
    if (listed === null) return "The installation is gone again.";
    await confirmInstallation(trx, installationFacts(installation, accountOf(installation.account)));
    if (await isToldSince(trx, { installation_id, since, what: "removed" })) throw new ListingOutdated();
    const repositories = options.choose(listed).map(repositoryFacts);
    await addRepositories(trx, installation_id, { repositories, delivery_guid: guid });
    return options.outcome(repositories.length);
  });
}

async function readClock(db: Kysely<Tables>): Promise<Date> {
  const { rows } = await sql<{ now: Date }>`select clock_timestamp() as now`.execute(db);
  return rows[0]?.now ?? new Date();
}

function accountOf(account: unknown): { id: number; login: string } | null {
  const has = typeof account === "object" && account !== null && "login" in account && "id" in account;
  return has ? (account as { id: number; login: string }) : null;
}

export function onInstallationCreated(context: EventContext): void {
  context.app.on("installation.created", async ({ id, payload }) => {
    await addListed(context, id, {
      payload,
      choose: (listed) => listed,
      outcome: (added) => `Installed with ${added} repositories, one run each.`,
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
    const named = new Set(payload.repositories_added.map((repository) => repository.id));
    await addListed(context, id, {
      payload,
      choose: (listed) => listed.filter((repository) => named.has(repository.id)),
      outcome: (added) => `${added} of ${named.size} added repositories are readable, one run each.`,
    });
  });
}

/**
 * Deliveries come in any order, so what is said to be removed may be back already: the installation's own list decides.
 * Where GitHub gives none, the word of the delivery counts, since what was taken away must be hidden.
 */
export function onRepositoriesRemoved(context: EventContext): void {
  context.app.on("installation_repositories.removed", async ({ id, payload }) => {
    const named = payload.repositories_removed.map((repository) => String(repository.id));
    const installation_id = String(payload.installation.id);
    const since = await readClock(context.connection.db);
    const listed = await listRepositories(context, installation_id).catch((err: unknown) => {
      context.log.warn({ err, delivery_id: id }, "removal taken at its word");
      return null;
    });
    const left = new Set(listed?.map((repository) => String(repository.id)));
    const removed = named.filter((repositoryId) => !left.has(repositoryId));
    await settleDelivery(context, id, async (trx) => {
      await removeRepositories(trx, installation_id, removed);
      if (await isToldSince(trx, { installation_id, since, what: "added" })) throw new ListingOutdated();
      return `${removed.length} of ${named.length} removed repositories are gone: hidden, their runs cancelled.`;
    });
  });
}

/** All repositories that the installation may read; null where there is no such installation any more. */
async function listRepositories(
  { app }: EventContext,
  installationId: string,
): Promise<RepositoryPayload[] | null> {
  const octokit = await octokitFor(app, installationId);
  try {
    return await allPages(async (page) => {
      const { data, headers } = await octokit.rest.apps.listReposAccessibleToInstallation({
        per_page: 100,
        page,
        request: bounded(),
      });
      return { items: data.repositories, headers };
    });
  } catch (error) {
    const translated = translateError(error, "list the installation's repositories");
    if (translated.code === "not_found") return null;
    throw translated;
  }
}
