import { readCommit } from "../commits.ts";
import type { Simulation } from "../simulation.ts";
import type { SimulatedRepository } from "../world.ts";
import { DEFAULT_SENDER, originPayload, repositoryOf } from "./origin.ts";

const NO_COMMIT = "0".repeat(40);
/** Enough to look real; GitHub lists up to 2,048. */
const MAX_COMMITS = 20;

/** What a push says, where it is not what the branch shows. */
export interface PushOptions {
  before?: string;
  /** The branch's present head unless told. */
  after?: string;
  /** The default branch unless told. */
  ref?: string;
  forced?: boolean;
  /** A branch or tag that was not there before. */
  created?: boolean;
  deleted?: boolean;
}

/** `push`: by itself, the branch's newest commit on top of its first parent. */
export async function pushPayload(simulation: Simulation, repositoryId: number, options: PushOptions) {
  const { git, links } = simulation;
  const repository = repositoryOf(simulation, repositoryId);
  const { git_dir, full_name } = repository;
  const ref = options.ref ?? `refs/heads/${repository.default_branch}`;
  const head = options.deleted ? NO_COMMIT : (await git.find(git_dir, ref))?.sha;
  const after = options.after ?? head ?? NO_COMMIT;
  const newest = await readCommit(git, git_dir, `${after}^{commit}`); // a tag may be an object of its own
  const parent = options.created ? NO_COMMIT : newest?.parents[0];
  const before = options.before ?? parent ?? NO_COMMIT;
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
