import type { Simulation } from "../simulation.ts";
import { viewAccount } from "../views/account.ts";
import { viewInstallation } from "../views/app.ts";
import { nodeId } from "../views/links.ts";
import { viewRepositoryName } from "../views/repository.ts";
import type { Installation } from "../world.ts";
import { DEFAULT_SENDER, repositoryOf } from "./origin.ts";

export type InstallationAction = "created" | "deleted" | "suspend" | "unsuspend" | "new_permissions_accepted";

/** `installation`, with all its repositories. */
export function installationPayload(simulation: Simulation, id: number, action: InstallationAction) {
  const { world, links } = simulation;
  // One that was uninstalled names what it had.
  const known = world.installations.has(id) ? world.repositories : world.formerRepositories;
  const repositories = [...known.values()].filter(({ installation_id }) => installation_id === id);
  return {
    action,
    installation: viewInstallation(installationOf(simulation, id), simulation),
    // GitHub leaves them out where nothing was said of them.
    ...(!action.endsWith("suspend") && { repositories: repositories.map(viewRepositoryName) }),
    requester: null,
    sender: viewAccount(world.account(DEFAULT_SENDER), links),
  };
}

/** `installation_repositories`, also of repositories that are gone. */
export function installationRepositoriesPayload(
  simulation: Simulation,
  id: number,
  { added, removed }: { added: number[]; removed: number[] },
) {
  const name = (repositoryId: number) => viewRepositoryName(repositoryOf(simulation, repositoryId));
  return {
    action: added.length > 0 ? "added" : "removed",
    installation: viewInstallation(installationOf(simulation, id), simulation),
    repository_selection: "selected",
    repositories_added: added.map(name),
    repositories_removed: removed.map(name),
    requester: null,
    sender: viewAccount(simulation.world.account(DEFAULT_SENDER), simulation.links),
  };
}

/** `installation_target`: the account that the App is installed on has another login now. */
export function targetRenamedPayload(simulation: Simulation, id: number, { from }: { from: string }) {
  const { links } = simulation;
  const { account } = installationOf(simulation, id);
  const view = viewAccount(account, links);
  return {
    action: "renamed",
    target_type: account.type,
    account: view,
    changes: { login: { from } },
    installation: { id, node_id: nodeId("IntegrationInstallation", id) },
    sender: view,
  };
}

/** An installation, also one that was removed. */
export function installationOf({ world }: Simulation, id: number): Installation {
  const found = world.installations.get(id) ?? world.formerInstallations.get(id);
  if (!found) throw new Error(`There is no installation ${id}.`);
  return found;
}
