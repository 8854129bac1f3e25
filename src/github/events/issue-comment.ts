import { refuseRequest } from "../../runs/replies.ts";
import { requestRescan } from "../../runs/rescan.ts";
import { parseRescanCommand } from "../rescan-command.ts";
import { type EventContext, noteOrigin, settleDelivery } from "./context.ts";
import { mayRescan, PermissionUnknown } from "./permission.ts";

/** `/rescan` in a new comment by a person. Silence for bots, quotes, code, edits. */
export function onIssueComment(context: EventContext): void {
  context.app.on("issue_comment.created", async ({ id, payload }) => {
    const { comment, repository, issue } = payload;
    const author = comment.user;
    if (!author || author.type === "Bot" || payload.sender.type === "Bot") return;
    const command = parseRescanCommand(comment.body);
    if (!command) return;
    const permitted = await mayRescan(context, payload, author.login);
    await settleDelivery(context, id, async (trx) => {
      const origin = await noteOrigin(trx, payload as never);
      if ("ignored" in origin) return origin.ignored;
      if (permitted === null) throw new PermissionUnknown();
      const asked = {
        repository_id: String(repository.id),
        delivery_guid: id,
        requested_by: author.login,
        comment: { id: String(comment.id), issue_number: issue.number },
      };
      if (!permitted) {
        await refuseRequest(trx, { ...asked, outcome: "not_permitted", refusal: null });
        return `${author.login} may not start a scan.`;
      }
      if (command.kind === "unknown_option") {
        await refuseRequest(trx, { ...asked, outcome: "unknown_option", refusal: command.option });
        return "Unknown option: answered with the usage.";
      }
      const rescan = await requestRescan(trx, { ...asked, mode: command.mode });
      if (rescan.kind === "accepted") return `Run ${rescan.run_id} (${rescan.outcome}).`;
      await refuseRequest(trx, { ...asked, outcome: "refused", refusal: rescan.message });
      return rescan.message;
    });
  });
}
