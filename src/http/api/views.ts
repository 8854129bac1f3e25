import type { RunProgress } from "../../database/schema.ts";
import type { RepositoryView } from "../../installations/read.ts";
import type { RunView } from "../../runs/read.ts";
import type { FileView } from "../../scan/read.ts";

const NO_PROGRESS: Required<RunProgress> = {
  files_total: 0,
  files_done: 0,
  files_changed: 0,
  files_removed: 0,
  files_skipped: 0,
  files_failed: 0,
  chunks: 0,
  bytes: 0,
};

/** A run as the API shows it; times are RFC 3339, ids strings. */
export function runJson(run: RunView) {
  return {
    id: run.id,
    repository_id: run.repository_id,
    trigger: run.trigger,
    state: run.state,
    stage: run.stage,
    head_sha: run.head_sha,
    tree_sha: run.tree_sha,
    verified: run.verified,
    epoch: run.epoch,
    failures: run.failures,
    reason: run.reason,
    reason_code: run.reason_code,
    wait_reason: run.wait_reason,
    requested_by: run.requested_by,
    superseded_by: run.superseded_by,
    queued_at: run.queued_at,
    not_before: run.not_before,
    position: run.position,
    started_at: run.started_at,
    finished_at: run.finished_at,
    mode: run.mode,
    progress: { ...NO_PROGRESS, ...run.progress },
  };
}

export function repositoryJson(repository: RepositoryView, active: RunView[]) {
  const own = active.filter((run) => run.repository_id === repository.id);
  const running = own.find((run) => run.state === "running");
  const queued = own.find((run) => run.state === "queued");
  return {
    ...repository,
    running: running ? runJson(running) : null,
    queued: queued ? runJson(queued) : null,
  };
}

export function fileJson({ path_base64, ...file }: FileView) {
  return { ...file, ...(path_base64 !== null && { path_base64 }) };
}
