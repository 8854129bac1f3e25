import type { Logger } from "pino";
import type { Connection } from "../database/connect.ts";
import type { HandleDelivery } from "../deliveries/inbox.ts";
import type { GitHubApp } from "./client.ts";
import { onCheckRunRequestedAction, onCheckRunRerequested } from "./events/check-run.ts";
import type { EventContext } from "./events/context.ts";
import {
  onInstallationCreated,
  onInstallationDeleted,
  onRepositoriesAdded,
  onRepositoriesRemoved,
} from "./events/installation.ts";
import { onIssueComment } from "./events/issue-comment.ts";
import { onPing } from "./events/ping.ts";
import { onPush } from "./events/push.ts";
import { onDefaultBranchChanged, onRepositoryRenamed } from "./events/repository.ts";

/** Loads the event handlers into the Probot app; answers the function that hands it one delivery. */
export function createDeliveryHandler(options: {
  app: GitHubApp;
  appId: string;
  connection: Connection;
  log: Logger;
}): HandleDelivery {
  const context: EventContext = options;
  const handlers = [
    onInstallationCreated,
    onInstallationDeleted,
    onRepositoriesAdded,
    onRepositoriesRemoved,
    onPush,
    onDefaultBranchChanged,
    onRepositoryRenamed,
    onIssueComment,
    onCheckRunRerequested,
    onCheckRunRequestedAction,
    onPing,
  ];
  for (const handle of handlers) handle(context);
  return async (delivery) => {
    await options.app.receive({
      id: delivery.guid,
      name: delivery.event as "push",
      payload: JSON.parse(delivery.payload),
    });
  };
}
