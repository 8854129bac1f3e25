import { writeFile } from "node:fs/promises";
import path from "node:path";
import { sql } from "kysely";
import PQueue from "p-queue";
import { expect } from "vitest";
import type { Fault } from "../simulator/faults.ts";
import type { TestDatabase } from "../support/database.ts";
import type { TestRepository } from "../support/git.ts";
import { type Journey, type RunJson, startJourney } from "../support/journey.ts";
import { expectTruth, readManifestAsGit } from "../support/truth.ts";
import { until } from "../support/wait.ts";

/** A repository that means no good, or whose GitHub does not. */
export interface Hostile {
  git: TestRepository;
  /** Sent in place of the archive that git would make. */
  archive?: Buffer | undefined;
  /** What goes wrong with each request for it, again and again. */
  faults?: Fault[] | undefined;
}

export interface Arena {
  journey: Journey;
  /**
   * Installs the repository and says how its first attempt ended: "indexed", or the sentence and the code that its
   * owner sees and whether another attempt follows. Then holds that an ordinary repository of the same installation
   * is indexed as git has it.
   */
  meet(hostile: Hostile): Promise<string>;
}

/** As many as the app has slots. */
const AT_ONCE = 20;
/** Simulator, app and test share a process here: a busy machine must not look like a lost worker. */
const LEASE_SECONDS = "30";
const ENOUGH_TIME_MS = 200_000;
/** For a whole corpus. */
export const CORPUS_TIMEOUT_MS = 240_000;

/** One app and one GitHub for many hostile repositories, each in an installation of its own. */
export async function openArena(
  database: TestDatabase,
  environment: Record<string, string> = {},
  simulator: { treeLimit?: { entries: number; bytes: number } } = {},
): Promise<Arena> {
  const journey = await startJourney(database, {
    environment: { RUN_SLOTS: String(AT_ONCE), LEASE_SECONDS, ...environment },
    simulator: { violationsExpected: true, ...simulator },
  });
  let met = 0;
  const queue = new PQueue({ concurrency: AT_ONCE });
  return {
    journey,
    meet: (hostile) => queue.add(() => meet(hostile).catch((error: unknown) => `not held: ${error}`)),
  };

  async function meet(hostile: Hostile): Promise<string> {
    met += 1;
    const account = `account-${met}`;
    const installationId = journey.simulator.addInstallation({ account });
    const add = (name: string, git: TestRepository) =>
      journey.simulator.addRepository({ installation_id: installationId, git_dir: git.dir, name });
    const repository = add("hostile", hostile.git);
    if (hostile.archive) {
      repository.archive_file = path.join(hostile.git.dir, `${account}.tar.gz`);
      await writeFile(repository.archive_file, hostile.archive);
    }
    for (const fault of hostile.faults ?? []) {
      journey.simulator.fault({ times: Number.POSITIVE_INFINITY, ...fault, match: of(account, fault) });
    }
    await journey.simulator.deliverInstallationCreated(installationId);
    const ending = await endingOf(database, { journey, hostile, repositoryId: String(repository.id) });

    const ordinary = add("ordinary", journey.git);
    await journey.simulator.deliverRepositoriesAdded(installationId, [ordinary.id]);
    await settled(database, String(ordinary.id));
    await expectTruth(database.db, {
      repositoryId: String(ordinary.id),
      gitDir: journey.git.dir,
      commit: await journey.git.head(),
    });
    return ending;
  }
}

/** Of the hostile repository of that account alone. */
function of(account: string, { match }: Fault): NonNullable<Fault["match"]> {
  return (request) => {
    const { variables } = (request.body ?? {}) as { variables?: { owner?: string; name?: string } };
    const isOurs =
      request.path.includes(`/${account}/hostile`) ||
      (variables?.owner === account && variables.name === "hostile");
    return isOurs && (match?.(request) ?? true);
  };
}

interface Settled {
  run_id: string;
  kind: string;
}

