import { type EventContext, settleDelivery } from "./context.ts";

/** GitHub's first word to a new webhook: nothing follows, but operators see that it arrived. */
export function onPing(context: EventContext): void {
  context.github.probot.on("ping", async ({ id }) => {
    await settleDelivery(context, id, async () => "The webhook works.");
  });
}
