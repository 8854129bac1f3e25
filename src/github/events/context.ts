import type { Kysely } from "kysely";
import type { Logger } from "pino";
import { type Connection, transaction } from "../../database/connect.ts";
import type { Tables } from "../../database/schema.ts";
import { markHandled } from "../../deliveries/store.ts";
import { noteInstallation, noteRepository } from "../../installations/installations.ts";
import type { GitHubApp } from "../client.ts";
import { installationFacts, type RepositoryPayload, repositoryFacts } from "./facts.ts";

/** What an event's handler is given beside the event. */
export interface EventContext {
  app: GitHubApp;
  connection: Connection;
  log: Logger;
  /** Our App's numeric id: check events of other Apps are none of our business. */
  appId: string;
}

/**
 * The one transaction of a delivery: what follows from it, and that it was handled. `write` answers the outcome,
 * one sentence for operators. A delivery that was handled already writes nothing.
 */
export async function settleDelivery(
  { connection }: EventContext,
  guid: string,
  write: (trx: Kysely<Tables>) => Promise<string>,
): Promise<void> {
  await transaction(connection, async ({ trx }) => {
    const outcome = await write(trx);
    await markHandled(trx, guid, outcome);
  });
}

/** Notes the event's installation and repository; answers null when they may be read, else why not. */
export async function noteOrigin(
  trx: Kysely<Tables>,
  payload: {
    installation?: { id: number } | undefined;
    repository: RepositoryPayload & { owner: { id: number; login: string } };
  },
): Promise<{ repositoryId: string } | { ignored: string }> {
  if (!payload.installation) return { ignored: "The event names no installation." };
  const installation = await noteInstallation(
    trx,
    installationFacts(payload.installation, payload.repository.owner),
  );
  if (installation.removed) return { ignored: "Repodex was uninstalled: this comes from before." };
  const facts = repositoryFacts(payload.repository);
  const { removed } = await noteRepository(trx, String(payload.installation.id), facts);
  if (removed) return { ignored: "Repodex was removed from this repository." };
  if (facts.archived) return { ignored: "The repository is archived: its index is kept as it is." };
  return { repositoryId: facts.id };
}
