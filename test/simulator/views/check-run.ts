import type { Simulation } from "../simulation.ts";
import type { SimulatedCheckRun, SimulatedRepository } from "../world.ts";
import { viewApp } from "./app.ts";
import { nodeId } from "./links.ts";

/** GitHub's "check-run". Annotations have an address of their own; the run itself only counts them. */
export function viewCheckRun(
  checkRun: SimulatedCheckRun,
  repository: SimulatedRepository,
  simulation: Simulation,
) {
  const { api, html } = simulation.links;
  const { id, head_sha, output } = checkRun;
  const url = `${api}/repos/${repository.full_name}/check-runs/${id}`;
  return {
    id,
    name: checkRun.name,
    node_id: nodeId("CheckRun", id),
    head_sha,
    external_id: checkRun.external_id,
    url,
    html_url: `${html}/${repository.full_name}/runs/${id}`,
    details_url: checkRun.details_url,
    status: checkRun.status,
    conclusion: checkRun.conclusion,
    started_at: checkRun.started_at,
    completed_at: checkRun.completed_at,
    output: {
      title: output.title,
      summary: output.summary,
      text: output.text,
      annotations_count: output.annotations.length,
      annotations_url: `${url}/annotations`,
    },
    check_suite: { id: suiteOf(repository, head_sha) },
    app: viewApp(simulation),
    pull_requests: [],
  };
}

/** A suite per repository and commit; nothing else is kept of it. */
export function suiteOf(repository: SimulatedRepository, headSha: string): number {
  return (repository.id % 1_000_000) * 4_096 + Number.parseInt(headSha.slice(0, 3), 16);
}
