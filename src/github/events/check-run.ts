import { requestRescan } from "../../runs/rescan.ts";
import { type EventContext, noteOrigin, type Payload, readOrigin, settleDelivery } from "./context.ts";
import { nameOf, objectOf, shaOf } from "./facts.ts";
import { mayRescan, PermissionUnknown } from "./permission.ts";

/** "Re-run" on our check: GitHub has seen to the permission. */
export function onCheckRunRerequested(context: EventContext): void {
  context.github.probot.on("check_run.rerequested", async ({ id, payload }) => {
    await rerunOurs(context, id, { payload: payload as never, of: "check_run" });
  });
}

/** "Re-run all checks": ours is one of them. */
export function onCheckSuiteRerequested(context: EventContext): void {
  context.github.probot.on("check_suite.rerequested", async ({ id, payload }) => {
    await rerunOurs(context, id, { payload: payload as never, of: "check_suite" });
  });
}

/** "Rescan" and "Full rescan" on a finished check; anyone who reads the repository can press them. */
export function onCheckRunRequestedAction(context: EventContext): void {
  context.github.probot.on("check_run.requested_action", async ({ id, payload: typed }) => {
    const payload = typed as unknown as Payload;
    const check = objectOf(payload.check_run, "check_run");
    const { identifier } = objectOf(payload.requested_action, "requested_action");
    if (!isOurs(check, context) || (identifier !== "rescan" && identifier !== "rescan_full")) return;
    const origin = readOrigin(payload);
    if (!origin) return;
    const permitted = await mayRescan(context.github, origin, senderOf(payload));
    if (permitted === null) throw new PermissionUnknown();
    if (!permitted) {
      await settleDelivery(context, id, async () => `${senderOf(payload)} may not start a scan.`);
      return;
    }
    const mode = identifier === "rescan_full" ? "full" : "incremental";
    await rerun(context, id, { payload, mode, head: shaOf(check.head_sha, "check_run.head_sha") });
  });
}

function isOurs(check: Payload, { appId }: EventContext): boolean {
  return String(objectOf(check.app ?? {}, "app").id) === appId;
}

function senderOf({ sender }: Payload): string {
  return nameOf(objectOf(sender, "sender").login, "sender.login");
}

async function rerunOurs(
  context: EventContext,
  guid: string,
  { payload, of }: { payload: Payload; of: "check_run" | "check_suite" },
): Promise<void> {
  const check = objectOf(payload[of], of);
  if (!isOurs(check, context)) return;
  const head = shaOf(check.head_sha, `${of}.head_sha`);
  await rerun(context, guid, { payload, mode: "incremental", head });
}

async function rerun(
  context: EventContext,
  guid: string,
  { payload, mode, head }: { payload: Payload; mode: "incremental" | "full"; head: string },
): Promise<void> {
  const requested_by = senderOf(payload);
  await settleDelivery(context, guid, async (trx) => {
    const origin = await noteOrigin(trx, payload);
    if ("ignored" in origin) return origin.ignored;
    const rescan = await requestRescan(trx, {
      repository_id: origin.repositoryId,
      trigger: "rerun",
      mode,
      requested_by,
      report_head: head,
      delivery_guid: guid,
    });
    return rescan.kind === "accepted" ? `Run ${rescan.run_id} (${rescan.outcome}).` : rescan.message;
  });
}
