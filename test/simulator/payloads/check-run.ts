import type { Simulation } from "../simulation.ts";
import { viewCheckRun } from "../views/check-run.ts";
import { originPayload, repositoryOf } from "./origin.ts";

export type CheckRunAction = "created" | "completed" | "rerequested" | "requested_action";

/** `check_run`: what became of it, "Re-run", or one of its buttons by its identifier. */
export function checkRunPayload(
  simulation: Simulation,
  checkRunId: number,
  { action, identifier, login }: { action: CheckRunAction; identifier?: string; login?: string | undefined },
) {
  const checkRun = simulation.world.checkRuns.find(({ id }) => id === checkRunId);
  if (!checkRun) throw new Error(`There is no check run ${checkRunId}.`);
  const repository = repositoryOf(simulation, checkRun.repository_id);
  const view = viewCheckRun(checkRun, repository, simulation);
  return {
    action,
    check_run: {
      ...view,
      check_suite: {
        ...view.check_suite,
        head_sha: checkRun.head_sha,
        head_branch: repository.default_branch,
        app: view.app,
        pull_requests: [],
      },
    },
    ...(identifier !== undefined && { requested_action: { identifier } }),
    ...originPayload(simulation, checkRun.repository_id, login),
  };
}
