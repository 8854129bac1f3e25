import type { Replier, RescanReply } from "../runs/replies.ts";
import type { SourceError } from "../scan/source.ts";
import { allPages, bounded, type GitHub, type Octokit, once } from "./client.ts";
import { translateError } from "./errors.ts";
import { codeSpan, escapeMarkdown } from "./markdown.ts";

type Reaction = "eyes" | "rocket" | "-1" | "confused";

/** Answers `/rescan` comments: a reaction on the comment, and one reply that is edited at the end. */
export function createReplier(options: { github: GitHub; publicUrl: string }): Replier {
  return {
    async reply(reply, signal) {
      const octokit = options.github.as({
        installationId: reply.installation_id,
        repositoryId: reply.repository.id,
        permissions: { issues: "write", pull_requests: "write" },
        background: false,
      });
      try {
        await react(octokit, reply, signal);
        const body = `${describeReply(reply, options.publicUrl)}\n\n${markerOf(reply)}`;
        return { kind: "replied", reply_id: await writeReply(octokit, reply, { body, signal }) };
      } catch (error) {
        const translated = translateError(error, "answer the comment");
        const reason = unreachableReason(translated);
        if (reason) return { kind: "unreachable", reason };
        throw translated;
      }
    },
  };
}

async function react(octokit: Octokit, reply: RescanReply, signal: AbortSignal): Promise<void> {
  await octokit.rest.reactions.createForIssueComment({
    owner: reply.repository.owner,
    repo: reply.repository.name,
    comment_id: Number(reply.comment_id),
    content: reactionOf(reply),
    request: bounded(signal),
  });
}

/** 👀 at acceptance, 🚀 once indexed; 👎 without permission, 😕 where there is something to put right. */
function reactionOf({ outcome, run }: Pick<RescanReply, "outcome" | "run">): Reaction {
  if (outcome === "not_permitted") return "-1";
  if (run === null) return "confused";
  if (run.finished_at === null) return "eyes";
  return run.state === "succeeded" ? "rocket" : "confused";
}

/** What the reply says now. */
function describeReply(reply: RescanReply, publicUrl: string): string {
  const { run, outcome } = reply;
  if (run === null) return describeRefusal(reply);
  const note = reply.refusal === null ? "" : `${escapeMarkdown(reply.refusal)} `; // a cooldown's
  const details = `${note}[Details](${publicUrl}/runs/${run.id})`;
  if (run.finished_at === null) return `${describeWaiting(outcome, run, reply.status)} ${details}`;
  return `${describeEnd(run)} ${details}`;
}

function describeRefusal({ outcome, refusal, requested_by }: RescanReply): string {
  if (outcome === "not_permitted") {
    return `Only people with write access to this repository can start a scan, @${requested_by}.`;
  }
  if (outcome === "unknown_option") {
    return `I do not know the option ${codeSpan(refusal ?? "")}. Usage: \`/rescan\` or \`/rescan full\`.`;
  }
  return escapeMarkdown(refusal ?? "This repository cannot be scanned now.");
}

type Run = NonNullable<RescanReply["run"]>;

function describeWaiting(
  outcome: RescanReply["outcome"],
  run: Run,
  { running }: RescanReply["status"],
): string {
  // Read a moment later, the status may know that the run was claimed since.
  if (run.state === "running" || running?.id === run.id)
    return `The scan is running${percentOf(running ?? run)}.`;
  if (outcome === "joined") return `A scan is already waiting, ${ordinal(run.position ?? 1)} in line.`;
  if (running) return `A scan is running${percentOf(running)}; one more follows on the newest commit.`;
  return `A scan is queued, ${ordinal(run.position ?? 1)} in line.`;
}

function percentOf({ progress: { files_done: done, files_total: total } }: Run): string {
  return done !== undefined && total ? ` (${Math.floor((100 * done) / total)}%)` : "";
}

function ordinal(n: number): string {
  return ["first", "second", "third"][n - 1] ?? `number ${n}`;
}

function describeEnd(run: Run): string {
  switch (run.state) {
    case "succeeded":
      return run.head_sha
        ? `Indexed \`${run.head_sha.slice(0, 7)}\`: ${(run.progress.files_total ?? 0).toLocaleString("en-US")} files listed.`
        : "There is no commit to index: the repository is empty, or its configuration names a branch that is gone.";
    case "failed":
      return `The scan failed: ${escapeMarkdown(run.reason ?? "")}`;
    case "cancelled":
      return run.cancel_requested_by
        ? `Cancelled by ${escapeMarkdown(run.cancel_requested_by)}.`
        : "Cancelled.";
    default:
      return "Another run answers for this one.";
  }
}

/** Finds our reply again after a crash between writing it and recording it. */
function markerOf(reply: RescanReply): string {
  return `<!-- repodex-request:${reply.request_id} -->`;
}

async function writeReply(
  octokit: Octokit,
  reply: RescanReply,
  { body, signal }: { body: string; signal: AbortSignal },
): Promise<string> {
  const where = { owner: reply.repository.owner, repo: reply.repository.name };
  const known = reply.reply_id ?? (await findReply(octokit, reply, signal));
  if (known !== null) {
    await octokit.rest.issues.updateComment({
      ...where,
      comment_id: Number(known),
      body,
      request: bounded(signal),
    });
    return known;
  }
  const { data } = await octokit.rest.issues.createComment({
    ...where,
    issue_number: reply.issue_number,
    body,
    request: once(signal),
  });
  return String(data.id);
}

async function findReply(octokit: Octokit, reply: RescanReply, signal: AbortSignal): Promise<string | null> {
  const comments = await allPages(async (page) => {
    const { data, headers } = await octokit.rest.issues.listComments({
      owner: reply.repository.owner,
      repo: reply.repository.name,
      issue_number: reply.issue_number,
      since: reply.asked_at.toISOString(),
      per_page: 100,
      page,
      request: bounded(signal),
    });
    return { items: data, headers };
  });
  const found = comments.find(({ body, user }) => user?.type === "Bot" && body?.includes(markerOf(reply)));
  return found ? String(found.id) : null;
}

/** What no further try changes; access that comes back opens the reply again. */
const UNREACHABLE = new Set([
  "suspended",
  "archived",
  "uninstalled",
  "not_found",
  "gone",
  "forbidden",
  "locked",
  "blocked",
  "refused",
  "unprocessable",
]);

function unreachableReason({ code, message }: SourceError): string | null {
  if (!UNREACHABLE.has(code)) return null;
  return code === "not_found" ? "The comment is gone, or Repodex may not write there any more." : message;
}
