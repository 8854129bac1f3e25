import type { Delivered } from "./deliveries.ts";
import { HOOK_ID } from "./hook.ts";
import { checkRunPayload } from "./payloads/check-run.ts";
import { type CheckSuiteAction, checkSuitePayload } from "./payloads/check-suite.ts";
import { commentPayload } from "./payloads/comment.ts";
import { installationPayload, installationRepositoriesPayload } from "./payloads/installation.ts";
import { pingPayload } from "./payloads/ping.ts";
import { type PushOptions, pushPayload } from "./payloads/push.ts";
import type { Simulation } from "./simulation.ts";
import type { SimulatedComment } from "./world.ts";

/** The events that the App answers, with payloads made from what the simulator knows. */
export interface EventSenders {
  deliverInstallationCreated(id: number): Promise<Delivered>;
  deliverInstallationDeleted(id: number): Promise<Delivered>;
  deliverRepositoriesAdded(installationId: number, ids: number[]): Promise<Delivered>;
  deliverRepositoriesRemoved(installationId: number, ids: number[]): Promise<Delivered>;
  deliverPush(repositoryId: number, options?: PushOptions & { guid?: string }): Promise<Delivered>;
  deliverComment(
    comment: SimulatedComment,
    options?: { action?: "created" | "edited" | "deleted"; guid?: string },
  ): Promise<Delivered>;
  deliverCheckRunRerequested(checkRunId: number, options?: { login?: string }): Promise<Delivered>;
  deliverCheckRunRequestedAction(
    checkRunId: number,
    identifier: string,
    options?: { login?: string },
  ): Promise<Delivered>;
  /** What GitHub tells of each check run; an App that answers these with a check run never ends. */
  deliverCheckRun(checkRunId: number, action: "created" | "completed"): Promise<Delivered>;
  deliverCheckSuite(
    repositoryId: number,
    action: CheckSuiteAction,
    options?: { head_sha?: string; login?: string },
  ): Promise<Delivered>;
  deliverPing(): Promise<Delivered>;
}

/** Senders that build each payload when they are called, from what the simulator knows then. */
export function createEventSenders(simulation: Simulation): EventSenders {
  const { hook } = simulation;
  const { send } = hook;
  return {
    async deliverInstallationCreated(id) {
      return send("installation", installationPayload(simulation, id, "created"));
    },
    async deliverInstallationDeleted(id) {
      return send("installation", installationPayload(simulation, id, "deleted"));
    },
    async deliverRepositoriesAdded(id, added) {
      return send(
        "installation_repositories",
        installationRepositoriesPayload(simulation, id, { added, removed: [] }),
      );
    },
    async deliverRepositoriesRemoved(id, removed) {
      return send(
        "installation_repositories",
        installationRepositoriesPayload(simulation, id, { added: [], removed }),
      );
    },
    async deliverPush(repositoryId, { guid, ...options } = {}) {
      return send(
        "push",
        await pushPayload(simulation, repositoryId, options),
        guid === undefined ? {} : { guid },
      );
    },
    async deliverComment(comment, { action = "created", guid } = {}) {
      const payload = commentPayload(simulation, comment, action);
      return send("issue_comment", payload, guid === undefined ? {} : { guid });
    },
    async deliverCheckRunRerequested(id, { login } = {}) {
      return send("check_run", checkRunPayload(simulation, id, { action: "rerequested", login }));
    },
    async deliverCheckRunRequestedAction(id, identifier, { login } = {}) {
      return send(
        "check_run",
        checkRunPayload(simulation, id, { action: "requested_action", identifier, login }),
      );
    },
    async deliverCheckRun(id, action) {
      return send("check_run", checkRunPayload(simulation, id, { action }));
    },
    async deliverCheckSuite(repositoryId, action, options = {}) {
      return send("check_suite", await checkSuitePayload(simulation, repositoryId, { action, ...options }));
    },
    async deliverPing() {
      return send("ping", pingPayload(simulation, { hookId: HOOK_ID, url: hook.url }));
    },
  };
}
