import { type Connection, transaction } from "../database/connect.ts";
import { type DoScheduled, dueAll, ensureScheduled } from "../database/schedule.ts";
import type { Directory } from "./directory.ts";
import { reconcileInstallation, reconcileInstallations } from "./reconcile.ts";
import { redeliverFailed } from "./redeliver.ts";

const INSTALLATIONS = "installations";
const REDELIVERIES = "redeliveries";

/** What comes back by itself, by its name in the table of schedules. */
export function createScheduled(options: { connection: Connection; directory: Directory }): DoScheduled {
  return async (name, signal) => {
    if (name === INSTALLATIONS) return await reconcileInstallations({ ...options, signal });
    if (name === REDELIVERIES) return await redeliverFailed({ ...options, signal });
    const installationId = /^installation\/(\d+)$/.exec(name)?.[1];
    if (installationId === undefined) throw new Error(`Nothing is known of the schedule ${name}.`);
    return await reconcileInstallation(installationId, { ...options, signal });
  };
}

/** At the start of a replica everything is due: nobody knows what was missed. */
export async function scheduleAll(connection: Connection): Promise<void> {
  await transaction(connection, async ({ trx }) => {
    await dueAll(trx);
    await ensureScheduled(trx, INSTALLATIONS);
    await ensureScheduled(trx, REDELIVERIES);
  });
}
