import { createRepository } from "./repository.ts";
import type { Simulation } from "./simulation.ts";
import { ASKED, type Installation, type Permissions, type SimulatedRepository, timestamp } from "./world.ts";

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

/** What an owner does in GitHub's settings. */
export interface Owner {
  addInstallation(options?: { id?: number; account?: string; accountId?: number }): number;
  addRepository(options: RepositoryOptions): SimulatedRepository;
  removeRepository(id: number): void;
  removeInstallation(installationId: number): void;
  setSuspended(installationId: number, suspended: boolean): void;
  /** Exactly these are granted from now on, also to tokens that were given out for more. */
  setPermissions(installationId: number, permissions: Permissions): void;
}

/** The owner's side of an empty GitHub. */
export function createOwner({ world }: Simulation): Owner {
  function installationOf(id: number): Installation {
    const installation = world.installations.get(id);
    if (!installation) throw new Error(`There is no installation ${id}.`);
    return installation;
  }

  function removeRepository(id: number): void {
    const repository = world.repositories.get(id);
    if (!repository) return;
    world.repositories.delete(id);
    world.formerRepositories.set(id, repository);
  }

  return {
    removeRepository,
    addInstallation({ id = world.nextId("installation"), account = "octo-org", accountId } = {}) {
      const type = account === "octocat" ? ("User" as const) : ("Organization" as const);
      const facts = { type, ...(accountId !== undefined && { id: accountId }) };
      const installation = {
        id,
        account: world.account(account, facts),
        created_at: timestamp(),
        suspended_at: null,
        permissions: ASKED,
      };
      world.installations.set(id, installation);
      return id;
    },
    addRepository(options) {
      const installation = installationOf(options.installation_id);
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
      installationOf(id).suspended_at = suspended ? timestamp() : null;
    },
    setPermissions(id, permissions) {
      installationOf(id).permissions = permissions;
    },
  };
}
