import { sql } from "kysely";
import type { Logger } from "pino";
import { expect } from "vitest";
import type { Simulator } from "../simulator/simulator.ts";
import { startTestSimulator, type TestSimulatorOptions } from "../simulator/test-client.ts";
import type { SimulatedRepository } from "../simulator/world.ts";
import type { Database } from "./database.ts";
import { createRepository, type Files, type TestRepository } from "./git.ts";
import { api, startTestRepodex } from "./repodex.ts";
import { expectTruth } from "./truth.ts";
import { until } from "./wait.ts";

/** The fields of a run, as the API shows it, that tests look at. */
export interface RunJson {
  id: string;
  state: string;
  mode: string;
  stage: string | null;
  trigger: string;
  reason: string | null;
  reason_code: string | null;
  wait_reason: string | null;
  head_sha: string | null;
  tree_sha: string | null;
  verified: boolean | null;
  epoch: number;
  failures: number;
  position: number | null;
  requested_by: string | null;
  progress: Record<string, number>;
}

export interface RescanStatus {
  running: RunJson | null;
  queued: RunJson | null;
  last_finished: RunJson | null;
}

/** A GitHub with one installed repository, and the app that is installed there. */
export interface Journey {
  simulator: Simulator;
  git: TestRepository;
  /** Its settings, as an owner may change them. */
  repository: SimulatedRepository;
  repositoryId: number;
  installationId: number;
  url: string;
  /** Starts (another replica of) the app. */
  start(environment?: Record<string, string>): Promise<{ url: string; close(): Promise<void> }>;
  /** Delivers `installation.created` and waits until everything is still. */
  install(): Promise<void>;
  get<T>(path: string): Promise<T>;
  post(path: string, json?: unknown): Promise<Response>;
  status(): Promise<RescanStatus>;
  /** Waits until no run waits or runs and every check run and reply is written. */
  untilStill(timeoutMs?: number): Promise<void>;
  untilStatus(
    what: string,
    probe: (status: RescanStatus) => boolean,
    timeoutMs?: number,
  ): Promise<RescanStatus>;
  /** Holds the index against git at the newest commit. */
  expectTruth(): Promise<{ files: number; texts: number }>;
}

export interface JourneyOptions {
  files?: Record<string, string | Buffer>;
  /** A repository that is there already. */
  git?: TestRepository;
  environment?: Record<string, string>;
  simulator?: TestSimulatorOptions;
  log?: Logger;
  /** False: the test starts the app by itself. */
  started?: boolean;
}

const SOME_FILES: Files & Record<string, string | Buffer> = {
  "README.md": "# Hello\n",
  "src/main.ts": "export const answer = 42;\n",
  "src/empty.ts": "",
  "logo.png": Buffer.from([0x89, 0x50, 0x4e, 0x47, 0, 1, 2, 3]),
};

/** Sets up a simulator over a real repository and the app beside it. Ends with the test. */
export async function startJourney(
  database: Pick<Database, "db" | "url">,
  options: JourneyOptions = {},
): Promise<Journey> {
  const git =
    options.git ?? (await createRepository({ bare: true, files: options.files ?? (SOME_FILES as never) }));
  const simulator = await startTestSimulator({
    webhookSecret: "the secret of the simulator",
    ...options.simulator,
  });
  if (options.environment?.WRITES_PER_HOUR === undefined) simulator.setContentLimits(null);
  const installationId = simulator.addInstallation({ account: "octocat" });
  const repository = simulator.addRepository({
    installation_id: installationId,
    git_dir: git.dir,
    name: "hello",
  });
  const environment = { ...simulator.environment, LEASE_SECONDS: "4", ...options.environment };

  const start = async (more: Record<string, string> = {}) => {
    const repodex = await startTestRepodex(database, {
      environment: { ...environment, ...more },
      ...(options.log && { log: options.log }),
    });
    simulator.webhookUrl = `${repodex.url}/api/github/webhooks`;
    journey.url = repodex.url;
    return repodex;
  };

  const journey: Journey = {
    simulator,
    git,
    repository,
    repositoryId: repository.id,
    installationId,
    url: "",
    start,
    async install() {
      const { status } = await simulator.deliverInstallationCreated(installationId);
      expect(status).toBe(202);
      await journey.untilStatus("the first run to end", ({ last_finished }) => last_finished !== null);
      await journey.untilStill();
    },
    async get<T>(path: string) {
      const response = await api(journey, path);
      if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
      return (await response.json()) as T;
    },
    post: (path, json) => api(journey, path, { method: "POST", ...(json !== undefined && { json }) }),
    status: () => journey.get<RescanStatus>(`/api/v1/repositories/${repository.id}/rescan/status`),
    async untilStill(timeoutMs = 60_000) {
      await until(() => isStill(database), { what: "everything to be still", timeoutMs });
    },
    async untilStatus(what, probe, timeoutMs = 60_000) {
      return await until(
        async () => {
          const status = await journey.status().catch(() => null); // before the installation is known: 404
          return status && probe(status) ? status : null;
        },
        { what, timeoutMs },
      );
    },
    expectTruth: async () =>
      await expectTruth(database.db, {
        repositoryId: String(repository.id),
        gitDir: git.dir,
        commit: await git.head(),
      }),
  };
  if (options.started !== false) await start();
  return journey;
}

/**
 * Ends, as if their minutes had passed, the leases on deliveries and check runs that a dead process or a lost
 * database left behind. Those of runs are short: they are waited for.
 */
export async function endLongLeases({ db }: Pick<Database, "db">): Promise<void> {
  const ended = { lease_until: sql<Date>`clock_timestamp()` };
  await db.updateTable("deliveries").set(ended).where("lease_until", "is not", null).execute();
  await db.updateTable("check_reports").set(ended).where("lease_until", "is not", null).execute();
}

/** Whether no delivery, run, report or reply is left to be worked on: in one snapshot, since one becomes the other. */
export async function isStill({ db }: Pick<Database, "db">): Promise<boolean> {
  const { rows } = await sql<{ still: boolean }>`
    select not exists (select from deliveries where state = 'pending')
      and not exists (select from runs where state in ('queued', 'running'))
      and not exists (select from check_reports where state = 'open')
      and not exists (select from run_requests where reply_state = 'open') as still`.execute(db);
  return rows[0]?.still ?? false;
}
