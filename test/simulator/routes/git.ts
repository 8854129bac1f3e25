import { type Answer, bytes, empty, json, notFound, Refused } from "../answers.ts";
import { findCommit, refuseEmpty } from "../commits.ts";
import type { RepositoryCall, Route } from "../router.ts";
import type { Simulation } from "../simulation.ts";
import { readTree } from "../trees.ts";
import { nodeId } from "../views/links.ts";
import { viewFullRepository } from "../views/repository.ts";

const contents = { contents: "read" } as const;
/** docs.github.com, "Get a blob": supports blobs up to 100 megabytes. */
const MAX_BLOB_BYTES = 100 * 1024 * 1024;
/** From here on a raw blob goes out as a stream of its own. */
const STREAMED_BLOB_BYTES = 4 * 1024 * 1024;

/** A repository and its git objects, read from git when asked. */
export const gitRoutes: Route[] = [
  {
    method: "GET",
    template: "/repos/{owner}/{repo}",
    by: "repository",
    needs: { metadata: "read" },
    answer: ({ repository }, simulation) => json(200, viewFullRepository(repository, simulation)),
  },
  {
    method: "GET",
    template: "/repos/{owner}/{repo}/git/ref/{ref}",
    by: "repository",
    needs: contents,
    answer: readRef,
  },
  {
    method: "GET",
    template: "/repos/{owner}/{repo}/git/trees/{tree_sha}",
    by: "repository",
    needs: contents,
    answer: readTreeAnswer,
  },
  {
    method: "GET",
    template: "/repos/{owner}/{repo}/git/blobs/{file_sha}",
    by: "repository",
    needs: contents,
    answer: readBlob,
  },
  {
    method: "GET",
    template: "/repos/{owner}/{repo}/tarball/{ref}",
    by: "repository",
    needs: contents,
    answer: redirectToArchive,
  },
];

async function readRef({ repository, params }: RepositoryCall, { git, links }: Simulation): Promise<Answer> {
  const found = await git.find(repository.git_dir, `refs/${params.ref}`);
  if (!found) {
    await refuseEmpty(repository, git);
    throw notFound();
  }
  const url = `${links.api}/repos/${repository.full_name}/git`;
  return json(200, {
    ref: `refs/${params.ref}`,
    node_id: nodeId("Ref", `${repository.id}:refs/${params.ref}`),
    url: `${url}/refs/${params.ref}`,
    object: { sha: found.sha, type: found.type, url: `${url}/${found.type}s/${found.sha}` },
  });
}

async function readTreeAnswer(call: RepositoryCall, simulation: Simulation): Promise<Answer> {
  const { repository, params, query } = call;
  const { git, links, treeLimit } = simulation;
  const url = `${links.api}/repos/${repository.full_name}/git`;
  const tree = await git.find(repository.git_dir, `${params.tree_sha}^{tree}`);
  if (!tree) {
    await refuseEmpty(repository, git);
    throw notFound();
  }
  // GitHub takes the parameter's presence for yes, whatever its value.
  const recursive = query.has("recursive");
  const { entries, truncated } = await readTree(git, {
    git_dir: repository.git_dir,
    sha: tree.sha,
    recursive,
    limit: repository.tree_limit ?? treeLimit,
    url,
  });
  const head = `{"sha":"${tree.sha}","url":${JSON.stringify(`${url}/trees/${tree.sha}`)},"tree":[`;
  const body = Buffer.from(`${head}${entries.join(",")}],"truncated":${truncated}}`);
  return bytes(body, "application/json; charset=utf-8");
}

async function readBlob({ repository, params, headers }: RepositoryCall, { git, links }: Simulation) {
  const { git_dir } = repository;
  const sha = params.file_sha ?? "";
  const found = /^[0-9a-f]{40}$/.test(sha) ? await git.find(git_dir, sha) : null;
  if (found?.type !== "blob") {
    await refuseEmpty(repository, git);
    throw notFound();
  }
  if (found.size > MAX_BLOB_BYTES) throw tooLarge();
  const media = /application\/vnd\.github(?:\.v3)?\.raw(?:\+json)?/.exec(headers.accept ?? "")?.[0];
  if (media && found.size > STREAMED_BLOB_BYTES) {
    return bytes(git.stream(git_dir, ["cat-file", "blob", sha]), `${media}; charset=utf-8`);
  }
  const blob = await git.read(git_dir, sha);
  if (!blob) throw notFound();
  if (media) return bytes(blob.content, `${media}; charset=utf-8`);
  return json(200, {
    sha,
    node_id: nodeId("Blob", sha),
    size: found.size,
    url: `${links.api}/repos/${repository.full_name}/git/blobs/${sha}`,
    content: blob.content.toString("base64").replaceAll(/.{1,60}/g, "$&\n"),
    encoding: "base64",
  });
}

function tooLarge(): Refused {
  const message =
    "This API returns blobs up to 100 MB in size. The requested blob is too large to fetch via the API, but you can always clone the repository via Git in order to obtain this blob.";
  const errors = [{ resource: "Blob", field: "data", code: "too_large" }];
  return new Refused(403, message, { extra: { errors } });
}

async function redirectToArchive({ repository, params }: RepositoryCall, { git, archive }: Simulation) {
  const commit = await findCommit(git, repository.git_dir, params.ref ?? "");
  if (!commit) throw notFound();
  return empty(302, { location: archive.link(repository, commit) });
}
