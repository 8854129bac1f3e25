import type { Simulation } from "../simulation.ts";
import type { SimulatedComment, SimulatedReaction, SimulatedRepository, World } from "../world.ts";
import { viewAccount } from "./account.ts";
import { nodeId } from "./links.ts";

/** What people and Apps may react with. */
export const REACTIONS = ["+1", "-1", "laugh", "confused", "heart", "hooray", "rocket", "eyes"];

/** GitHub's "issue-comment". */
export function viewComment(
  comment: SimulatedComment,
  repository: SimulatedRepository,
  { world, links }: Simulation,
) {
  const { id, issue_number, user } = comment;
  const url = `${links.api}/repos/${repository.full_name}`;
  return {
    id,
    node_id: nodeId("IssueComment", id),
    url: `${url}/issues/comments/${id}`,
    html_url: `${links.html}/${repository.full_name}/issues/${issue_number}#issuecomment-${id}`,
    issue_url: `${url}/issues/${issue_number}`,
    user: viewAccount({ ...world.account(user.login, { type: user.type }), type: user.type }, links),
    created_at: comment.created_at,
    updated_at: comment.updated_at,
    author_association: user.type === "Bot" ? "NONE" : "MEMBER",
    body: comment.body,
    performed_via_github_app: null,
    reactions: countReactions(id, { url: `${url}/issues/comments/${id}/reactions`, world }),
  };
}

/** GitHub's "reaction-rollup". */
function countReactions(commentId: number, { url, world }: { url: string; world: World }) {
  const given = world.reactions.filter(({ comment_id }) => comment_id === commentId);
  const counts = REACTIONS.map(
    (content) => [content, given.filter((reaction) => reaction.content === content).length] as const,
  );
  return { url, total_count: given.length, ...Object.fromEntries(counts) };
}

/** GitHub's "reaction". */
export function viewReaction(reaction: SimulatedReaction, { world, links }: Simulation) {
  const { id, content, user, created_at } = reaction;
  return {
    id,
    node_id: nodeId("Reaction", id),
    user: viewAccount(world.account(user), links),
    content,
    created_at,
  };
}
