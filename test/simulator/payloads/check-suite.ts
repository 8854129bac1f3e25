import { readCommit } from "../commits.ts";
import type { Simulation } from "../simulation.ts";
import { viewApp } from "../views/app.ts";
import { suiteOf } from "../views/check-run.ts";
import { nodeId } from "../views/links.ts";
import { originPayload, repositoryOf } from "./origin.ts";

export type CheckSuiteAction = "requested" | "rerequested" | "completed";

/** `check_suite` of the default branch's newest commit, unless told of another. */
export async function checkSuitePayload(
  simulation: Simulation,
  repositoryId: number,
  { action, head_sha, login }: { action: CheckSuiteAction; head_sha?: string; login?: string },
) {
  const { git, links, world } = simulation;
  const repository = repositoryOf(simulation, repositoryId);
  const { git_dir, default_branch, full_name } = repository;
  const sha = head_sha ?? (await git.find(git_dir, `refs/heads/${default_branch}`))?.sha ?? "";
  const commit = await readCommit(git, git_dir, sha);
  if (!commit) throw new Error(`${full_name} has no commit ${sha}.`);
  const id = suiteOf(repository, sha);
  const url = `${links.api}/repos/${full_name}/check-suites/${id}`;
  const runs = world.checkRuns.filter((run) => run.repository_id === repositoryId && run.head_sha === sha);
  const { author, committer } = commit;
  return {
    action,
    check_suite: {
      id,
      node_id: nodeId("CheckSuite", id),
      head_branch: default_branch,
      head_sha: sha,
      status: action === "completed" ? "completed" : "queued",
      conclusion: action === "completed" ? "success" : null,
      url,
      before: commit.parents[0] ?? null,
      after: sha,
      pull_requests: [],
      app: viewApp(simulation),
      created_at: committer.date,
      updated_at: committer.date,
      rerequestable: true,
      runs_rerequestable: true,
      latest_check_runs_count: runs.length,
      check_runs_url: `${url}/check-runs`,
      head_commit: {
        id: sha,
        tree_id: commit.tree,
        message: commit.message,
        timestamp: committer.date,
        author: { name: author.name, email: author.email },
        committer: { name: committer.name, email: committer.email },
      },
    },
    ...originPayload(simulation, repositoryId, login),
  };
}
