import type { Context } from "hono";
import { type Connection, transaction } from "../database/connect.ts";
import type { RequestedRun } from "../runs/queue.ts";
import type { RunView } from "../runs/read.ts";
import { type Cooldown, requestRescan } from "../runs/rescan.ts";
import { requireWrite } from "./access.ts";
import { notFound, Problem } from "./problem.ts";
import { requireRepository, requireRun } from "./seen.ts";

export interface Rescan {
  run: RunView;
  outcome: RequestedRun["outcome"];
  /** Why the answer is a run that was there before. */
  cooldown: Cooldown | null;
}

/** Asks for a scan as the caller does, and answers the run that serves it; throws a Problem where there can be none. */
export async function rescan(
  c: Context,
  connection: Connection,
  { id: asked, readMode }: { id: string; readMode: () => Promise<"incremental" | "full"> },
): Promise<Rescan> {
  const { viewer, caller } = c.var;
  // A removed repository is hidden; only who may see all is told why it cannot be scanned.
  const id = viewer.repositories === "all" ? asked : (await requireRepository(c, connection.db, asked)).id;
  requireWrite(c, id);
  const mode = await readMode();
  const answer = await transaction(connection, ({ trx }) =>
    requestRescan(trx, { repository_id: id, mode, requested_by: caller.actor }),
  );
  if (answer.kind === "refused" && answer.why === "unknown_repository") throw notFound("repository");
  if (answer.kind === "refused") throw new Problem(422, "Cannot scan", { detail: answer.message });
  const run = await requireRun(c, connection.db, answer.run_id);
  return { run, outcome: answer.outcome, cooldown: answer.cooldown };
}
