import { readCommit } from "./commits.ts";
import type { Simulation } from "./simulation.ts";
import { viewAccount } from "./views/account.ts";
import { APP_LOGIN, viewInstallation } from "./views/app.ts";
import { viewCheckRun } from "./views/check-run.ts";
import { viewComment } from "./views/comment.ts";
import { nodeId } from "./views/links.ts";
import { viewRepository, viewRepositoryName } from "./views/repository.ts";
import type { Installation, SimulatedComment, SimulatedRepository } from "./world.ts";

const NO_COMMIT = "0".repeat(40);
/** Enough to look real; GitHub lists up to 2,048. */
const MAX_COMMITS = 20;
const DEFAULT_SENDER = "octocat";

export interface PushOptions {
  before?: string;
  /** The branch's present head unless told. */
  after?: string;
  /** The default branch unless told. */
  ref?: string;
  forced?: boolean;
  deleted?: boolean;
}

/** The part that every event of a repository shares: the repository, the installation, who did it. */
export function originPayload(simulation: Simulation, repositoryId: number, login = DEFAULT_SENDER) {
  const repository = repositoryOf(simulation, repositoryId);
  const { installation_id } = repository;
  return {
    repository: viewRepository(repository, simulation),
    installation: { id: installation_id, node_id: nodeId("IntegrationInstallation", installation_id) },
    sender: viewAccount(simulation.world.account(login), simulation.links),
  };
}

export async function pushPayload(simulation: Simulation, repositoryId: number, options: PushOptions) {
  const { git, links, world } = simulation;
  const repository = repositoryOf(simulation, repositoryId);
  const { git_dir, full_name } = repository;
  const ref = options.ref ?? `refs/heads/${repository.default_branch}`;
  const head = options.deleted ? NO_COMMIT : (await git.find(git_dir, ref))?.sha;
  const after = options.after ?? head ?? NO_COMMIT;
  const newest = await readCommit(git, git_dir, after);
  const before = options.before ?? newest?.parents[0] ?? NO_COMMIT;
  const html = `${links.html}/${full_name}`;
  const commits = newest ? await listCommits(simulation, repository, { before, after }) : [];
  return {
    ref,
    before,
    after,
    created: before === NO_COMMIT,
    deleted: options.deleted ?? false,
    forced: options.forced ?? false,
    base_ref: null,
    compare: `${html}/compare/${before.slice(0, 12)}...${after.slice(0, 12)}`,
    commits,
    head_commit: commits.at(-1) ?? null,
    pusher: { name: DEFAULT_SENDER, email: `${DEFAULT_SENDER}@example.com` },
    organization: viewAccount(world.account(repository.owner), links),
    ...originPayload(simulation, repositoryId),
  };
}

/** Oldest first, as GitHub lists them. A before that git does not have counts for nothing. */
async function listCommits(
  { git, links }: Simulation,
  { git_dir, full_name }: SimulatedRepository,
  { before, after }: { before: string; after: string },
) {
  const known = before !== NO_COMMIT && (await git.find(git_dir, before)) !== null;
  const range = known ? [`${before}..${after}`] : [after];
  const printed = await git.run(git_dir, ["rev-list", `--max-count=${MAX_COMMITS}`, ...range]);
  const shas = printed.toString().split("\n").filter(Boolean).toReversed();
  const commits = await Promise.all(shas.map((sha) => readCommit(git, git_dir, sha)));
  return commits
    .filter((commit) => commit !== null)
    .map(({ sha, tree, message, author, committer }) => ({
      id: sha,
      tree_id: tree,
      distinct: true,
      message,
      timestamp: committer.date,
      url: `${links.html}/${full_name}/commit/${sha}`,
      author: { name: author.name, email: author.email, username: DEFAULT_SENDER },
      committer: { name: committer.name, email: committer.email, username: DEFAULT_SENDER },
      // GitHub lists files here; nobody may rely on them, so there are none.
      added: [],
      removed: [],
      modified: [],
    }));
}

