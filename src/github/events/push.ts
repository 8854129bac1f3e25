import type { Kysely } from "kysely";
import type { Tables } from "../../database/schema.ts";
import { requestRun } from "../../runs/queue.ts";
import { readConfiguredBranch } from "../../scan/settings-store.ts";
import { type EventContext, noteOrigin, type Payload, settleDelivery } from "./context.ts";
import { nameOf, repositoryFacts, shaOf } from "./facts.ts";

/**
 * A push to the indexed branch asks for a run. Its payload says only that something moved: the head is read
 * again when the run starts, and what changed follows from the trees.
 */
export function onPush(context: EventContext): void {
  context.github.probot.on("push", async ({ id, payload: typed }) => {
    const payload = typed as unknown as Payload;
    await settleDelivery(context, id, async (trx) => {
      const origin = await noteOrigin(trx, payload);
      if ("ignored" in origin) return origin.ignored;
      const { wants, why } = await readPush(trx, origin.repositoryId, payload);
      if (!wants) return why;
      const { run_id, outcome } = await requestRun(trx, {
        repository_id: origin.repositoryId,
        trigger: "push",
        delivery_guid: id,
        ...wants,
      });
      return `Run ${run_id} (${outcome})${why}.`;
    });
  });
}

/** What a push asks for, if anything: a check run is shown on `wanted_head` alone. */
async function readPush(
  trx: Kysely<Tables>,
  repositoryId: string,
  payload: Payload,
): Promise<{ wants: { wanted_head?: string; wanted_default?: string } | null; why: string }> {
  const ref = nameOf(payload.ref, "ref");
  const after = shaOf(payload.after, "after");
  const deleted = payload.deleted === true;
  const { default_branch } = repositoryFacts(payload.repository);
  const configured = await readConfiguredBranch(trx, repositoryId);
  const branch = configured ?? default_branch;
  if (ref === `refs/heads/${branch}`) {
    if (!deleted) return { wants: { wanted_head: after }, why: "" };
    if (configured === null)
      return { wants: null, why: "The default branch was deleted: its last index is kept." };
    return { wants: {}, why: ": the indexed branch was deleted" };
  }
  if (ref === `refs/heads/${default_branch}` && !deleted) {
    return {
      wants: { wanted_default: after },
      why: ": the configuration on the default branch may have changed",
    };
  }
  return { wants: null, why: `Not the indexed branch (${branch}): nothing to do.` };
}
