import type { Simulation } from "../simulation.ts";
import { viewAccount } from "../views/account.ts";
import { REACTIONS, viewComment } from "../views/comment.ts";
import { nodeId } from "../views/links.ts";
import type { SimulatedComment } from "../world.ts";
import { DEFAULT_SENDER, originPayload, repositoryOf } from "./origin.ts";

const NO_REACTIONS = { total_count: 0, ...Object.fromEntries(REACTIONS.map((content) => [content, 0])) };

/** `issue_comment`; the comment's author is the sender. */
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
      repository_url: issue_url.replace(/\/issues\/\d+$/, ""),
      labels_url: `${issue_url}/labels{/name}`,
      comments_url: `${issue_url}/comments`,
      events_url: `${issue_url}/events`,
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
      active_lock_reason: null,
      body: null,
      reactions: { ...NO_REACTIONS, url: `${issue_url}/reactions` },
    },
    comment: { ...view, issue_url, html_url },
    ...originPayload(simulation, comment.repository_id, comment.user.login),
    sender: view.user,
  };
}
