import type { Budget } from "./budget.ts";
import { type Delivered, type DeliveryOptions, deliver } from "./deliveries.ts";
import { createEventSenders, type EventSenders } from "./event-senders.ts";
import type { Fault } from "./faults.ts";
import { createOwner, type Owner } from "./owner.ts";
import { originPayload } from "./payloads/origin.ts";
import type { Recorder } from "./recorder.ts";
import type { Registration } from "./registrations.ts";
import { addComment } from "./routes/comments.ts";
import { openServers, type SimulatorOptions } from "./servers.ts";
import {
  type Permission,
  permissionKey,
  type SimulatedCheckRun,
  type SimulatedComment,
  type SimulatedReaction,
} from "./world.ts";

/** GitHub's stand-in: what tests, the demo and chaos runs do to it and see of it. */
export interface Simulator
  extends Owner,
    EventSenders,
    Pick<Recorder, "requests" | "violations" | "on" | "until"> {
  /** `http://127.0.0.1:PORT`, without `/api/v3`. */
  readonly url: string;
  /** What the server under test needs to find this GitHub and to be its App. */
  readonly environment: Record<string, string>;
  readonly appId: number;
  readonly webhookSecret: string;
  webhookUrl: string | null;
  readonly checkRuns: SimulatedCheckRun[];
  readonly comments: SimulatedComment[];
  readonly reactions: SimulatedReaction[];
  /** What Apps were registered from, oldest first. */
  readonly registrations: Registration[];
  setPermission(repositoryId: number, login: string, permission: Permission): void;
  setBudget(installationId: number, budget: Budget): void;
  /** Ends the time of every installation token given out so far. */
  expireTokens(): void;
  addComment(options: CommentOptions): SimulatedComment;
  /** Adds a fault; answers the function that takes it away. */
  fault(fault: Fault): () => void;
  /** repository, installation and sender, for events that have no function of their own here. */
  origin(repositoryId: number, login?: string): ReturnType<typeof originPayload>;
  deliver(event: string, payload: object, options?: DeliveryOptions): Promise<Delivered>;
  /** Ends git's processes and every connection, also those that were left hanging. */
  close(): Promise<void>;
}

interface CommentOptions {
  repository_id: number;
  issue_number: number;
  body: string;
  login?: string;
  bot?: boolean;
}

/** Starts a GitHub on 127.0.0.1 with one App and nothing installed. */
export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const { simulation, url, environment, webhookSecret, close } = await openServers(options);
  const { world, recorder } = simulation;
  const hook = { url: options.webhookUrl ?? null };

  function sendDelivery(event: string, payload: object, options: DeliveryOptions = {}): Promise<Delivered> {
    const to = { url: hook.url, secret: webhookSecret, appId: simulation.appId, recorder };
    return deliver(to, { event, payload, options });
  }

  return {
    url,
    environment,
    webhookSecret,
    appId: simulation.appId,
    get webhookUrl() {
      return hook.url;
    },
    set webhookUrl(to) {
      hook.url = to;
    },
    requests: recorder.requests,
    violations: recorder.violations,
    checkRuns: world.checkRuns,
    comments: world.comments,
    reactions: world.reactions,
    registrations: simulation.registrations.all,
    on: recorder.on,
    until: recorder.until,
    ...createOwner(simulation),
    setPermission(repositoryId, login, permission) {
      world.permissions.set(permissionKey(repositoryId, login), permission);
    },
    setBudget: simulation.budgets.set,
    expireTokens: simulation.tokens.expireAll,
    fault: simulation.faults.add,
    addComment({ login = "octocat", bot = false, ...comment }) {
      const added = addComment(world, { ...comment, user: { login, type: bot ? "Bot" : "User" } });
      recorder.emit({ kind: "comment", action: "created", comment: added });
      return added;
    },
    origin: (repositoryId, login) => originPayload(simulation, repositoryId, login),
    deliver: sendDelivery,
    ...createEventSenders(simulation, { send: sendDelivery, webhookUrl: () => hook.url }),
    close,
  };
}
