import { requestRun } from "../../runs/queue.ts";
import { type EventContext, noteOrigin, settleDelivery } from "./context.ts";

/**
 * A push to the indexed branch asks for a run. Its payload says only that something moved: the head is read
 * again when the run starts, and what changed follows from the trees.
 */
export function onPush(context: EventContext): void {
  context.app.on("push", async ({ id, payload }) => {
    await settleDelivery(context, id, async (trx) => {
      const origin = await noteOrigin(trx, payload as never);
      if ("ignored" in origin) return origin.ignored;
      const branch = payload.repository.default_branch;
      if (payload.ref !== `refs/heads/${branch}`) return `Not the indexed branch (${branch}): nothing to do.`;
      if (payload.deleted) return "The indexed branch was deleted: its last index is kept.";
      const { run_id, outcome } = await requestRun(trx, {
        repository_id: origin.repositoryId,
        trigger: "push",
        wanted_head: payload.after,
        delivery_guid: id,
      });
      return `Run ${run_id} (${outcome}).`;
    });
  });
}
