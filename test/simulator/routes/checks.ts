import { type Answer, json, notFound, Refused } from "../answers.ts";
import { applyToCheckRun } from "../check-run-input.ts";
import { findCommit } from "../commits.ts";
import type { RepositoryCall, Route } from "../router.ts";
import type { Simulation } from "../simulation.ts";
import { viewCheckRun } from "../views/check-run.ts";
import { type SimulatedCheckRun, timestamp } from "../world.ts";
import { objectOf, requiredString } from "./body.ts";
import { pageOf } from "./pages.ts";

const read = { checks: "read" } as const;
const write = { checks: "write" } as const;

/** Check runs: the App's word on a commit. */
export const checkRoutes: Route[] = [
  {
    method: "POST",
    template: "/repos/{owner}/{repo}/check-runs",
    by: "repository",
    needs: write,
    content: true,
    answer: create,
  },
  {
    method: "GET",
    template: "/repos/{owner}/{repo}/check-runs/{check_run_id}",
    by: "repository",
    needs: read,
    answer: (call, simulation) => {
      return json(200, viewCheckRun(checkRunOf(call, simulation), call.repository, simulation));
    },
  },
  {
    method: "PATCH",
    template: "/repos/{owner}/{repo}/check-runs/{check_run_id}",
    by: "repository",
    needs: write,
    content: true,
    answer: update,
  },
  {
    method: "GET",
    template: "/repos/{owner}/{repo}/check-runs/{check_run_id}/annotations",
    by: "repository",
    needs: read,
    answer: listAnnotations,
  },
  {
    method: "GET",
    template: "/repos/{owner}/{repo}/commits/{ref}/check-runs",
    by: "repository",
    needs: read,
    answer: listForRef,
  },
];

async function create(call: RepositoryCall, simulation: Simulation): Promise<Answer> {
  const { git, world, recorder } = simulation;
  const body = objectOf(call.body);
  const name = requiredString(body, "name");
  const sha = requiredString(body, "head_sha");
  const commit = /^[0-9a-f]{40}$/.test(sha) ? await git.find(call.repository.git_dir, sha) : null;
  if (commit?.type !== "commit") throw new Refused(422, `No commit found for SHA: ${sha}`);
  const checkRun: SimulatedCheckRun = {
    id: world.nextId("check_run"),
    repository_id: call.repository.id,
    head_sha: sha,
    name,
    external_id: "",
    details_url: "https://example.com/repodex",
    status: "queued",
    conclusion: null,
    started_at: timestamp(),
    completed_at: null,
    output: { title: null, summary: null, text: null, annotations: [] },
    actions: [],
    history: [],
  };
  applyToCheckRun(checkRun, body);
  world.checkRuns.push(checkRun);
  recorder.emit({ kind: "check_run", action: "created", check_run: checkRun });
  return json(201, viewCheckRun(checkRun, call.repository, simulation));
}

function update(call: RepositoryCall, simulation: Simulation): Answer {
  const checkRun = checkRunOf(call, simulation);
  applyToCheckRun(checkRun, objectOf(call.body));
  simulation.recorder.emit({ kind: "check_run", action: "updated", check_run: checkRun });
  return json(200, viewCheckRun(checkRun, call.repository, simulation));
}

function checkRunOf({ params, repository }: RepositoryCall, { world }: Simulation): SimulatedCheckRun {
  const id = Number(params.check_run_id);
  const found = world.checkRuns.find(
    (checkRun) => checkRun.id === id && checkRun.repository_id === repository.id,
  );
  if (!found) throw notFound();
  return found;
}

function listAnnotations(call: RepositoryCall, simulation: Simulation): Answer {
  const { head_sha, output } = checkRunOf(call, simulation);
  const blob = `${simulation.links.html}/${call.repository.full_name}/blob/${head_sha}`;
  const { items, headers } = pageOf(output.annotations, call, simulation);
  const absent = { start_column: null, end_column: null, title: null, raw_details: null };
  return json(
    200,
    items.map((annotation) => ({
      ...absent,
      ...annotation,
      blob_href: `${blob}/${String(annotation.path)}`,
    })),
    headers,
  );
}

/** Newest first. `filter` is "latest" unless it says "all": only the newest of each name. */
async function listForRef(call: RepositoryCall, simulation: Simulation): Promise<Answer> {
  const { params, query, repository } = call;
  const sha = await findCommit(simulation.git, repository.git_dir, params.ref ?? "");
  if (!sha) throw new Refused(422, `No commit found for SHA: ${params.ref}`);
  const name = query.get("check_name");
  const status = query.get("status");
  const seen = new Set<string>();
  const found = simulation.world.checkRuns
    .filter((checkRun) => checkRun.repository_id === repository.id && checkRun.head_sha === sha)
    .toSorted((a, b) => b.id - a.id)
    .filter((checkRun) => {
      const newest = !seen.has(checkRun.name);
      seen.add(checkRun.name);
      return newest || query.get("filter") === "all";
    })
    .filter(
      (checkRun) =>
        (name === null || checkRun.name === name) && (status === null || checkRun.status === status),
    );
  const { items, headers } = pageOf(found, call, simulation);
  const check_runs = items.map((checkRun) => viewCheckRun(checkRun, repository, simulation));
  return json(200, { total_count: found.length, check_runs }, headers);
}
