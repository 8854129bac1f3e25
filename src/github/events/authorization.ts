import { forgetAuthorization } from "../../access/users.ts";
import { type EventContext, type Payload, settleDelivery } from "./context.ts";
import { idOf, objectOf } from "./facts.ts";

/** Somebody does not let the App act for them any more: what was signed in in their name is signed out at once. */
export function onAuthorizationRevoked(context: EventContext): void {
  context.github.probot.on("github_app_authorization.revoked", async ({ id, payload: typed }) => {
    const { sender } = typed as unknown as Payload;
    const userId = idOf(objectOf(sender, "sender").id, "sender.id");
    await settleDelivery(context, id, async (trx) => {
      await forgetAuthorization(trx, userId);
      return "Signed out: the person took back what signing in gave.";
    });
  });
}
