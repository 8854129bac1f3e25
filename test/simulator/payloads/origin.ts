import type { Simulation } from "../simulation.ts";
import { viewAccount, viewOrganization } from "../views/account.ts";
import { nodeId } from "../views/links.ts";
import { viewRepository } from "../views/repository.ts";
import type { SimulatedRepository } from "../world.ts";

/** Who did it, unless told. */
export const DEFAULT_SENDER = "octocat";

/** The part that every event of a repository shares: the repository, its organization, the installation, who did it. */
export function originPayload(simulation: Simulation, repositoryId: number, login = DEFAULT_SENDER) {
  const repository = repositoryOf(simulation, repositoryId);
  const { installation_id } = repository;
  const { world, links } = simulation;
  const owner = world.account(repository.owner);
  return {
    repository: viewRepository(repository, simulation),
    ...(owner.type === "Organization" && { organization: viewOrganization(owner, links) }),
    installation: { id: installation_id, node_id: nodeId("IntegrationInstallation", installation_id) },
    sender: viewAccount(world.account(login), links),
  };
}

/** A repository, also one that was removed: the events that tell of it still name it. */
export function repositoryOf({ world }: Simulation, id: number): SimulatedRepository {
  const found = world.repositories.get(id) ?? world.formerRepositories.get(id);
  if (!found) throw new Error(`There is no repository ${id}.`);
  return found;
}
