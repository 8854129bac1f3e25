import { requestRescan } from "../../runs/rescan.ts";
import { type EventContext, noteOrigin, settleDelivery } from "./context.ts";
import { mayRescan } from "./permission.ts";

/** "Re-run" on our check: GitHub has seen to the permission. */
export function onCheckRunRerequested(context: EventContext): void {
  context.app.on("check_run.rerequested", async ({ id, payload }) => {
    if (String(payload.check_run.app?.id) !== context.appId) return;
    await rerun(context, id, { payload: payload as never, mode: "incremental" });
  });
}

/** "Rescan" and "Full rescan" on a finished check; anyone who reads the repository can press them. */
export function onCheckRunRequestedAction(context: EventContext): void {
  context.app.on("check_run.requested_action", async ({ id, payload }) => {
    if (String(payload.check_run.app?.id) !== context.appId) return;
    const identifier = payload.requested_action?.identifier;
    if (identifier !== "rescan" && identifier !== "rescan_full") return;
    const permitted = await mayRescan(context, payload, payload.sender.login);
    if (!permitted) {
      await settleDelivery(context, id, async () => `${payload.sender.login} may not start a scan.`);
      return;
    }
    await rerun(context, id, {
      payload: payload as never,
      mode: identifier === "rescan_full" ? "full" : "incremental",
    });
  });
}

interface CheckRunPayload {
  check_run: { head_sha: string };
  installation?: { id: number };
  repository: {
    id: number;
    name: string;
    owner: { id: number; login: string };
    private: boolean;
    archived?: boolean;
    default_branch?: string;
  };
  sender: { login: string };
}

async function rerun(
  context: EventContext,
  guid: string,
  { payload, mode }: { payload: CheckRunPayload; mode: "incremental" | "full" },
): Promise<void> {
  await settleDelivery(context, guid, async (trx) => {
    const origin = await noteOrigin(trx, payload);
    if ("ignored" in origin) return origin.ignored;
    const rescan = await requestRescan(trx, {
      repository_id: origin.repositoryId,
      trigger: "rerun",
      mode,
      requested_by: payload.sender.login,
      report_head: payload.check_run.head_sha,
      delivery_guid: guid,
    });
    return rescan.kind === "accepted" ? `Run ${rescan.run_id} (${rescan.outcome}).` : rescan.message;
  });
}
