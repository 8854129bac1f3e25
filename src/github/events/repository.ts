import { requestRun } from "../../runs/queue.ts";
import { type EventContext, noteOrigin, settleDelivery } from "./context.ts";

/** Another default branch is another commit to index, although nobody pushed. */
export function onDefaultBranchChanged(context: EventContext): void {
  context.app.on("repository.edited", async ({ id, payload }) => {
    if (!payload.changes.default_branch) return;
    await settleDelivery(context, id, async (trx) => {
      const origin = await noteOrigin(trx, payload as never);
      if ("ignored" in origin) return origin.ignored;
      const { run_id, outcome } = await requestRun(trx, {
        repository_id: origin.repositoryId,
        trigger: "push",
        delivery_guid: id,
      });
      return `Run ${run_id} (${outcome}): the default branch is ${payload.repository.default_branch} now.`;
    });
  });
}

/** Names change, ids do not: readers see the new name at once, not after the next scan. */
export function onRepositoryRenamed(context: EventContext): void {
  context.app.on("repository.renamed", async ({ id, payload }) => {
    await settleDelivery(context, id, async (trx) => {
      const origin = await noteOrigin(trx, payload as never);
      return "ignored" in origin ? origin.ignored : `It is called ${payload.repository.full_name} now.`;
    });
  });
}
