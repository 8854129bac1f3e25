import { randomUUID } from "node:crypto";
import { availableParallelism, hostname } from "node:os";
import type { Logger } from "pino";
import { Accounts } from "./access/accounts.ts";
import { createSeal } from "./access/seal.ts";
import { deleteOldSessions } from "./access/sessions.ts";
import { deleteOldTokens } from "./access/tokens.ts";
import { deleteIdleUsers } from "./access/users.ts";
import { type Config, loadApiToken, webUrlOf } from "./config.ts";
import { type Connection, connect, transaction } from "./database/connect.ts";
import { startEmbedded } from "./database/embedded.ts";
import { Housekeeping } from "./database/housekeeping.ts";
import { migrate } from "./database/migrate.ts";
import { createScheduleLoop } from "./database/schedule.ts";
import { checkSuitability } from "./database/suitability.ts";
import { createInbox } from "./deliveries/inbox.ts";
import { deleteOldDeliveries } from "./deliveries/store.ts";
import { createDeliveryHandler } from "./github/app.ts";
import { createCheckRunReporter } from "./github/check-run.ts";
import { createGitHub, type GitHub } from "./github/client.ts";
import { createDirectory } from "./github/directory.ts";
import { createIdentity } from "./github/identity.ts";
import { createInstallLink } from "./github/install-link.ts";
import { createReplier } from "./github/rescan-reply.ts";
import { createWebhookRoute } from "./github/webhook-route.ts";
import { CompactionLoop } from "./grams/compaction.ts";
import type { AccessOptions } from "./http/access.ts";
import { createHttpApp } from "./http/app.ts";
import { Metrics } from "./http/metrics.ts";
import { RunChanges } from "./http/run-changes.ts";
import { purgeRemoved } from "./installations/purge.ts";
import { deleteOldRedeliveries } from "./installations/redeliver.ts";
import { createScheduled, scheduleAll } from "./installations/schedule.ts";
import { createPerform } from "./perform.ts";
import { requestUnsearchable } from "./runs/bulk.ts";
import { createReplyLoop } from "./runs/replies.ts";
import { createReportLoop } from "./runs/reporter.ts";
import { deleteOldRefusals, deleteOldRuns } from "./runs/retention.ts";
import { Worker } from "./runs/worker.ts";
import { Parser } from "./scan/parser.ts";
import { createSearchEngine, type SearchEngine } from "./search/search.ts";
import { type RunningServer, startServer } from "./server.ts";

const RETRY_BASE_MS = 1_000;
/** Threads that parse files: one core is left to all else, and the database is busy with two of them. */
const PARSE_THREADS = Math.max(1, Math.min(2, availableParallelism() - 1));
/** Each slot may hold a transaction and a beat; the loops and the pages need some beside. */
const CONNECTIONS_BESIDE_SLOTS = 16;
/** What the embedded server must have beyond that: six listeners, migrations, a person with psql, a second process. */
const CONNECTIONS_SPARE = 40;

export interface Repodex {
  url: string;
  /** Takes nothing new, gives running scans back to the queue, and lets go of the database. */
  close(): Promise<void>;
}

/** Starts everything a replica is: database, server, inbox, worker, and what tells GitHub about it. */
export async function startRepodex(config: Config, log: Logger): Promise<Repodex> {
  const maxConnections = config.runSlots * 2 + CONNECTIONS_BESIDE_SLOTS;
  const embedded =
    config.databaseUrl === null
      ? await startEmbedded({
          dataDir: config.dataDir,
          log,
          settings: { max_connections: String(maxConnections + CONNECTIONS_SPARE) },
        })
      : null;
  const connection = connect({
    connection: embedded?.connection ?? { connectionString: config.databaseUrl ?? "" },
    log,
    leaseSeconds: config.leaseSeconds,
    maxConnections,
  });
  try {
    await checkSuitability(connection, log);
    await migrate(connection, { log });
    const stop = await startParts(config, { connection, log });
    return {
      url: stop.url,
      async close() {
        await stop.close();
        await connection.close();
        await embedded?.stop();
      },
    };
  } catch (error) {
    await connection.close();
    await embedded?.stop();
    throw error;
  }
}

