import type { InstallationFacts, RepositoryFacts } from "../../installations/installations.ts";

/** The fields of a repository that webhooks and REST share. */
export interface RepositoryPayload {
  id: number;
  name: string;
  owner: { login: string };
  private: boolean;
  archived?: boolean | undefined;
  default_branch?: string | null | undefined;
}

export function repositoryFacts(repository: RepositoryPayload): RepositoryFacts {
  return {
    id: String(repository.id),
    owner: repository.owner.login,
    name: repository.name,
    private: repository.private,
    archived: repository.archived ?? false,
    default_branch: repository.default_branch ?? null,
  };
}

/** An installation of which the event carries the id alone, and the account through its repository's owner. */
export function installationFacts(
  installation: { id: number },
  account: { id: number; login: string } | null,
): InstallationFacts {
  return {
    id: String(installation.id),
    account_id: account ? String(account.id) : null,
    account_login: account?.login ?? null,
  };
}
