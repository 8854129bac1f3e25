import type { ListedInstallation, RepositoryFacts } from "./installations.ts";

/** The newest commit of a repository's indexed branch, as a list of many says it. */
export interface ListedHead {
  id: string;
  default_branch: string | null;
  /** The commit of the branch that was asked for, or of the default one; null where there is none. */
  sha: string | null;
  /** The default branch's commit, where another one is indexed. */
  default_sha: string | null;
}

/** A repository to be asked for its head. `branch`: the one to index, null for the default one. */
export interface HeadQuestion {
  id: string;
  owner: string;
  name: string;
  branch: string | null;
}

/** A delivery that GitHub could not hand over. */
export interface FailedDelivery {
  /** GitHub's number of the attempt, beyond 2^53. */
  id: string;
  guid: string;
  delivered_at: Date;
}

/**
 * What GitHub says of who installed us where. Lists are whole, or the call throws: nothing may be concluded from what a
 * partial list lacks.
 */
export interface Directory {
  listInstallations(signal: AbortSignal): Promise<ListedInstallation[]>;
  /** One installation, or null where it is gone. */
  readInstallation(id: string): Promise<ListedInstallation | null>;
  /** What an installation may read; null where there is no such installation any more. */
  listRepositories(
    installationId: string,
    options: { background: boolean; signal?: AbortSignal },
  ): Promise<RepositoryFacts[] | null>;
  /** In any order; repositories that GitHub does not show are left out. */
  readHeads(installationId: string, repositories: HeadQuestion[], signal: AbortSignal): Promise<ListedHead[]>;
  /** Deliveries of the last days that failed and were not sent again since, oldest first. */
  listFailedDeliveries(since: Date, signal: AbortSignal): Promise<FailedDelivery[]>;
  redeliver(id: string, signal: AbortSignal): Promise<void>;
}
