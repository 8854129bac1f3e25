import type { Delivered } from "./deliveries.ts";
import type { Owner } from "./owner.ts";
import {
  type InstallationAction,
  installationOf,
  installationPayload,
  installationRepositoriesPayload,
  targetRenamedPayload,
} from "./payloads/installation.ts";
import { originPayload } from "./payloads/origin.ts";
import { previousOwner, type RepositoryAction, repositoryPayload } from "./payloads/repository.ts";
import type { Simulation } from "./simulation.ts";
import { ASKED, type SimulatedRepository } from "./world.ts";

/**
 * What an owner does in GitHub's settings, told to the App: first the world is changed, then all events that GitHub
 * sends for it are delivered. Each answers what the receiver said to them, in the order of GitHub's documentation.
 */
export interface OwnerEvents {
  suspendInstallation(installationId: number): Promise<Delivered[]>;
  unsuspendInstallation(installationId: number): Promise<Delivered[]>;
  /** Grants everything that the App asks for. */
  acceptPermissions(installationId: number): Promise<Delivered[]>;
  /** The installation's account takes another login; its repositories follow. */
  renameAccount(installationId: number, login: string): Promise<Delivered[]>;
  renameRepository(repositoryId: number, name: string): Promise<Delivered[]>;
  /**
   * Gives the repository to another installation's account: `transferred` arrives there alone, the old installation
   * is told that it was removed.
   */
  transferRepository(repositoryId: number, installationId: number): Promise<Delivered[]>;
  deleteRepository(repositoryId: number): Promise<Delivered[]>;
  archiveRepository(repositoryId: number): Promise<Delivered[]>;
  unarchiveRepository(repositoryId: number): Promise<Delivered[]>;
  privatizeRepository(repositoryId: number): Promise<Delivered[]>;
  /** Sends `public` beside `repository.publicized`. */
  publicizeRepository(repositoryId: number): Promise<Delivered[]>;
  changeDefaultBranch(repositoryId: number, branch: string): Promise<Delivered[]>;
}

type Told = [event: string, payload: object];

/** An owner whose deeds are told. */
export function createOwnerEvents(simulation: Simulation, owner: Owner): OwnerEvents {
  const { hook } = simulation;

  async function tell(...told: Told[]): Promise<Delivered[]> {
    return await Promise.all(told.map(([event, payload]) => hook.send(event, payload)));
  }

  const ofInstallation = (id: number, action: InstallationAction): Told => {
    return ["installation", installationPayload(simulation, id, action)];
  };

  return {
    ...createRepositoryEvents(simulation, { owner, tell }),
    async suspendInstallation(id) {
      owner.setSuspended(id, true);
      return await tell(ofInstallation(id, "suspend"));
    },
    async unsuspendInstallation(id) {
      owner.setSuspended(id, false);
      return await tell(ofInstallation(id, "unsuspend"));
    },
    async acceptPermissions(id) {
      owner.setPermissions(id, ASKED);
      return await tell(ofInstallation(id, "new_permissions_accepted"));
    },
    async renameAccount(id, login) {
      const { account } = installationOf(simulation, id);
      const from = account.login;
      simulation.world.renameAccount(account, login);
      for (const repository of simulation.world.repositories.values()) {
        if (repository.owner === from) repository.owner = login;
      }
      return await tell(["installation_target", targetRenamedPayload(simulation, id, { from })]);
    },
  };
}

type AboutInstallations =
  | "suspendInstallation"
  | "unsuspendInstallation"
  | "acceptPermissions"
  | "renameAccount";

function createRepositoryEvents(
  simulation: Simulation,
  { owner, tell }: { owner: Owner; tell: (...told: Told[]) => Promise<Delivered[]> },
): Omit<OwnerEvents, AboutInstallations> {
  const { world } = simulation;

  function repositoryOf(id: number): SimulatedRepository {
    const repository = world.repositories.get(id);
    if (!repository) throw new Error(`There is no repository ${id}.`);
    return repository;
  }

  const told = (id: number, action: RepositoryAction, changes?: object): Told => {
    return ["repository", repositoryPayload(simulation, id, { action, ...(changes && { changes }) })];
  };

  /** Made before the deed: the payload names the repository as the old installation knew it. */
  const removed = (id: number): Told => {
    const { installation_id } = repositoryOf(id);
    const facts = { added: [], removed: [id] };
    return ["installation_repositories", installationRepositoriesPayload(simulation, installation_id, facts)];
  };

  async function set(
    id: number,
    changed: Partial<Pick<SimulatedRepository, "archived" | "private">>,
    action: RepositoryAction,
  ): Promise<Delivered[]> {
    Object.assign(repositoryOf(id), changed);
    return await tell(told(id, action));
  }

  return {
    archiveRepository: (id) => set(id, { archived: true }, "archived"),
    unarchiveRepository: (id) => set(id, { archived: false }, "unarchived"),
    privatizeRepository: (id) => set(id, { private: true }, "privatized"),
    async publicizeRepository(id) {
      repositoryOf(id).private = false;
      return await tell(told(id, "publicized"), ["public", originPayload(simulation, id)]);
    },
    async renameRepository(id, name) {
      const repository = repositoryOf(id);
      const from = repository.name;
      repository.name = name;
      return await tell(told(id, "renamed", { repository: { name: { from } } }));
    },
    async changeDefaultBranch(id, branch) {
      const repository = repositoryOf(id);
      const from = repository.default_branch;
      repository.default_branch = branch;
      return await tell(told(id, "edited", { default_branch: { from } }));
    },
    async transferRepository(id, installationId) {
      const repository = repositoryOf(id);
      const from = previousOwner(world.account(repository.owner), simulation);
      const gone = removed(id);
      repository.owner = installationOf(simulation, installationId).account.login;
      repository.installation_id = installationId;
      return await tell(told(id, "transferred", { owner: from }), gone);
    },
    async deleteRepository(id) {
      const gone = removed(id);
      owner.removeRepository(id);
      return await tell(told(id, "deleted"), gone);
    },
  };
}
