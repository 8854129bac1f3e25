import { type Answer, empty, json, notFound } from "../answers.ts";
import type { RepositoryCall, Route } from "../router.ts";
import type { Simulation } from "../simulation.ts";
import { APP_LOGIN } from "../views/app.ts";
import { REACTIONS, viewComment, viewReaction } from "../views/comment.ts";
import { type SimulatedComment, type SimulatedReaction, timestamp, type World } from "../world.ts";
import { checkLength, invalid, objectOf, requiredString } from "./body.ts";
import { pageOf } from "./pages.ts";

const read = { issues: "read", pull_requests: "read" } as const;
const write = { issues: "write", pull_requests: "write" } as const;
/** GitHub refuses longer ones with "body is too long (maximum is 65536 characters)". */
const MAX_BODY = 65_536;
const issue = "/repos/{owner}/{repo}/issues/{issue_number}/comments";
const single = "/repos/{owner}/{repo}/issues/comments/{comment_id}";

/** Comments on issues and pull requests, and their reactions. */
export const commentRoutes: Route[] = [
  { method: "GET", template: issue, by: "repository", needs: read, answer: list },
  { method: "POST", template: issue, by: "repository", needs: write, content: true, answer: create },
  {
    method: "GET",
    template: single,
    by: "repository",
    needs: read,
    answer: (call, simulation) =>
      json(200, viewComment(commentOf(call, simulation), call.repository, simulation)),
  },
  { method: "PATCH", template: single, by: "repository", needs: write, content: true, answer: update },
  {
    method: "POST",
    template: `${single}/reactions`,
    by: "repository",
    needs: write,
    content: true,
    answer: react,
  },
  {
    method: "DELETE",
    template: `${single}/reactions/{reaction_id}`,
    by: "repository",
    needs: write,
    answer: removeReaction,
  },
];

/** Adds a comment as a person or a bot wrote it. */
export function addComment(
  world: World,
  facts: { repository_id: number; issue_number: number; body: string; user: SimulatedComment["user"] },
): SimulatedComment {
  const at = timestamp();
  const id = world.nextId("comment");
  const comment = { ...facts, id, created_at: at, updated_at: at, history: [facts.body] };
  world.comments.push(comment);
  return comment;
}

function list(call: RepositoryCall, simulation: Simulation): Answer {
  const since = sinceOf(call.query.get("since"));
  const number = Number(call.params.issue_number);
  const found = simulation.world.comments.filter(({ repository_id, issue_number, updated_at }) => {
    const here = repository_id === call.repository.id && issue_number === number;
    return here && Date.parse(updated_at) >= since;
  });
  const { items, headers } = pageOf(found, call, simulation);
  return json(
    200,
    items.map((comment) => viewComment(comment, call.repository, simulation)),
    headers,
  );
}

/** Compared in whole seconds, as comments carry no more. */
function sinceOf(since: string | null): number {
  return since === null ? Number.NEGATIVE_INFINITY : Math.floor(Date.parse(since) / 1000) * 1000;
}

function create(call: RepositoryCall, simulation: Simulation): Answer {
  const comment = addComment(simulation.world, {
    repository_id: call.repository.id,
    issue_number: Number(call.params.issue_number),
    body: bodyOf(call),
    user: { login: APP_LOGIN, type: "Bot" },
  });
  simulation.recorder.emit({ kind: "comment", action: "created", comment });
  return json(201, viewComment(comment, call.repository, simulation));
}

function update(call: RepositoryCall, simulation: Simulation): Answer {
  const comment = commentOf(call, simulation);
  comment.body = bodyOf(call);
  comment.updated_at = timestamp();
  comment.history.push(comment.body);
  simulation.recorder.emit({ kind: "comment", action: "edited", comment });
  return json(200, viewComment(comment, call.repository, simulation));
}

function bodyOf(call: RepositoryCall): string {
  const body = requiredString(objectOf(call.body), "body");
  checkLength(body, { name: "body", max: MAX_BODY });
  return body;
}

function commentOf({ params, repository }: RepositoryCall, { world }: Simulation): SimulatedComment {
  const id = Number(params.comment_id);
  const found = world.comments.find(
    (comment) => comment.id === id && comment.repository_id === repository.id,
  );
  if (!found) throw notFound();
  return found;
}

/** 201 for a new reaction, 200 where the App had it there already. */
function react(call: RepositoryCall, simulation: Simulation): Answer {
  const { world, recorder } = simulation;
  const comment_id = commentOf(call, simulation).id;
  const content = requiredString(objectOf(call.body), "content");
  if (!REACTIONS.includes(content))
    throw invalid(`For 'properties/content', "${content}" is not a member of the enum.`);
  const known = world.reactions.find((reaction) => {
    return reaction.comment_id === comment_id && reaction.content === content && reaction.user === APP_LOGIN;
  });
  if (known) return json(200, viewReaction(known, simulation));
  const id = world.nextId("reaction");
  const reaction: SimulatedReaction = { id, comment_id, content, user: APP_LOGIN, created_at: timestamp() };
  world.reactions.push(reaction);
  recorder.emit({ kind: "reaction", action: "created", reaction });
  return json(201, viewReaction(reaction, simulation));
}

function removeReaction(call: RepositoryCall, simulation: Simulation): Answer {
  const { world, recorder } = simulation;
  const { id: commentId } = commentOf(call, simulation);
  const index = world.reactions.findIndex((reaction) => {
    return reaction.id === Number(call.params.reaction_id) && reaction.comment_id === commentId;
  });
  const [reaction] = index < 0 ? [] : world.reactions.splice(index, 1);
  if (!reaction) throw notFound();
  recorder.emit({ kind: "reaction", action: "deleted", reaction });
  return empty(204);
}
