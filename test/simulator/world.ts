/** A person's permission in a repository, as GitHub folds it. */
export type Permission = "admin" | "write" | "read" | "none";

/** A person, an organization or a bot. */
export interface Account {
  id: number;
  login: string;
  type: "Organization" | "User" | "Bot";
}

/** The App on one account; its repositories name it. */
export interface Installation {
  readonly id: number;
  readonly account: Account;
  readonly created_at: string;
  suspended_at: string | null;
  /** What the account's owner grants the App. */
  permissions: Permissions;
}

/** By GitHub's name for it; what is not named is not granted. */
export type Permissions = Record<string, "read" | "write">;

/** What app.yml asks for, and every installation grants at first. */
export const ASKED: Permissions = {
  metadata: "read",
  contents: "read",
  checks: "write",
  issues: "write",
  pull_requests: "write",
};

/** A repository as GitHub knows it. Setting `name` or `owner` renames it: the old name answers 301 from then on. */
export interface SimulatedRepository {
  readonly id: number;
  readonly full_name: string;
  readonly created_at: string;
  installation_id: number;
  owner: string;
  name: string;
  git_dir: string;
  /** The setting, or while it is unset what git's HEAD names. */
  default_branch: string;
  private: boolean;
  archived: boolean;
  /** Full names ("owner/name") that lead here with a redirect, unless another repository has taken one. */
  previous_names: string[];
  /** An archive made beforehand (gzipped tar), sent as it is in place of one made on demand: for benchmarks. */
  archive_file?: string;
  /** Where a recursive listing is cut, in place of the simulator's own limit; may change at any time. */
  tree_limit?: { entries: number; bytes: number } | undefined;
}

/** What a check run shows; annotations add up over updates. */
export interface CheckRunOutput {
  title: string | null;
  summary: string | null;
  text: string | null;
  annotations: Record<string, unknown>[];
}

/** A check run as it stands, with what it said before. */
export interface SimulatedCheckRun {
  readonly id: number;
  readonly repository_id: number;
  readonly head_sha: string;
  name: string;
  external_id: string;
  details_url: string;
  status: "queued" | "in_progress" | "completed";
  conclusion: string | null;
  started_at: string | null;
  completed_at: string | null;
  output: CheckRunOutput;
  actions: { label: string; description: string; identifier: string }[];
  /** What it said after each request, oldest first. */
  history: {
    at: Date;
    status: string;
    conclusion: string | null;
    title: string | null;
    summary: string | null;
  }[];
}

/** A comment on an issue or a pull request, with what it said before. */
export interface SimulatedComment {
  readonly id: number;
  readonly repository_id: number;
  readonly issue_number: number;
  readonly user: { login: string; type: "User" | "Bot" };
  readonly created_at: string;
  updated_at: string;
  body: string;
  /** All its bodies, oldest first; the last is the present one. */
  history: string[];
}

/** A reaction on a comment; `user` is a login. */
export interface SimulatedReaction {
  readonly id: number;
  readonly comment_id: number;
  readonly content: string;
  readonly user: string;
  readonly created_at: string;
}

/** Everything the stand-in remembers between requests; git's objects are read when they are asked for. */
export interface World {
  readonly installations: Map<number, Installation>;
  readonly repositories: Map<number, SimulatedRepository>;
  /** What was removed: the events that tell of it still name it. */
  readonly formerInstallations: Map<number, Installation>;
  readonly formerRepositories: Map<number, SimulatedRepository>;
  readonly permissions: Map<string, Permission>;
  readonly checkRuns: SimulatedCheckRun[];
  readonly comments: SimulatedComment[];
  readonly reactions: SimulatedReaction[];
  /** The account of a login, made on first mention, the same ever after. */
  account(login: string, facts?: { id?: number; type?: Account["type"] }): Account;
  renameAccount(account: Account, login: string): void;
  nextId(kind: keyof typeof FIRST_IDS): number;
}

/** Check runs and comments begin beyond 32 bits, where GitHub's own ids are. */
const FIRST_IDS = {
  account: 5_000_001,
  installation: 40_000_001,
  repository: 700_000_001,
  check_run: 30_000_000_001,
  comment: 4_300_000_001,
  reaction: 300_000_001,
};

/** An empty GitHub. */
export function createWorld(): World {
  const next = { ...FIRST_IDS };
  const accounts = new Map<string, Account>();
  const nextId = (kind: keyof typeof FIRST_IDS) => next[kind]++;
  return {
    installations: new Map(),
    repositories: new Map(),
    formerInstallations: new Map(),
    formerRepositories: new Map(),
    permissions: new Map(),
    checkRuns: [],
    comments: [],
    reactions: [],
    nextId,
    renameAccount(account, login) {
      accounts.delete(account.login.toLowerCase());
      account.login = login;
      accounts.set(login.toLowerCase(), account);
    },
    account(login, facts = {}) {
      const key = login.toLowerCase();
      const known = accounts.get(key);
      if (known) return known;
      const type = facts.type ?? (login.endsWith("[bot]") ? "Bot" : "User");
      const account = { id: facts.id ?? nextId("account"), login, type };
      accounts.set(key, account);
      return account;
    },
  };
}

/** Now, with GitHub's precision: whole seconds. */
export function timestamp(): string {
  return new Date().toISOString().replace(/\.\d+Z$/, "Z");
}

/** The repository of this name, or the one that had it before. */
export function findByName(
  world: World,
  fullName: string,
): { repository: SimulatedRepository; moved: boolean } | null {
  const wanted = fullName.toLowerCase();
  const all = [...world.repositories.values()];
  const present = all.find((repository) => repository.full_name.toLowerCase() === wanted);
  if (present) return { repository: present, moved: false };
  const former = all.find(({ previous_names }) =>
    previous_names.some((name) => name.toLowerCase() === wanted),
  );
  return former ? { repository: former, moved: true } : null;
}

/** What a person may do in a repository: as set, else octocat writes and everyone reads. */
export function permissionOf(world: World, repositoryId: number, login: string): Permission {
  const set = world.permissions.get(permissionKey(repositoryId, login));
  return set ?? (login.toLowerCase() === "octocat" ? "write" : "read");
}

/** The key of `World.permissions`: logins know no case. */
export function permissionKey(repositoryId: number, login: string): string {
  return `${repositoryId} ${login.toLowerCase()}`;
}
