import type { Simulation } from "../simulation.ts";
import type { SimulatedRepository } from "../world.ts";
import { viewAccount } from "./account.ts";
import { nodeId } from "./links.ts";

/** GitHub's "repository", which webhooks share. */
export function viewRepository(repository: SimulatedRepository, { world, links }: Simulation) {
  const { id, name, owner, full_name, archived, created_at } = repository;
  const url = `${links.api}/repos/${full_name}`;
  const html_url = `${links.html}/${full_name}`;
  return {
    id,
    node_id: nodeId("Repository", id),
    name,
    full_name,
    private: repository.private,
    owner: viewAccount(world.account(owner), links),
    html_url,
    description: null,
    fork: false,
    url,
    ...addresses(url),
    git_url: `${links.html.replace(/^http/, "git")}/${full_name}.git`,
    ssh_url: `git@${new URL(links.html).hostname}:${full_name}.git`,
    clone_url: `${html_url}.git`,
    svn_url: html_url,
    mirror_url: null,
    homepage: null,
    language: null,
    license: null,
    topics: [],
    visibility: repository.private ? "private" : "public",
    default_branch: repository.default_branch,
    archived,
    disabled: false,
    is_template: false,
    allow_forking: true,
    web_commit_signoff_required: false,
    has_issues: true,
    has_projects: true,
    has_downloads: true,
    has_wiki: true,
    has_pages: false,
    has_discussions: false,
    size: 0,
    forks: 0,
    forks_count: 0,
    open_issues: 0,
    open_issues_count: 0,
    stargazers_count: 0,
    watchers: 0,
    watchers_count: 0,
    created_at,
    updated_at: created_at,
    pushed_at: created_at,
  };
}

/** GitHub's "full-repository": what the answer for a single one adds. */
export function viewFullRepository(repository: SimulatedRepository, simulation: Simulation) {
  return { ...viewRepository(repository, simulation), network_count: 0, subscribers_count: 0 };
}

/** The short form in installation events. */
export function viewRepositoryName({ id, name, full_name, private: isPrivate }: SimulatedRepository) {
  return { id, node_id: nodeId("Repository", id), name, full_name, private: isPrivate };
}

function addresses(url: string) {
  return {
    forks_url: `${url}/forks`,
    keys_url: `${url}/keys{/key_id}`,
    collaborators_url: `${url}/collaborators{/collaborator}`,
    teams_url: `${url}/teams`,
    hooks_url: `${url}/hooks`,
    issue_events_url: `${url}/issues/events{/number}`,
    events_url: `${url}/events`,
    assignees_url: `${url}/assignees{/user}`,
    branches_url: `${url}/branches{/branch}`,
    tags_url: `${url}/tags`,
    blobs_url: `${url}/git/blobs{/sha}`,
    git_tags_url: `${url}/git/tags{/sha}`,
    git_refs_url: `${url}/git/refs{/sha}`,
    trees_url: `${url}/git/trees{/sha}`,
    statuses_url: `${url}/statuses/{sha}`,
    languages_url: `${url}/languages`,
    stargazers_url: `${url}/stargazers`,
    contributors_url: `${url}/contributors`,
    subscribers_url: `${url}/subscribers`,
    subscription_url: `${url}/subscription`,
    commits_url: `${url}/commits{/sha}`,
    git_commits_url: `${url}/git/commits{/sha}`,
    comments_url: `${url}/comments{/number}`,
    issue_comment_url: `${url}/issues/comments{/number}`,
    contents_url: `${url}/contents/{+path}`,
    compare_url: `${url}/compare/{base}...{head}`,
    merges_url: `${url}/merges`,
    archive_url: `${url}/{archive_format}{/ref}`,
    downloads_url: `${url}/downloads`,
    issues_url: `${url}/issues{/number}`,
    pulls_url: `${url}/pulls{/number}`,
    milestones_url: `${url}/milestones{/number}`,
    notifications_url: `${url}/notifications{?since,all,participating}`,
    labels_url: `${url}/labels{/name}`,
    releases_url: `${url}/releases{/id}`,
    deployments_url: `${url}/deployments`,
  };
}
