import type { Kysely } from "kysely";
import type { Tables } from "../../database/schema.ts";
import { redact } from "../../redact.ts";
import { refuseRequest } from "../../runs/replies.ts";
import { requestRescan } from "../../runs/rescan.ts";
import { parseRescanCommand, type RescanCommand } from "../rescan-command.ts";
import { type EventContext, noteOrigin, type Payload, readOrigin, settleDelivery } from "./context.ts";
import { idOf, nameOf, objectOf } from "./facts.ts";
import { mayRescan, PermissionUnknown } from "./permission.ts";

/** `/rescan` in a new comment by a person. Silence for bots, quotes, code, edits. */
export function onIssueComment(context: EventContext): void {
  context.github.probot.on("issue_comment.created", async ({ id, payload }) => {
    const asked = readAsked(payload as never);
    const origin = asked && readOrigin(payload as never);
    if (!asked || !origin) return;
    const permitted = await mayRescan(context.github, origin, asked.login);
    await settleDelivery(context, id, async (trx) => {
      const noted = await noteOrigin(trx, payload as never);
      if ("ignored" in noted) return noted.ignored;
      if (permitted === null) throw new PermissionUnknown();
      return await answer(trx, asked, { repository_id: noted.repositoryId, delivery_guid: id, permitted });
    });
  });
}

interface Asked {
  command: RescanCommand;
  login: string;
  comment: { id: string; issue_number: number };
}

/** The command of a comment and whose it is, or null where nobody commands anything. */
function readAsked({ comment, issue, sender }: Payload): Asked | null {
  const { id, body, user } = objectOf(comment, "comment");
  if (typeof body !== "string" || user === null || user === undefined) return null;
  const author = objectOf(user, "comment.user");
  if (author.type === "Bot" || objectOf(sender, "sender").type === "Bot") return null;
  const command = parseRescanCommand(body);
  if (!command) return null;
  const issue_number = Number(idOf(objectOf(issue, "issue").number, "issue.number"));
  return {
    command,
    login: nameOf(author.login, "comment.user.login"),
    comment: { id: idOf(id, "comment.id"), issue_number },
  };
}

async function answer(
  trx: Kysely<Tables>,
  { command, login, comment }: Asked,
  { permitted, ...where }: { repository_id: string; delivery_guid: string; permitted: boolean },
): Promise<string> {
  const request = { ...where, comment, requested_by: login };
  if (!permitted) {
    await refuseRequest(trx, { ...request, outcome: "not_permitted", refusal: null });
    return `${login} may not start a scan.`;
  }
  if (command.kind === "unknown_option") {
    await refuseRequest(trx, { ...request, outcome: "unknown_option", refusal: redact(command.option) });
    return "Unknown option: answered with the usage.";
  }
  const rescan = await requestRescan(trx, { ...request, mode: command.mode });
  if (rescan.kind === "accepted") return `Run ${rescan.run_id} (${rescan.outcome}).`;
  await refuseRequest(trx, { ...request, outcome: "refused", refusal: rescan.message });
  return rescan.message;
}
