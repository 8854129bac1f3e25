import { type Answer, bytes, json, notFound, Refused } from "../answers.ts";
import { type Commit, findCommit, readCommit, refuseEmpty } from "../commits.ts";
import type { RepositoryCall, Route } from "../router.ts";
import type { Simulation } from "../simulation.ts";
import { nodeId } from "../views/links.ts";

const contents = { contents: "read" } as const;
const UNVERIFIED = { verified: false, reason: "unsigned", signature: null, payload: null, verified_at: null };

/** Commits, as git objects and as GitHub's own. List this after the routes below `commits/{ref}/`. */
export const commitRoutes: Route[] = [
  {
    method: "GET",
    template: "/repos/{owner}/{repo}/git/commits/{commit_sha}",
    by: "repository",
    needs: contents,
    answer: readGitCommit,
  },
  {
    method: "GET",
    template: "/repos/{owner}/{repo}/commits/{ref}",
    by: "repository",
    needs: contents,
    answer: readRef,
  },
];

async function readGitCommit(
  { repository, params }: RepositoryCall,
  { git, links }: Simulation,
): Promise<Answer> {
  const sha = params.commit_sha ?? "";
  const commit = /^[0-9a-f]{40}$/.test(sha) ? await readCommit(git, repository.git_dir, sha) : null;
  if (!commit) {
    await refuseEmpty(repository, git);
    throw notFound();
  }
  const html = `${links.html}/${repository.full_name}/commit`;
  const url = `${links.api}/repos/${repository.full_name}/git`;
  return json(200, {
    sha,
    node_id: nodeId("Commit", `${repository.id}:${sha}`),
    url: `${url}/commits/${sha}`,
    html_url: `${html}/${sha}`,
    author: commit.author,
    committer: commit.committer,
    tree: { sha: commit.tree, url: `${url}/trees/${commit.tree}` },
    message: commit.message,
    parents: commit.parents.map((parent) => ({
      sha: parent,
      url: `${url}/commits/${parent}`,
      html_url: `${html}/${parent}`,
    })),
    verification: UNVERIFIED,
  });
}

async function readRef(
  { repository, params, headers }: RepositoryCall,
  { git, links }: Simulation,
): Promise<Answer> {
  const ref = params.ref ?? "";
  const sha = await findCommit(git, repository.git_dir, ref);
  const commit = sha && (await readCommit(git, repository.git_dir, sha));
  if (!commit) {
    await refuseEmpty(repository, git);
    throw new Refused(422, `No commit found for SHA: ${ref}`);
  }
  if (/application\/vnd\.github(?:\.v3)?\.sha/.test(headers.accept ?? "")) {
    return bytes(Buffer.from(commit.sha), "application/vnd.github.sha; charset=utf-8");
  }
  return json(200, describe(commit, { repositoryId: repository.id, fullName: repository.full_name, links }));
}

function describe(
  { sha, tree, parents, author, committer, message }: Commit,
  { repositoryId, fullName, links }: { repositoryId: number; fullName: string; links: Simulation["links"] },
) {
  const html = `${links.html}/${fullName}/commit`;
  const url = `${links.api}/repos/${fullName}`;
  return {
    sha,
    node_id: nodeId("Commit", `${repositoryId}:${sha}`),
    commit: {
      author,
      committer,
      message,
      tree: { sha: tree, url: `${url}/git/trees/${tree}` },
      url: `${url}/git/commits/${sha}`,
      comment_count: 0,
      verification: UNVERIFIED,
    },
    url: `${url}/commits/${sha}`,
    html_url: `${html}/${sha}`,
    comments_url: `${url}/commits/${sha}/comments`,
    author: null,
    committer: null,
    parents: parents.map((parent) => ({
      sha: parent,
      url: `${url}/commits/${parent}`,
      html_url: `${html}/${parent}`,
    })),
  };
}
