import { generateKeyPairSync } from "node:crypto";
import { tmpdir } from "node:os";
import type { Logger } from "pino";
import { onTestFinished } from "vitest";
import { readConfig } from "../../src/config.ts";
import { createLogger } from "../../src/log.ts";
import { type Repodex, startRepodex } from "../../src/repodex.ts";
import { checkAnswer } from "./checked-answers.ts";

export const WEBHOOK_SECRET = "a webhook secret of the tests";
export const API_TOKEN = "an-API-token-of-the-tests";

let privateKey: string | undefined;

/** Credentials that no GitHub knows, at an address where none answers. */
function credentials(): Record<string, string> {
  privateKey ??= generateKeyPairSync("rsa", { modulusLength: 2048 })
    .privateKey.export({ type: "pkcs8", format: "pem" })
    .toString();
  return {
    APP_ID: "1",
    PRIVATE_KEY: privateKey,
    WEBHOOK_SECRET,
    GHE_HOST: "127.0.0.1:9",
    GHE_PROTOCOL: "http",
  };
}

/**
 * Starts the whole app in this process on a free loopback port, with API_TOKEN as its operator's token.
 * `environment` is laid over the defaults: a simulator's, to give it a GitHub. It ends with the test.
 */
export async function startTestRepodex(
  database: { url: string },
  {
    environment = {},
    log = createLogger("silent"),
  }: { environment?: Record<string, string>; log?: Logger } = {},
): Promise<Repodex> {
  const config = readConfig({
    ...credentials(),
    HOST: "127.0.0.1",
    PORT: "0",
    DATABASE_URL: database.url,
    DATA_DIR: tmpdir(),
    API_TOKEN,
    RECONCILE_SECONDS: "0", // what a test does not do itself does not happen
    WRITES_PER_HOUR: "100000", // nor is anything slower than it must be
    REQUESTS_PER_MINUTE: "0",
    ...environment,
  });
  const repodex = await startRepodex(config, log);
  let closed: Promise<void> | undefined;
  const close = () => {
    closed ??= repodex.close();
    return closed;
  };
  onTestFinished(close);
  return { url: repodex.url, close };
}

/** Asks the app's API as its operator, and holds the answer against the app's own description of it. */
export async function api(
  { url }: { url: string },
  path: string,
  init: RequestInit & { json?: unknown } = {},
): Promise<Response> {
  const { json, ...rest } = init;
  const method = rest.method ?? (json === undefined ? "GET" : "POST");
  const response = await fetch(`${url}${path}`, {
    ...rest,
    ...(json !== undefined && { body: JSON.stringify(json) }),
    method,
    headers: { authorization: `Bearer ${API_TOKEN}`, ...rest.headers },
  });
  await checkAnswer(url, { method, path, response });
  return response;
}
