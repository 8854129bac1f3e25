import type { Authorizations } from "./authorizations.ts";
import type { Budgets } from "./budget.ts";
import type { ContentCounts } from "./content-limits.ts";
import type { Delivered, DeliveryOptions } from "./deliveries.ts";
import { createEventSenders, type EventSenders } from "./event-senders.ts";
import type { Fault } from "./faults.ts";
import type { DeliveryAttempt, Hook } from "./hook.ts";
import { createOwner, type Owner } from "./owner.ts";
import { createOwnerEvents, type OwnerEvents } from "./owner-events.ts";
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
    OwnerEvents,
    EventSenders,
    Pick<Recorder, "requests" | "violations" | "operations" | "on" | "until"> {
  /** `http://127.0.0.1:PORT`, without `/api/v3`. */
  readonly url: string;
  /** What the server under test needs to find this GitHub and to be its App. */
  readonly environment: Record<string, string>;
  /** The same for a server whose users sign in here. */
  readonly signInEnvironment: Record<string, string>;
  /** Who lets the App act for them. */
  readonly authorizations: Authorizations;
  readonly appId: number;
  readonly webhookSecret: string;
  webhookUrl: string | null;
  readonly checkRuns: SimulatedCheckRun[];
  readonly comments: SimulatedComment[];
  readonly reactions: SimulatedReaction[];
  /** What Apps were registered from, oldest first. */
  readonly registrations: Registration[];
  setPermission(repositoryId: number, login: string, permission: Permission): void;
  /** What an installation (or with null the App itself) has left of "core", or of "graphql". */
  setBudget: Budgets["set"];
  setBudgetWindow: Budgets["setWindow"];
  budgetUse: Budgets["uses"];
  /** GitHub's 80 a minute and 500 an hour are in force until told otherwise; null: no limit. */
  setContentLimits: ContentCounts["set"];
  contentUse: ContentCounts["use"];
  /** Ends the time of every installation token given out so far. */
  expireTokens(): void;
  addComment(options: CommentOptions): SimulatedComment;
  /** Adds a fault; answers the function that takes it away. */
  fault(fault: Fault): () => void;
  /** repository, installation and sender, for events that have no function of their own here. */
  origin(repositoryId: number, login?: string): ReturnType<typeof originPayload>;
  deliver(event: string, payload: object, options?: DeliveryOptions): Promise<Delivered>;
  /** Every attempt to deliver, oldest first; setting one's `delivered_at` ages it. */
  readonly deliveries: DeliveryAttempt[];
  /** Matching attempts never reach the receiver, until the function that this answers is called; see `Hook.lose`. */
  loseDeliveries: Hook["lose"];
  /** As the button in the App's settings does. */
  redeliver: Hook["redeliver"];
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
  const { simulation, url, environment, close } = await openServers(options);
  const { world, recorder, hook } = simulation;
  const owner = createOwner(simulation);

  return {
    url,
    environment,
    signInEnvironment: {
      ...environment,
      GITHUB_CLIENT_ID: simulation.authorizations.clientId,
      GITHUB_CLIENT_SECRET: simulation.authorizations.clientSecret,
    },
    authorizations: simulation.authorizations,
    webhookSecret: hook.secret,
    appId: simulation.appId,
    get webhookUrl() {
      return hook.url;
    },
    set webhookUrl(to) {
      hook.url = to;
    },
    requests: recorder.requests,
    violations: recorder.violations,
    operations: recorder.operations,
    checkRuns: world.checkRuns,
    comments: world.comments,
    reactions: world.reactions,
    registrations: simulation.registrations.all,
    on: recorder.on,
    until: recorder.until,
    ...owner,
    ...createOwnerEvents(simulation, owner),
    setPermission(repositoryId, login, permission) {
      world.permissions.set(permissionKey(repositoryId, login), permission);
    },
    setBudget: simulation.budgets.set,
    setBudgetWindow: simulation.budgets.setWindow,
    budgetUse: simulation.budgets.uses,
    setContentLimits: simulation.content.set,
    contentUse: simulation.content.use,
    expireTokens: simulation.tokens.expireAll,
    fault: simulation.faults.add,
    addComment({ login = "octocat", bot = false, ...comment }) {
      const added = addComment(world, { ...comment, user: { login, type: bot ? "Bot" : "User" } });
      recorder.emit({ kind: "comment", action: "created", comment: added });
      return added;
    },
    origin: (repositoryId, login) => originPayload(simulation, repositoryId, login),
    deliver: hook.send,
    deliveries: hook.attempts,
    loseDeliveries: hook.lose,
    redeliver: hook.redeliver,
    ...createEventSenders(simulation),
    close,
  };
}
