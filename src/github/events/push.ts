import type { Kysely } from "kysely";
import type { Tables } from "../../database/schema.ts";
import { requestRun } from "../../runs/queue.ts";
import { type EventContext, noteOrigin, type Payload, settleDelivery } from "./context.ts";
import { nameOf, objectOf, shaOf } from "./facts.ts";

/**
 * A push to the indexed branch asks for a run. Its payload says only that something moved: the head is read
 * again when the run starts, and what changed follows from the trees.
 */
export function onPush(context: EventContext): void {
  context.github.probot.on("push", async ({ id, payload }) => {
    await settleDelivery(context, id, (trx) => requestPushed(trx, id, payload as never));
  });
}

async function requestPushed(trx: Kysely<Tables>, guid: string, payload: Payload): Promise<string> {
  const ref = nameOf(payload.ref, "ref");
  const wanted_head = shaOf(payload.after, "after");
  const origin = await noteOrigin(trx, payload);
  if ("ignored" in origin) return origin.ignored;
  const branch = objectOf(payload.repository, "repository").default_branch;
  if (ref !== `refs/heads/${branch}`) return `Not the indexed branch (${branch}): nothing to do.`;
  if (payload.deleted === true) return "The indexed branch was deleted: its last index is kept.";
  const { run_id, outcome } = await requestRun(trx, {
    repository_id: origin.repositoryId,
    trigger: "push",
    wanted_head,
    delivery_guid: guid,
  });
  return `Run ${run_id} (${outcome}).`;
}
