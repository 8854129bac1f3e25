import type { Context } from "hono";
import { type Connection, transaction } from "../database/connect.ts";
import { cancelRun } from "../runs/queue.ts";
import type { RunView } from "../runs/read.ts";
import { requireWrite } from "./access.ts";
import { requireRun } from "./seen.ts";

/** What became of the wish to cancel a run: it is, will be in a moment, or had ended before. */
export interface Cancellation {
  run: RunView;
  outcome: "cancelled" | "cancelling" | "ended";
}

/** Asks a run to end as the caller does; throws a Problem where the caller may not. */
export async function cancel(c: Context, connection: Connection, runId: string): Promise<Cancellation> {
  const { repository_id } = await requireRun(c, connection.db, runId);
  requireWrite(c, repository_id);
  const state = await transaction(connection, ({ trx }) => cancelRun(trx, runId, c.var.caller.actor));
  const run = await requireRun(c, connection.db, runId);
  return { run, outcome: state === null ? "ended" : state === "cancelled" ? "cancelled" : "cancelling" };
}
