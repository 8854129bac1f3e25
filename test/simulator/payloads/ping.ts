import type { Simulation } from "../simulation.ts";
import { viewAccount } from "../views/account.ts";
import { APP_LOGIN, CREATED_AT } from "../views/app.ts";

/** `ping`, of a webhook that has just been set up. */
export function pingPayload(
  { appId, world, links }: Simulation,
  { hookId, url }: { hookId: number; url: string | null },
) {
  return {
    zen: "Keep it logically awesome.",
    hook_id: hookId,
    hook: {
      type: "App",
      id: hookId,
      name: "web",
      active: true,
      app_id: appId,
      events: ["push", "issue_comment", "check_run"],
      created_at: CREATED_AT,
      updated_at: CREATED_AT,
      config: { content_type: "json", insecure_ssl: "0", secret: "********", url },
    },
    sender: viewAccount(world.account(APP_LOGIN), links),
  };
}
