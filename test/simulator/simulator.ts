import type { Budget } from "./budget.ts";
import { type Delivered, type DeliveryOptions, deliver, HOOK_ID } from "./deliveries.ts";
import type { Fault } from "./faults.ts";
import {
  checkRunPayload,
  commentPayload,
  installationPayload,
  installationRepositoriesPayload,
  originPayload,
  type PushOptions,
  pingPayload,
  pushPayload,
} from "./payloads.ts";
import type { Recorder } from "./recorder.ts";
import { addComment } from "./routes/comments.ts";
import { openServers, type SimulatorOptions } from "./servers.ts";
import type { Simulation } from "./simulation.ts";
import {
  createRepository,
  type Permission,
  permissionKey,
  type SimulatedCheckRun,
  type SimulatedComment,
  type SimulatedReaction,
  type SimulatedRepository,
  timestamp,
} from "./world.ts";

/** GitHub's stand-in: what tests, the demo and chaos runs do to it and see of it. */
export interface Simulator extends Pick<Recorder, "requests" | "violations" | "on" | "until"> {
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
  addInstallation(options?: { id?: number; account?: string; accountId?: number }): number;
  addRepository(options: RepositoryOptions): SimulatedRepository;
  removeRepository(id: number): void;
  removeInstallation(installationId: number): void;
  setSuspended(installationId: number, suspended: boolean): void;
  setPermission(repositoryId: number, login: string, permission: Permission): void;
  setBudget(installationId: number, budget: Budget): void;
  addComment(options: CommentOptions): SimulatedComment;
  /** Adds a fault; answers the function that takes it away. */
  fault(fault: Fault): () => void;
  /** repository, installation and sender, for events that have no function of their own here. */
  origin(repositoryId: number, login?: string): ReturnType<typeof originPayload>;
  deliver(event: string, payload: object, options?: DeliveryOptions): Promise<Delivered>;
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
  deliverPing(): Promise<Delivered>;
  /** Ends git's processes and every connection, also those that were left hanging. */
  close(): Promise<void>;
}

interface RepositoryOptions {
  installation_id: number;
  /** A bare repository or a work tree; read anew at each request. */
  git_dir: string;
  name: string;
  owner?: string;
  id?: number;
  private?: boolean;
  default_branch?: string;
  archived?: boolean;
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
    on: recorder.on,
    until: recorder.until,
    ...installing(simulation),
    setPermission(repositoryId, login, permission) {
      world.permissions.set(permissionKey(repositoryId, login), permission);
    },
    setBudget: simulation.budgets.set,
    fault: simulation.faults.add,
    addComment({ login = "octocat", bot = false, ...comment }) {
      const added = addComment(world, { ...comment, user: { login, type: bot ? "Bot" : "User" } });
      recorder.emit({ kind: "comment", action: "created", comment: added });
      return added;
    },
    origin: (repositoryId, login) => originPayload(simulation, repositoryId, login),
    deliver: sendDelivery,
    ...delivering(simulation, sendDelivery),
    deliverPing: () => sendDelivery("ping", pingPayload(simulation, { hookId: HOOK_ID, url: hook.url })),
    close,
  };
}

type Installing =
  | "addInstallation"
  | "addRepository"
  | "removeRepository"
  | "removeInstallation"
  | "setSuspended";

/** What an owner does in GitHub's settings. */
function installing({ world }: Simulation): Pick<Simulator, Installing> {
  function removeRepository(id: number): void {
    const repository = world.repositories.get(id);
    if (!repository) return;
    world.repositories.delete(id);
    world.formerRepositories.set(id, repository);
  }

  return {
    removeRepository,
    addInstallation({ id = world.nextId("installation"), account = "octo-org", accountId } = {}) {
      const facts = { type: "Organization" as const, ...(accountId !== undefined && { id: accountId }) };
      const installation = {
        id,
        account: world.account(account, facts),
        created_at: timestamp(),
        suspended_at: null,
      };
      world.installations.set(id, installation);
      return id;
    },
    addRepository(options) {
      const installation = world.installations.get(options.installation_id);
      if (!installation) throw new Error(`There is no installation ${options.installation_id}.`);
      const repository = createRepository({
        id: world.nextId("repository"),
        owner: installation.account.login,
        private: true,
        archived: false,
        default_branch: null,
        ...options,
      });
      world.repositories.set(repository.id, repository);
      return repository;
    },
    removeInstallation(id) {
      const installation = world.installations.get(id);
      if (!installation) return;
      world.installations.delete(id);
      world.formerInstallations.set(id, installation);
      for (const repository of world.repositories.values()) {
        if (repository.installation_id === id) removeRepository(repository.id);
      }
    },
    setSuspended(id, suspended) {
      const installation = world.installations.get(id);
      if (!installation) throw new Error(`There is no installation ${id}.`);
      installation.suspended_at = suspended ? timestamp() : null;
    },
  };
}

type Delivering = Exclude<Extract<keyof Simulator, `deliver${string}`>, "deliver" | "deliverPing">;

/** The events that the App answers, with payloads made from what the simulator knows. */
function delivering(simulation: Simulation, send: Simulator["deliver"]): Pick<Simulator, Delivering> {
  return {
    deliverInstallationCreated: (id) => send("installation", installationPayload(simulation, id, "created")),
    deliverInstallationDeleted: (id) => send("installation", installationPayload(simulation, id, "deleted")),
    deliverRepositoriesAdded: (id, added) => {
      return send(
        "installation_repositories",
        installationRepositoriesPayload(simulation, id, { added, removed: [] }),
      );
    },
    deliverRepositoriesRemoved: (id, removed) => {
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
    deliverComment: (comment, { action = "created", guid } = {}) => {
      const payload = commentPayload(simulation, comment, action);
      return send("issue_comment", payload, guid === undefined ? {} : { guid });
    },
    deliverCheckRunRerequested: async (id, { login } = {}) => {
      return send("check_run", checkRunPayload(simulation, id, { identifier: null, login }));
    },
    deliverCheckRunRequestedAction: async (id, identifier, { login } = {}) => {
      return send("check_run", checkRunPayload(simulation, id, { identifier, login }));
    },
  };
}
