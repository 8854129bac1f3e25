import type { Config } from "./config.ts";
import { type Connection, transaction } from "./database/connect.ts";
import type { GitHub } from "./github/client.ts";
import { createSource } from "./github/source.ts";
import type { Directory } from "./installations/directory.ts";
import {
  refreshRepository,
  removeInstallation,
  removeRepositories,
  setSuspended,
} from "./installations/installations.ts";
import { appendEvent } from "./runs/events.ts";
import type { Perform } from "./runs/execute.ts";
import { type ClaimedRun, finishRun, setHead } from "./runs/queue.ts";
import { reopenReplies } from "./runs/replies.ts";
import { reopenReports } from "./runs/reporter.ts";
import { isBackground } from "./runs/run.ts";
import type { Parser } from "./scan/parser.ts";
import { scanRepository } from "./scan/scan.ts";
import { SourceError } from "./scan/source.ts";

export interface PerformOptions {
  config: Config;
  connection: Connection;
  github: GitHub;
  directory: Directory;
  parser: Parser;
}

/**
 * What a worker does with a run: scan its repository, as GitHub shows it to the installation that has it now, with a
 * token that reads this one repository and can do nothing else.
 */
export function createPerform(options: PerformOptions): Perform {
  const { config, connection, github, parser } = options;
  const { maxFileBytes, maxRepositoryBytes, maxRepositoryFiles: maxFiles } = config;
  return async (run, tools) => {
    const repository = await connection.db
      .selectFrom("repositories")
      .select(["id", "owner", "name"])
      .where("id", "=", run.repository_id)
      .executeTakeFirstOrThrow();
    const source = createSource({
      octokit: github.as({
        installationId: run.installation_id,
        repositoryId: run.repository_id,
        permissions: { contents: "read", metadata: "read" },
        background: isBackground(run),
      }),
      repository,
      limits: { maxFileBytes, maxRepositoryBytes },
      async onSeen(seen) {
        await refreshRepository(connection.db, seen);
        if (seen.archived) return;
        await reopenReports(connection.db, [seen.id]);
        await reopenReplies(connection.db, [seen.id], { age: "1 day" });
      },
    });
    try {
      await scanRepository(run, {
        ...tools,
        source,
        parser,
        limits: { maxFileBytes, maxFiles },
        setHead: ({ trx }, head) => setHead(trx, run, head),
        warn: ({ trx }, event) => appendEvent(trx, run.id, { level: "warn", ...event }),
        finish: ({ trx }, result) => finishRun(trx, run, result),
      });
    } catch (error) {
      if (!tools.signal.aborted) await lookIntoAccess(run, error, options);
      throw error;
    }
  };
}

/** What may mean that we may not read the repository any more. */
const NOT_SHOWN = new Set(["not_found", "uninstalled", "suspended", "renamed_away"]);

/**
 * Finds out what it means that GitHub did not show a repository, and draws the consequences: nothing is hidden before
 * GitHub, asked for the installation and for all that it may read, has said that access has ended.
 */
async function lookIntoAccess(run: ClaimedRun, error: unknown, options: PerformOptions): Promise<void> {
  if (!(error instanceof SourceError) || !NOT_SHOWN.has(error.code)) return;
  const { connection, directory } = options;
  const { installation_id, repository_id } = run;
  const installation = await directory.readInstallation(installation_id);
  if (installation === null) {
    await transaction(connection, ({ trx }) => removeInstallation(trx, installation_id));
    return;
  }
  if (installation.suspended_at !== null) {
    await transaction(connection, ({ trx }) => setSuspended(trx, installation_id, true));
    return;
  }
  const listed = await directory.listRepositories(installation_id, { background: isBackground(run) });
  const seen = listed?.find(({ id }) => id === repository_id);
  if (seen) await refreshRepository(connection.db, seen);
  else if (listed !== null) {
    const why = "GitHub says that Repodex may not read this repository any more: it is hidden.";
    await transaction(connection, ({ trx }) =>
      removeRepositories(trx, installation_id, [repository_id], why),
    );
  }
}
