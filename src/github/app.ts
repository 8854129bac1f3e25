import { DeliveryPostponed, type HandleDelivery, PayloadUnusable } from "../deliveries/inbox.ts";
import { DeliveryTaken } from "../deliveries/store.ts";
import { HostUnavailable, RateLimited } from "../scan/source.ts";
import { onAuthorizationRevoked } from "./events/authorization.ts";
import {
  onCheckRunRequestedAction,
  onCheckRunRerequested,
  onCheckSuiteRerequested,
} from "./events/check-run.ts";
import type { EventContext } from "./events/context.ts";
import {
  onInstallationCreated,
  onInstallationDeleted,
  onInstallationSuspended,
  onPermissionsAccepted,
  onRepositoriesAdded,
  onRepositoriesRemoved,
  onTargetRenamed,
} from "./events/installation.ts";
import { onIssueComment } from "./events/issue-comment.ts";
import { onPing } from "./events/ping.ts";
import { onPush } from "./events/push.ts";
import {
  onArchived,
  onDefaultBranchChanged,
  onRepositoryDeleted,
  onRepositoryRenamed,
  onRepositoryTransferred,
  onVisibilityChanged,
} from "./events/repository.ts";

/**
 * Loads the event handlers into the Probot app; answers the function that hands it one delivery. What has no handler
 * is recorded, and nothing follows: check runs and suites that come and go among it, or ours would lead to ours.
 */
export function createDeliveryHandler(context: EventContext): HandleDelivery {
  const handlers = [
    onInstallationCreated,
    onInstallationDeleted,
    onInstallationSuspended,
    onPermissionsAccepted,
    onTargetRenamed,
    onRepositoriesAdded,
    onRepositoriesRemoved,
    onPush,
    onRepositoryRenamed,
    onRepositoryTransferred,
    onRepositoryDeleted,
    onArchived,
    onVisibilityChanged,
    onDefaultBranchChanged,
    onIssueComment,
    onCheckRunRerequested,
    onCheckSuiteRerequested,
    onCheckRunRequestedAction,
    onAuthorizationRevoked,
    onPing,
  ];
  for (const handle of handlers) handle(context);
  return async (delivery) => {
    try {
      await context.github.probot.receive({
        id: delivery.guid,
        name: delivery.event as "push",
        payload: JSON.parse(delivery.payload),
      });
    } catch (error) {
      throw translate(rootOf(error));
    }
  };
}

/** What is GitHub's own trouble costs a delivery nothing. */
function translate(error: unknown): unknown {
  if (error instanceof RateLimited)
    return new DeliveryPostponed(error.message, { retryAt: error.resetAt, cause: error });
  if (error instanceof HostUnavailable)
    return new DeliveryPostponed(error.message, { retryAt: null, cause: error });
  if (error instanceof RangeError) return new PayloadUnusable("(nested too deep)"); // the stack is used up
  return error;
}

/** @octokit/webhooks wraps what handlers throw in an AggregateError. */
function rootOf(error: unknown): unknown {
  if (!(error instanceof AggregateError)) return error;
  return error.errors.find((inner) => inner instanceof DeliveryTaken) ?? error.errors[0];
}
