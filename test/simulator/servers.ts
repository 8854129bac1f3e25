import { randomBytes } from "node:crypto";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createGraphqlArea, createRestArea, isGraphql } from "./api.ts";
import { createArchiveHost } from "./archive-host.ts";
import { createAuthorizations } from "./authorizations.ts";
import { createBudgets } from "./budget.ts";
import { createContentCounts } from "./content-limits.ts";
import { createFaults } from "./faults.ts";
import { openGit } from "./git.ts";
import { createListener, type Incoming } from "./handle.ts";
import { createHook } from "./hook.ts";
import { createLoginArea, isLoginPage } from "./login-page.ts";
import { createManifestArea, isManifestPage } from "./manifest-page.ts";
import { createRecorder, type RecordedRequest } from "./recorder.ts";
import { createRegistrations } from "./registrations.ts";
import { createRouter } from "./router.ts";
import { routes } from "./routes.ts";
import type { Simulation } from "./simulation.ts";
import { createTokens } from "./tokens.ts";
import { createWorld } from "./world.ts";

const HOST = "127.0.0.1";
const APP_ID = 1_234_567;
/** docs.github.com, "Get a tree": 100,000 entries with a maximum size of 7 MB. */
const TREE_LIMIT = { entries: 100_000, bytes: 7 * 1024 * 1024 };
const MAX_PAGE_SIZE = 100;
const TOKEN_SECONDS = 3_600;
/** Longer than any client waits to use a connection again: none is closed under a request. */
const KEEP_ALIVE_MS = 60_000;

/** How a simulator differs from GitHub's usual limits and from a random start. */
export interface SimulatorOptions {
  /** 0, the default, takes a free one. */
  port?: number;
  webhookUrl?: string | null;
  webhookSecret?: string;
  /** Checks requests and answers against GitHub's description; see `violations`. */
  validate?: boolean;
  treeLimit?: { entries: number; bytes: number };
  tokenSeconds?: number;
  pageSizeMax?: number;
}

interface OpenServers {
  simulation: Simulation;
  url: string;
  environment: Record<string, string>;
  close: () => Promise<void>;
}

/** Starts the API and, on an origin of its own, the host of archives. */
export async function openServers(options: SimulatorOptions): Promise<OpenServers> {
  const api = createServer();
  const archives = createServer();
  const url = await listen(api, options.port ?? 0);
  const archiveOrigin = await listen(archives, 0);
  const simulation = await createSimulation(options, { url, archiveOrigin });
  const { recorder, git, tokens, hook } = simulation;
  // Loaded on demand: the demo never pays for GitHub's description.
  const validator = options.validate ? await (await import("./openapi.ts")).loadValidator(routes) : null;
  const rest = createRestArea({ simulation, match: createRouter(routes), validator });
  const graphql = createGraphqlArea(simulation);
  const manifests = createManifestArea(simulation);
  const logins = createLoginArea(simulation);
  const areaOf = (to: URL) => {
    if (isGraphql(to)) return graphql;
    if (isLoginPage(to)) return logins;
    return isManifestPage(to) ? manifests : rest;
  };
  serve(api, createListener(simulation, { origin: url, areaOf }));
  const area = archiveArea(simulation);
  serve(archives, createListener(simulation, { origin: archiveOrigin, areaOf: () => area }));
  return {
    simulation,
    url,
    environment: {
      APP_ID: String(APP_ID),
      PRIVATE_KEY: tokens.privateKey,
      WEBHOOK_SECRET: hook.secret,
      GHE_HOST: new URL(url).host,
      GHE_PROTOCOL: "http",
    },
    async close() {
      recorder.close();
      await Promise.all([end(api), end(archives), hook.settled()]);
      await git.close();
    },
  };
}

async function createSimulation(
  options: SimulatorOptions,
  { url, archiveOrigin }: { url: string; archiveOrigin: string },
): Promise<Simulation> {
  const { treeLimit = TREE_LIMIT, tokenSeconds = TOKEN_SECONDS, pageSizeMax = MAX_PAGE_SIZE } = options;
  const secret = options.webhookSecret ?? randomBytes(24).toString("hex");
  const world = createWorld();
  const git = openGit();
  const recorder = createRecorder();
  const authorizations = createAuthorizations(APP_ID);
  const tokens = await createTokens(world, { appId: APP_ID, tokenSeconds, authorizations });
  return {
    appId: APP_ID,
    registrations: createRegistrations(),
    world,
    git,
    tokens,
    authorizations,
    recorder,
    hook: createHook({ url: options.webhookUrl ?? null, secret }, { appId: APP_ID, recorder }),
    budgets: createBudgets(),
    content: createContentCounts(),
    faults: createFaults(),
    archive: createArchiveHost({ origin: archiveOrigin, git, tokens, recorder }),
    links: { api: `${url}/api/v3`, html: url },
    treeLimit,
    pageSizeMax,
  };
}

function archiveArea({ archive }: Simulation) {
  return {
    resource: null,
    locate: (_method: string, url: URL) => ({ route: "tarball", path: url.pathname + url.search }),
    check: () => null,
    async answer({ request, url }: Incoming, recorded: RecordedRequest) {
      recorded.installation_id = archive.ownerOf(url);
      return archive.answer(request, url);
    },
  };
}

function listen(server: Server, port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, HOST, () => resolve(`http://${HOST}:${(server.address() as AddressInfo).port}`));
  });
}

/** Attached only once there is something to answer with. */
function serve(server: Server, listener: RequestListener): void {
  server.on("request", listener);
  server.keepAliveTimeout = KEEP_ALIVE_MS;
}

function end(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