async function startParts(
  config: Config,
  { connection, log }: { connection: Connection; log: Logger },
): Promise<Repodex> {
  const github = createGitHub(
    {
      appId: config.appId,
      privateKey: config.privateKey,
      webhookSecret: config.webhookSecrets[0] ?? "",
      baseUrl: config.githubUrl,
    },
    log,
  );
  const changes = new RunChanges(connection);
  const metrics = new Metrics({ db: connection.db, budgets: github.budgets });
  const engine = createSearchEngine(connection);
  const closeReaders = async () => {
    await changes.close();
    await engine.close();
    metrics.close();
  };
  const installLink = createInstallLink(github, log);
  const parts = { connection, changes, engine, metrics, installLink, log };
  const server = await listen(config, parts).catch(async (error: unknown) => {
    await closeReaders();
    throw error;
  });
  const publicUrl = config.publicUrl ?? server.url;
  const parser = new Parser({ threads: PARSE_THREADS });
  const loops = createLoops(config, { connection, github, parser, publicUrl, metrics, log });
  for (const loop of loops) loop.start();
  if (config.reconcileSeconds > 0) await scheduleAll(connection);
  const unsearchable = await transaction(connection, ({ trx }) => requestUnsearchable(trx));
  if (unsearchable > 0) log.info({ repositories: unsearchable }, "repositories wait to become searchable");
  return {
    url: server.url,
    async close() {
      await closeReaders();
      await server.close();
      await Promise.all(loops.map((loop) => loop.stop()));
      await parser.close();
    },
  };
}

interface Parts {
  connection: Connection;
  github: GitHub;
  parser: Parser;
  publicUrl: string;
  metrics: Metrics;
  log: Logger;
}

/** All that goes on by itself. */
function createLoops(
  config: Config,
  { connection, github, parser, publicUrl, metrics, log }: Parts,
): { start(): void; stop(): Promise<void> }[] {
  const directory = createDirectory(github);
  const { writesPerHour, leaseSeconds, stallSeconds, reconcileSeconds: everySeconds } = config;
  const worker = new Worker({
    connection,
    timings: { leaseSeconds, stallSeconds, retryBaseMs: RETRY_BASE_MS },
    slots: config.runSlots,
    name: `${hostname()}/${process.pid}/${randomUUID().slice(0, 8)}`,
    perform: createPerform({ config, connection, github, directory, parser }),
    onSwept: () => metrics.swept(),
    log,
  });
  const handle = createDeliveryHandler({ github, directory, appId: config.appId, connection, log });
  const reporter = createCheckRunReporter({ github, publicUrl });
  const replier = createReplier({ github, publicUrl });
  return [
    createInbox({ connection, handle, log }),
    createReportLoop({ connection, reporter, writesPerHour, log }),
    createReplyLoop({ connection, replier, writesPerHour, log }),
    worker,
    createHousekeeping(config, { connection, log }),
    new CompactionLoop({ connection, log }),
    ...(everySeconds > 0
      ? [
          createScheduleLoop({
            connection,
            perform: createScheduled({ connection, directory }),
            everySeconds,
            log,
          }),
        ]
      : []),
  ];
}

function createHousekeeping(
  { retentionDays, purgeAfterDays }: Config,
  { connection, log }: { connection: Connection; log: Logger },
): Housekeeping {
  const { db } = connection;
  const cleaners = {
    deliveries: () => deleteOldDeliveries(db, retentionDays),
    runs: () => deleteOldRuns(db, retentionDays),
    refusals: () => deleteOldRefusals(db, retentionDays),
    redeliveries: () => deleteOldRedeliveries(db),
    sessions: () => deleteOldSessions(db),
    tokens: () => deleteOldTokens(db),
    users: () => deleteIdleUsers(db),
    removed: () => purgeRemoved(connection, purgeAfterDays),
  };
  return new Housekeeping({ cleaners, log });
}

interface ListenParts {
  connection: Connection;
  changes: RunChanges;
  engine: SearchEngine;
  metrics: Metrics;
  installLink(): Promise<string | null>;
  log: Logger;
}

async function listen(config: Config, { engine, ...parts }: ListenParts): Promise<RunningServer> {
  const { connection, metrics, log } = parts;
  const access = chooseAccess(config, { connection, log });
  const search = { engine, githubWebUrl: webUrlOf(config.githubUrl) };
  const { requestsPerMinute: perMinute } = config;
  return await startServer({
    webhooks: createWebhookRoute({
      connection,
      secrets: [...config.webhookSecrets],
      log,
      onAnswered: (status, seconds) => metrics.webhook(status, seconds),
    }),
    http: createHttpApp({ ...parts, access, search, limits: perMinute > 0 ? { perMinute } : undefined }),
    host: config.host,
    port: config.port,
  });
}

function chooseAccess(
  config: Config,
  { connection, log }: { connection: Connection; log: Logger },
): AccessOptions {
  if (config.access === "open") return { kind: "open" };
  if (config.access === "github" && config.client) {
    const { client, githubUrl, apiToken, publicUrl } = config;
    const seal = createSeal(client.secret);
    const identity = createIdentity({ clientId: client.id, clientSecret: client.secret, githubUrl });
    const accounts = new Accounts({ connection, identity, seal, log });
    return { kind: "github", accounts, seal, operators: new Set(config.operators), apiToken, publicUrl };
  }
  if (config.apiToken) return { kind: "token", token: config.apiToken };
  const { token, created } = loadApiToken(config.dataDir);
  // To the terminal, not the log: it is shown this once.
  if (created)
    process.stdout.write(`The operator's API token (kept in ${config.dataDir}/api-token): ${token}\n`);
  return { kind: "token", token };
}
