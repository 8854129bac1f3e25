import { PayloadUnusable } from "../../deliveries/inbox.ts";
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

/** GitHub's names are far shorter; branches are at most 244 bytes. */
const MAX_NAME = 1_000;

/**
 * A repository as we keep it. Whatever is signed is not therefore well formed: what lacks an id or a name is unusable,
 * and one that does not say that it is public is private.
 */
export function repositoryFacts(repository: unknown): RepositoryFacts {
  const {
    id,
    name,
    owner,
    private: isPrivate,
    archived,
    default_branch,
  } = objectOf(repository, "repository");
  return {
    id: idOf(id, "repository.id"),
    owner: nameOf(objectOf(owner, "repository.owner").login, "repository.owner.login"),
    name: nameOf(name, "repository.name"),
    private: isPrivate !== false,
    archived: archived === true,
    default_branch: isName(default_branch) ? default_branch : null,
  };
}

/** The installation that an event names, with the account that it belongs to where the event says so. */
export function installationFacts(installation: unknown, owner?: unknown): InstallationFacts {
  const { id, account } = objectOf(installation, "installation");
  const known = [account, owner].find(isAccount) ?? null;
  return {
    id: idOf(id, "installation.id"),
    account_id: known ? String(known.id) : null,
    account_login: known?.login ?? null,
  };
}

export function isAccount(account: unknown): account is { id: number; login: string } {
  if (typeof account !== "object" || account === null) return false;
  const { id, login } = account as Record<string, unknown>;
  return isId(id) && isName(login);
}

/** A field of a payload that must be an object. */
export function objectOf(value: unknown, field: string): Record<string, unknown> {
  if (typeof value === "object" && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>;
  throw new PayloadUnusable(field);
}

/** A field of a payload that must be a numeric id. */
export function idOf(value: unknown, field: string): string {
  if (isId(value)) return String(value);
  throw new PayloadUnusable(field);
}

/** A field of a payload that must be a name: of an account, a repository, a branch, a commit. */
export function nameOf(value: unknown, field: string): string {
  if (isName(value)) return value;
  throw new PayloadUnusable(field);
}

/** A field of a payload that must be a list. */
export function listOf(value: unknown, field: string): unknown[] {
  if (Array.isArray(value)) return value;
  throw new PayloadUnusable(field);
}

const SHA = /^[0-9a-f]{40}$/;

/** A field of a payload that must be a commit's SHA. */
export function shaOf(value: unknown, field: string): string {
  if (typeof value === "string" && SHA.test(value)) return value;
  throw new PayloadUnusable(field);
}

function isId(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value > 0;
}

function isName(value: unknown): value is string {
  return (
    typeof value === "string" &&
    value.length > 0 &&
    value.length <= MAX_NAME &&
    !value.includes("\0") &&
    value.isWellFormed()
  );
}
