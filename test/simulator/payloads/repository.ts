import type { Simulation } from "../simulation.ts";
import { viewAccount, viewOrganization } from "../views/account.ts";
import type { Account } from "../world.ts";
import { originPayload } from "./origin.ts";

export type RepositoryAction =
  | "renamed"
  | "transferred"
  | "deleted"
  | "archived"
  | "unarchived"
  | "privatized"
  | "publicized"
  | "edited";

/** `repository`, as it is after what happened; `changes` says what it was before. */
export function repositoryPayload(
  simulation: Simulation,
  repositoryId: number,
  { action, changes }: { action: RepositoryAction; changes?: object },
) {
  return { action, ...(changes && { changes }), ...originPayload(simulation, repositoryId) };
}

/** The part of `changes` that names the owner before a transfer. */
export function previousOwner(account: Account, { links }: Simulation) {
  const isOrganization = account.type === "Organization";
  return {
    from: isOrganization
      ? { organization: viewOrganization(account, links) }
      : { user: viewAccount(account, links) },
  };
}