/** Waits until the repository's first attempt is over. */
async function settled({ db }: TestDatabase, repositoryId: string): Promise<Settled> {
  return await until(
    async () =>
      await db
        .selectFrom("run_events")
        .innerJoin("runs", "runs.id", "run_events.run_id")
        .select(["run_id", "kind"])
        .where("repository_id", "=", repositoryId)
        .where(
          sql<boolean>`(kind in ('run.retrying', 'run.completed') or (kind = 'run.waiting' and error is not null))`,
        )
        .executeTakeFirst(),
    { what: `the first attempt of repository ${repositoryId}`, timeoutMs: ENOUGH_TIME_MS },
  );
}

interface LogEvent {
  kind: string;
  data: { state?: string };
  error: { code: string; message: string } | null;
}

async function endingOf(
  database: TestDatabase,
  { journey, hostile, repositoryId }: { journey: Journey; hostile: Hostile; repositoryId: string },
): Promise<string> {
  const { run_id, kind } = await settled(database, repositoryId);
  const log = await journey.get<{ data: LogEvent[] }>(`/api/v1/runs/${run_id}/log`);
  const event = log.data.find((one) => one.kind === kind);
  const sentence = `${event?.error?.message} (${event?.error?.code})`;
  if (kind !== "run.completed") {
    await journey.post(`/api/v1/runs/${run_id}/cancel`);
    return `${kind === "run.retrying" ? "tried again" : "waits"}: ${sentence}`;
  }
  const ended = await journey.get<RunJson>(`/api/v1/runs/${run_id}`);
  if (ended.state === "failed") {
    expect(event?.error).toMatchObject({ code: ended.reason_code, message: ended.reason });
    return `failed: ${sentence}`;
  }
  expect(ended.state).toBe("succeeded");
  return await describeIndex(database, { hostile, repositoryId });
}

/** How the index compares with git's own listing. A tree that proves itself must be the same to the last byte. */
async function describeIndex(
  { db }: TestDatabase,
  { hostile, repositoryId }: { hostile: Hostile; repositoryId: string },
): Promise<string> {
  const { indexed_verified, indexed_unverified_path } = await db
    .selectFrom("repositories")
    .select(["indexed_verified", "indexed_unverified_path"])
    .where("id", "=", repositoryId)
    .executeTakeFirstOrThrow();
  const unreadable = await sql<{ path: string; reason: string }>`
    select path, reason from files where repository_id = ${repositoryId} and state = 'unreadable'
    order by path`.execute(db);
  const failures = unreadable.rows.map(({ path, reason }) => `; ${path}: ${reason}`).join("");
  const commit = await hostile.git.head();
  const manifest = await readManifestAsGit(db, repositoryId);
  const listing = await hostile.git.lsTree(commit);
  if (!indexed_verified) {
    const as = sorted(manifest) === sorted(listing) ? "as git lists it" : "otherwise than git lists it";
    return `indexed ${as}, unverified at ${JSON.stringify(indexed_unverified_path)}${failures}`;
  }
  // git shows two modes for all that a file's may be, and hashes what is there.
  if (!manifest.equals(listing) && withGitsModes(manifest) === listing.toString("latin1")) {
    return `indexed with the tree's own modes${failures}`;
  }
  await expectTruth(db, { repositoryId, gitDir: hostile.git.dir, commit });
  return `indexed${failures}`;
}

/** An odd tree may have its entries in any order. */
function sorted(listing: Buffer): string {
  return listing.toString("latin1").split("\0").sort().join("\0");
}

function withGitsModes(manifest: Buffer): string {
  return manifest
    .toString("latin1")
    .replace(/(^|\0)100([0-7])/g, (_, start, owner) => {
      return `${start}100${Number(owner) & 1 ? 7 : 6}`;
    })
    .replace(/(^|\0)100([67])../g, (_, start, owner) => `${start}100${owner === "7" ? "755" : "644"}`);
}
