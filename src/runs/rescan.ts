import type { Kysely } from "kysely";
import type { Tables } from "../database/schema.ts";
import { type RequestedRun, type RunRequest, requestRun } from "./queue.ts";

export type RescanRefusal = "unknown_repository" | "archived" | "suspended" | "removed";

export type RescanOutcome =
  | ({ kind: "accepted" } & RequestedRun)
  | { kind: "refused"; why: RescanRefusal; message: string };

const REFUSALS: Record<RescanRefusal, string> = {
  unknown_repository: "Repodex is not installed on this repository.",
  archived:
    "This repository is archived, so it cannot change; its index is kept as it is. Unarchive it to scan again.",
  suspended:
    "The Repodex installation is suspended. Unsuspend it in the GitHub settings of its owner, then ask again.",
  removed: "Repodex was removed from this repository. Add it to the installation again, then ask again.",
};

/**
 * Answers a person's or a program's wish for a scan, inside the caller's transaction: always with the id of the
 * run that will serve it, however many runs are in the way, or with the sentence why there can be none.
 */
export async function requestRescan(
  trx: Kysely<Tables>,
  request: Omit<RunRequest, "trigger"> & { trigger?: "rescan" | "rerun" },
): Promise<RescanOutcome> {
  const refusal = await findRefusal(trx, request.repository_id);
  if (refusal) return { kind: "refused", why: refusal, message: REFUSALS[refusal] };
  return { kind: "accepted", ...(await requestRun(trx, { trigger: "rescan", ...request })) };
}

async function findRefusal(trx: Kysely<Tables>, repositoryId: string): Promise<RescanRefusal | null> {
  const row = await trx
    .selectFrom("repositories")
    .innerJoin("installations", "installations.id", "repositories.installation_id")
    .select(["repositories.archived", "repositories.removed_at", "installations.suspended_at"])
    .select("installations.removed_at as uninstalled_at")
    .where("repositories.id", "=", repositoryId)
    .executeTakeFirst();
  if (!row) return "unknown_repository";
  if (row.removed_at || row.uninstalled_at) return "removed";
  if (row.suspended_at) return "suspended";
  return row.archived ? "archived" : null;
}
