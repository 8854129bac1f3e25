import type { Kysely } from "kysely";
import type { Logger } from "pino";
import { type Connection, transaction } from "../../database/connect.ts";
import type { Tables } from "../../database/schema.ts";
import { markHandled } from "../../deliveries/store.ts";
import type { Directory } from "../../installations/directory.ts";
import { noteInstallation, noteRepository, type RepositoryFacts } from "../../installations/installations.ts";
import type { GitHub } from "../client.ts";
import { installationFacts, objectOf, repositoryFacts } from "./facts.ts";

/** What an event's handler is given beside the event. */
export interface EventContext {
  github: GitHub;
  directory: Directory;
  connection: Connection;
  log: Logger;
  /** Our App's numeric id: check events of other Apps are none of our business. */
  appId: string;
}

/** An event's payload: typed as GitHub documents it, and not therefore so. */
export type Payload = { readonly [field: string]: unknown };

/**
 * The one transaction of a delivery: what follows from it, and that it was handled. `write` answers the outcome,
 * one sentence for operators. A delivery that was handled already writes nothing.
 */
export async function settleDelivery(
  { connection }: EventContext,
  guid: string,
  write: (trx: Kysely<Tables>) => Promise<string>,
): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await transaction(connection, async ({ trx }) => {
        const outcome = await write(trx);
        await markHandled(trx, guid, outcome);
      });
    } catch (error) {
      if (!isDeadlock(error) || attempt === DEADLOCK_ATTEMPTS) throw error;
    }
  }
}

/** PostgreSQL ends one of two transactions that wait for each other; the other has gone on when this one comes again. */
const DEADLOCK_ATTEMPTS = 3;

function isDeadlock(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "40P01";
}

/** Where an event happened, as it says itself. */
export interface Origin {
  installationId: string;
  facts: RepositoryFacts;
}

/** Reads an event's installation and repository; null where it names no installation. */
export function readOrigin(payload: Payload): Origin | null {
  if (payload.installation === undefined || payload.installation === null) return null;
  return {
    installationId: installationFacts(payload.installation).id,
    facts: repositoryFacts(payload.repository),
  };
}

/** Why nothing follows from an event: its repository is not ours to read, or it is only not to be scanned. */
interface Ignored {
  ignored: string;
  because: "gone" | "archived";
}

/** Notes the event's installation and repository; answers its id where it may be read and scanned, else why not. */
export async function noteOrigin(
  trx: Kysely<Tables>,
  payload: Payload,
): Promise<{ repositoryId: string } | Ignored> {
  const gone = (ignored: string): Ignored => ({ ignored, because: "gone" });
  const origin = readOrigin(payload);
  if (!origin) return gone("The event names no installation.");
  const { installationId, facts } = origin;
  const { owner } = objectOf(payload.repository, "repository");
  const installation = await noteInstallation(trx, installationFacts(payload.installation, owner));
  if (installation.removed) return gone("Repodex was uninstalled: this comes from before.");
  const { removed } = await noteRepository(trx, installationId, facts);
  if (removed) return gone("Repodex was removed from this repository.");
  const archived = "The repository is archived: its index is kept as it is.";
  if (facts.archived) return { ignored: archived, because: "archived" };
  return { repositoryId: facts.id };
}
