import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { credentialsFile, readStoredCredentials } from "./credentials.ts";

export type Access = "github" | "token" | "open";

/** Everything the environment decides, read once. */
export interface Config {
  readonly appId: string;
  readonly privateKey: string;
  /** The current secret first, then the previous one while it is being rotated. */
  readonly webhookSecrets: readonly string[];
  /** What people sign in through; null: nobody does. */
  readonly client: { readonly id: string; readonly secret: string } | null;
  /** REST root of GitHub Enterprise Server, or null for github.com. */
  readonly githubUrl: string | null;
  readonly host: string;
  readonly port: number;
  /** Where a reader's browser finds this server; null: derived from host and port. */
  readonly publicUrl: string | null;
  readonly databaseUrl: string | null;
  readonly dataDir: string;
  readonly access: Access;
  readonly apiToken: string | null;
  /** Logins of those who see deliveries and everybody's settings, in small letters. */
  readonly operators: readonly string[];
  readonly logLevel: string;
  readonly runSlots: number;
  readonly leaseSeconds: number;
  readonly stallSeconds: number;
  readonly maxFileBytes: number;
  readonly maxRepositoryBytes: number;
  /** Files and directories. */
  readonly maxRepositoryFiles: number;
  /** Days that ended runs, their logs and settled deliveries are kept. */
  readonly retentionDays: number;
  /** Days that what was taken from us is kept hidden before it is deleted for good. */
  readonly purgeAfterDays: number;
  /** How often installations, repositories and heads are compared with what GitHub lists; 0: never. */
  readonly reconcileSeconds: number;
  /** Check runs, comments and reactions that one installation may write; docs.github.com: 500. */
  readonly writesPerHour: number;
  /** What one person may ask the API and the pages for; 0: no limit. */
  readonly requestsPerMinute: number;
}

/** The part of it that tells who we are at GitHub. */
type Credentials = Pick<Config, "appId" | "privateKey" | "webhookSecrets" | "client">;

/** What is known before there is an App. */
export type SetupConfig = Readonly<Omit<Config, keyof Credentials | "access">>;

/** The environment is not enough to start. `message` names every fault at once, and what to do. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly faults: string[];
  constructor(faults: string[]) {
    super(faults.map((fault) => `- ${fault}`).join("\n"));
    this.faults = faults;
  }
}

const MIN_SECRET_LENGTH = 16;
const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "silent"];
const LOOPBACK = new Set(["127.0.0.1", "::1", "localhost"]);

/** Where GitHub's pages are, of its API's address; null: github.com. */
export function webUrlOf(githubUrl: string | null): string {
  return githubUrl ? new URL(githubUrl).origin : "https://github.com";
}

function isLoopback(host: string): boolean {
  return LOOPBACK.has(host);
}

/** Whether an address is this machine's own; it has an IPv6 host in brackets. */
export function isLocal({ hostname }: URL): boolean {
  return isLoopback(hostname.replace(/^\[|\]$/g, ""));
}

/**
 * Reads the configuration; throws one ConfigError that names all faults. Credentials that set-up stored count where
 * the environment has none of them: halves of two Apps would only fail later, and oddly.
 */
export function readConfig(env: NodeJS.ProcessEnv): Config {
  const faults: string[] = [];
  const settings = readSettings(env, faults);
  const stored = hasCredentials(env) ? {} : readStoredCredentials(settings.dataDir, faults);
  const before = faults.length;
  const credentials = stored && readCredentials({ ...env, ...stored }, faults);
  const file = credentialsFile(settings.dataDir);
  if (faults.length > before && hasCredentials(env) && existsSync(file))
    faults.push(
      `${file} is left alone, since the environment sets some of the credentials: set all or none of them.`,
    );
  const publicUrl = settings.publicUrl ?? readPublicUrl({ ...stored }, faults);
  const access = readAccess(env, { ...settings, publicUrl, client: credentials?.client ?? null, faults });
  if (!credentials || faults.length > 0) throw new ConfigError(faults);
  return Object.freeze({ ...settings, ...credentials, publicUrl, access });
}

