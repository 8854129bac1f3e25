import { type Kysely, sql } from "kysely";
import { notify } from "../database/notify.ts";
import type { Tables } from "../database/schema.ts";
import { CHANGED_CHANNEL } from "./events.ts";
import { type RequestedRun, type RunRequest, recordAsker, requestRun } from "./queue.ts";

/** So many scans of a repository within so many seconds people may start; then the latest one answers for a while. */
const COOLDOWN = { runs: 10, seconds: 600 };

export type RescanRefusal = "unknown_repository" | "archived" | "suspended" | "removed";

export type RescanOutcome =
  | ({ kind: "accepted"; cooldown: Cooldown | null } & RequestedRun)
  | { kind: "refused"; why: RescanRefusal; message: string };

/** Why the answer is a run that was there before: too many were asked for. */
export interface Cooldown {
  until: Date;
  message: string;
}

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
  const asked = { trigger: "rescan" as const, ...request };
  const latest = await findCooldown(trx, request.repository_id);
  if (!latest) return { kind: "accepted", cooldown: null, ...(await requestRun(trx, asked)) };
  const answer = { run_id: latest.run_id, outcome: "joined" as const };
  await recordAsker(trx, asked, { ...answer, note: latest.cooldown.message });
  await notify(trx, CHANGED_CHANNEL);
  return { kind: "accepted", cooldown: latest.cooldown, ...answer };
}

/** The run that answers while no new one may be started, or null. A run that waits can always be joined: it costs nothing. */
async function findCooldown(
  trx: Kysely<Tables>,
  repositoryId: string,
): Promise<{ run_id: string; cooldown: Cooldown } | null> {
  const { rows } = await sql<{ run_id: string; until: Date }>`
    select max(id) as run_id, min(queued_at) + make_interval(secs => ${COOLDOWN.seconds}) as until
    from (
      select id, queued_at from runs
      where repository_id = ${repositoryId} and trigger in ('rescan', 'rerun')
        and queued_at > clock_timestamp() - make_interval(secs => ${COOLDOWN.seconds})
      order by id desc limit ${COOLDOWN.runs}
    ) recent
    having count(*) = ${COOLDOWN.runs}
      and not exists (select from runs where repository_id = ${repositoryId} and state = 'queued')`.execute(
    trx,
  );
  const row = rows[0];
  if (!row) return null;
  const at = row.until.toISOString().slice(11, 16);
  const message = `People started ${COOLDOWN.runs} scans of this repository within ten minutes, so the latest one answers; a new one can be asked for from ${at} UTC on.`;
  return { run_id: row.run_id, cooldown: { until: row.until, message } };
}

/** Holds the installation while it looks: what is found stays so until the caller's transaction ends. */
async function findRefusal(trx: Kysely<Tables>, repositoryId: string): Promise<RescanRefusal | null> {
  const { rows } = await sql<{ archived: boolean; removed: boolean; suspended: boolean }>`
    select r.archived, r.removed_at is not null or i.removed_at is not null as removed,
      i.suspended_at is not null as suspended
    from repositories r join installations i on i.id = r.installation_id
    where r.id = ${repositoryId} for share of i`.execute(trx);
  const row = rows[0];
  if (!row) return "unknown_repository";
  if (row.removed) return "removed";
  if (row.suspended) return "suspended";
  return row.archived ? "archived" : null;
}