export function installationPayload(simulation: Simulation, id: number, action: "created" | "deleted") {
  const { world, links } = simulation;
  const repositories = [...world.repositories.values()].filter(
    ({ installation_id }) => installation_id === id,
  );
  return {
    action,
    installation: viewInstallation(installationOf(simulation, id), simulation),
    repositories: repositories.map(viewRepositoryName),
    requester: null,
    sender: viewAccount(world.account(DEFAULT_SENDER), links),
  };
}

export function installationRepositoriesPayload(
  simulation: Simulation,
  id: number,
  { added, removed }: { added: number[]; removed: number[] },
) {
  const name = (repositoryId: number) => viewRepositoryName(repositoryOf(simulation, repositoryId));
  return {
    action: added.length > 0 ? "added" : "removed",
    installation: viewInstallation(installationOf(simulation, id), simulation),
    repository_selection: "selected",
    repositories_added: added.map(name),
    repositories_removed: removed.map(name),
    requester: null,
    sender: viewAccount(simulation.world.account(DEFAULT_SENDER), simulation.links),
  };
}

export function commentPayload(
  simulation: Simulation,
  comment: SimulatedComment,
  action: "created" | "edited" | "deleted",
) {
  const repository = repositoryOf(simulation, comment.repository_id);
  const { issue_url, html_url, ...view } = viewComment(comment, repository, simulation);
  const opener = viewAccount(simulation.world.account(DEFAULT_SENDER), simulation.links);
  const issueHtml = html_url.replace(/#.*$/, "");
  return {
    action,
    ...(action === "edited" && { changes: { body: { from: comment.history.at(-2) ?? "" } } }),
    issue: {
      id: 3_000_000_000 + comment.issue_number,
      node_id: nodeId("Issue", comment.issue_number),
      number: comment.issue_number,
      title: `Issue ${comment.issue_number}`,
      url: issue_url,
      html_url: issueHtml,
      user: opener,
      labels: [],
      state: "open",
      locked: false,
      assignee: null,
      assignees: [],
      milestone: null,
      comments: simulation.world.comments.filter(({ issue_number }) => issue_number === comment.issue_number)
        .length,
      created_at: repository.created_at,
      updated_at: comment.updated_at,
      closed_at: null,
      author_association: "MEMBER",
      body: null,
    },
    comment: { ...view, issue_url, html_url },
    ...originPayload(simulation, comment.repository_id, comment.user.login),
  };
}

export function checkRunPayload(
  simulation: Simulation,
  checkRunId: number,
  { identifier, login }: { identifier: string | null; login?: string | undefined },
) {
  const checkRun = simulation.world.checkRuns.find(({ id }) => id === checkRunId);
  if (!checkRun) throw new Error(`There is no check run ${checkRunId}.`);
  const repository = repositoryOf(simulation, checkRun.repository_id);
  const view = viewCheckRun(checkRun, repository, simulation);
  return {
    action: identifier === null ? "rerequested" : "requested_action",
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
    ...(identifier !== null && { requested_action: { identifier } }),
    ...originPayload(simulation, checkRun.repository_id, login),
  };
}

export function pingPayload(
  { appId, world, links }: Simulation,
  { hookId, url }: { hookId: number; url: string | null },
) {
  return {
    zen: "Keep it logically awesome.",
    hook_id: hookId,
    hook: {
      type: "App",
      id: hookId,
      name: "web",
      active: true,
      app_id: appId,
      events: ["push", "issue_comment", "check_run"],
      config: { content_type: "json", insecure_ssl: "0", secret: "********", url },
    },
    sender: viewAccount(world.account(APP_LOGIN), links),
  };
}

function repositoryOf({ world }: Simulation, id: number): SimulatedRepository {
  const found = world.repositories.get(id) ?? world.formerRepositories.get(id);
  if (!found) throw new Error(`There is no repository ${id}.`);
  return found;
}

function installationOf({ world }: Simulation, id: number): Installation {
  const found = world.installations.get(id) ?? world.formerInstallations.get(id);
  if (!found) throw new Error(`There is no installation ${id}.`);
  return found;
}