/** Where a Repodex that is set up like this keeps its database. Throws a ConfigError. */
export function readStorage(env: NodeJS.ProcessEnv): Pick<Config, "databaseUrl" | "dataDir"> {
  const faults: string[] = [];
  const { databaseUrl, dataDir } = readSettings(env, faults);
  if (faults.length > 0) throw new ConfigError(faults);
  return { databaseUrl, dataDir };
}

/** The configuration of a first start, or null where there are credentials, or the beginnings of them. */
export function readSetupConfig(env: NodeJS.ProcessEnv): SetupConfig | null {
  const faults: string[] = [];
  const settings = readSettings(env, faults);
  if (hasCredentials(env) || existsSync(credentialsFile(settings.dataDir))) return null;
  if (!isLoopback(settings.host)) {
    faults.push(
      `There are no credentials yet, and the set-up page is served on a loopback HOST only, not on ${settings.host}. ` +
        `Start once with HOST=127.0.0.1 and open the link that is printed; from another machine, through ` +
        `\`ssh -L ${settings.port}:127.0.0.1:${settings.port} SERVER\`. Or register the App by hand, and set ` +
        "APP_ID, PRIVATE_KEY or PRIVATE_KEY_PATH, and WEBHOOK_SECRET.",
    );
  }
  if (faults.length > 0) throw new ConfigError(faults);
  return Object.freeze(settings);
}

const CREDENTIALS = ["APP_ID", "PRIVATE_KEY", "PRIVATE_KEY_PATH", "WEBHOOK_SECRET"] as const;

function hasCredentials(env: NodeJS.ProcessEnv): boolean {
  return CREDENTIALS.some((name) => env[name]);
}

function readCredentials(env: NodeJS.ProcessEnv, faults: string[]): Credentials {
  return {
    appId: readAppId(env, faults),
    privateKey: readPrivateKey(env, faults),
    webhookSecrets: readWebhookSecrets(env, faults),
    client: readClient(env, faults),
  };
}

function readSettings(env: NodeJS.ProcessEnv, faults: string[]): SetupConfig {
  const host = env.HOST || "127.0.0.1";
  return {
    githubUrl: env.GHE_HOST ? `${env.GHE_PROTOCOL || "https"}://${env.GHE_HOST}/api/v3` : null,
    host,
    port: readNumber(env, "PORT", { fallback: 3000, min: 0, max: 65_535, faults }),
    publicUrl: readPublicUrl(env, faults),
    databaseUrl: readDatabaseUrl(env, faults),
    dataDir: path.resolve(env.DATA_DIR || ".repodex"),
    apiToken: readApiToken(env, faults),
    operators: readOperators(env, faults),
    logLevel: readLogLevel(env, faults),
    runSlots: readNumber(env, "RUN_SLOTS", { fallback: 4, min: 1, max: 64, faults }),
    leaseSeconds: readNumber(env, "LEASE_SECONDS", { fallback: 15, min: 2, max: 600, faults }),
    stallSeconds: readNumber(env, "STALL_SECONDS", { fallback: 600, min: 2, max: 86_400, faults }),
    maxFileBytes: readNumber(env, "MAX_FILE_BYTES", {
      fallback: 1_048_576,
      min: 1,
      max: 104_857_600,
      faults,
    }),
    maxRepositoryBytes: readNumber(env, "MAX_REPOSITORY_BYTES", {
      fallback: 20 * 1024 ** 3,
      min: 1,
      max: Number.MAX_SAFE_INTEGER,
      faults,
    }),
    maxRepositoryFiles: readNumber(env, "MAX_REPOSITORY_FILES", {
      fallback: 1_000_000,
      min: 1,
      max: 5_000_000,
      faults,
    }),
    retentionDays: readNumber(env, "RETENTION_DAYS", { fallback: 30, min: 4, max: 36_500, faults }),
    purgeAfterDays: readNumber(env, "PURGE_AFTER_DAYS", { fallback: 7, min: 0, max: 36_500, faults }),
    reconcileSeconds: readNumber(env, "RECONCILE_SECONDS", { fallback: 600, min: 0, max: 86_400, faults }),
    writesPerHour: readNumber(env, "WRITES_PER_HOUR", { fallback: 500, min: 10, max: 1_000_000, faults }),
    requestsPerMinute: readNumber(env, "REQUESTS_PER_MINUTE", {
      fallback: 600,
      min: 0,
      max: 1_000_000,
      faults,
    }),
  };
}

