import type { Simulation } from "../simulation.ts";
import { viewAccount } from "../views/account.ts";
import { viewInstallation } from "../views/app.ts";
import { viewRepositoryName } from "../views/repository.ts";
import type { Installation } from "../world.ts";
import { DEFAULT_SENDER, repositoryOf } from "./origin.ts";

/** `installation`, with all its repositories. */
export function installationPayload(simulation: Simulation, id: number, action: "created" | "deleted") {
  const { world, links } = simulation;
  // One that was uninstalled names what it had.
  const known = world.installations.has(id) ? world.repositories : world.formerRepositories;
  const repositories = [...known.values()].filter(({ installation_id }) => installation_id === id);
  return {
    action,
    installation: viewInstallation(installationOf(simulation, id), simulation),
    repositories: repositories.map(viewRepositoryName),
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

function installationOf({ world }: Simulation, id: number): Installation {
  const found = world.installations.get(id) ?? world.formerInstallations.get(id);
  if (!found) throw new Error(`There is no installation ${id}.`);
  return found;
}