function readAppId(env: NodeJS.ProcessEnv, faults: string[]): string {
  const id = env.APP_ID ?? "";
  if (!id) faults.push("APP_ID is not set: it is the number on the App's settings page.");
  else if (!/^\d+$/.test(id)) faults.push(`APP_ID must be a number, not "${id}".`);
  return id;
}

function readPrivateKey(env: NodeJS.ProcessEnv, faults: string[]): string {
  const fromFile = env.PRIVATE_KEY_PATH;
  let key = env.PRIVATE_KEY ?? "";
  if (!key && fromFile) {
    if (!existsSync(fromFile)) {
      faults.push(`PRIVATE_KEY_PATH names ${fromFile}, which does not exist.`);
      return "";
    }
    key = readFileSync(fromFile, "utf8");
  }
  if (!key) {
    faults.push("PRIVATE_KEY or PRIVATE_KEY_PATH is not set: generate a key on the App's settings page.");
    return "";
  }
  const pem = decodePem(key);
  if (!pem)
    faults.push("PRIVATE_KEY is no PEM key: give the file's text, with \\n for line ends, or its base64.");
  return pem ?? "";
}

/** Accepts a PEM as it is, with escaped line ends, or as base64: what shells and panels make of one. */
function decodePem(key: string): string | null {
  const text = key
    .replace(/^["']|["']$/g, "")
    .replaceAll("\\n", "\n")
    .trim();
  const decoded = text.startsWith("-----BEGIN") ? text : Buffer.from(text, "base64").toString().trim();
  return /^-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]+-----END [A-Z ]*PRIVATE KEY-----$/.test(decoded)
    ? `${decoded}\n`
    : null;
}

function readWebhookSecrets(env: NodeJS.ProcessEnv, faults: string[]): string[] {
  const secret = env.WEBHOOK_SECRET ?? "";
  const previous = env.WEBHOOK_SECRET_PREVIOUS;
  if (!secret) faults.push("WEBHOOK_SECRET is not set: it must be the one on the App's settings page.");
  for (const [name, value] of [
    ["WEBHOOK_SECRET", secret],
    ["WEBHOOK_SECRET_PREVIOUS", previous],
  ] as const) {
    if (value && (value.length < MIN_SECRET_LENGTH || value === "development")) {
      faults.push(
        `${name} is too weak: use at least ${MIN_SECRET_LENGTH} random characters (openssl rand -hex 32).`,
      );
    }
  }
  return previous ? [secret, previous] : [secret];
}

function readPublicUrl(env: NodeJS.ProcessEnv, faults: string[]): string | null {
  const text = env.PUBLIC_URL;
  if (!text) return null;
  const url = URL.parse(text);
  if (!url || !/^https?:$/.test(url.protocol)) {
    faults.push(`PUBLIC_URL must be an http(s) address, not "${text}".`);
    return null;
  }
  return `${url.origin}${url.pathname.replace(/\/+$/, "")}`; // as browsers write it, whatever is compared with it
}

function readDatabaseUrl(env: NodeJS.ProcessEnv, faults: string[]): string | null {
  const text = env.DATABASE_URL;
  if (!text) return null;
  if (!/^postgres(ql)?:\/\//.test(text)) {
    faults.push("DATABASE_URL must begin with postgres:// (or leave it unset for the embedded server).");
  }
  return text;
}

function readClient(env: NodeJS.ProcessEnv, faults: string[]): Config["client"] {
  const { GITHUB_CLIENT_ID: id, GITHUB_CLIENT_SECRET: secret } = env;
  if (id && secret) return { id, secret };
  if (id || secret) {
    faults.push(
      "GITHUB_CLIENT_ID and GITHUB_CLIENT_SECRET belong together: both are on the App's settings page.",
    );
  }
  return null;
}

interface AccessFacts {
  host: string;
  publicUrl: string | null;
  client: Config["client"];
  faults: string[];
}

/** People sign in at GitHub where that can be done safely, unless the environment says otherwise. */
function readAccess(env: NodeJS.ProcessEnv, facts: AccessFacts): Access {
  const { host, client, faults } = facts;
  const access = env.ACCESS || (client && findSignInFault(facts) === null ? "github" : "token");
  if (access === "open" && !isLoopback(host)) {
    faults.push(`ACCESS=open shows everything to everyone, so it needs a loopback HOST, not ${host}.`);
  }
  if (access === "github") {
    const fault = client
      ? findSignInFault(facts)
      : "GITHUB_CLIENT_ID and GITHUB_CLIENT_SECRET, which are on the App's settings page";
    if (fault !== null) faults.push(`ACCESS=github needs ${fault}.`);
  }
  if (access !== "github" && access !== "token" && access !== "open") {
    faults.push(`ACCESS must be "github", "token" or "open", not "${access}".`);
    return "token";
  }
  return access;
}

/** What signing in needs of the address: browsers come back to it, with what nobody on the way may read. */
function findSignInFault({ host, publicUrl }: AccessFacts): string | null {
  if (publicUrl === null) return isLoopback(host) ? null : "PUBLIC_URL: GitHub sends people back to it";
  const url = new URL(publicUrl);
  if (url.pathname !== "/") return `a PUBLIC_URL without a path, not ${publicUrl}: its cookies are a host's`;
  const isSafe = url.protocol === "https:" || isLocal(url);
  return isSafe
    ? null
    : `an https PUBLIC_URL, not ${publicUrl}: what signs people in must not be read on the way`;
}

function readOperators(env: NodeJS.ProcessEnv, faults: string[]): string[] {
  const logins = (env.OPERATORS ?? "").split(",").map((login) => login.trim().toLowerCase());
  const named = logins.filter((login) => login !== "");
  const odd = named.find((login) => !/^[a-z\d][a-z\d_-]*$/.test(login));
  if (odd !== undefined) {
    faults.push(`OPERATORS must be logins of GitHub with commas between them; "${odd}" is none.`);
  }
  return named;
}

function readApiToken(env: NodeJS.ProcessEnv, faults: string[]): string | null {
  const token = env.API_TOKEN;
  if (token && token.length < MIN_SECRET_LENGTH) {
    faults.push(`API_TOKEN is too weak: use at least ${MIN_SECRET_LENGTH} random characters.`);
  }
  // RFC 6750, section 2.1: what a bearer token may be made of.
  if (token && !/^[A-Za-z0-9\-._~+/]+=*$/.test(token)) {
    faults.push("API_TOKEN may hold only letters, digits and - . _ ~ + /, with = at its end.");
  }
  return token || null;
}

function readLogLevel(env: NodeJS.ProcessEnv, faults: string[]): string {
  const level = env.LOG_LEVEL || "info";
  if (!LOG_LEVELS.includes(level))
    faults.push(`LOG_LEVEL must be one of ${LOG_LEVELS.join(", ")}, not "${level}".`);
  return level;
}

function readNumber(
  env: NodeJS.ProcessEnv,
  name: string,
  { fallback, min, max, faults }: { fallback: number; min: number; max: number; faults: string[] },
): number {
  const text = env[name];
  if (text === undefined || text === "") return fallback;
  const value = Number(text);
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  faults.push(`${name} must be a whole number from ${min} to ${max}, not "${text}".`);
  return fallback;
}

/** The operator's token of this data folder; made on first use, for the owner's eyes only. */
export function loadApiToken(dataDir: string): { token: string; created: boolean } {
  const file = path.join(dataDir, "api-token");
  if (existsSync(file)) return { token: readFileSync(file, "utf8").trim(), created: false };
  mkdirSync(dataDir, { recursive: true });
  const token = randomBytes(24).toString("base64url");
  writeFileSync(file, `${token}\n`, { mode: 0o600, flag: "wx" });
  return { token, created: true };
}
