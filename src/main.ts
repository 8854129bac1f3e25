import "./check-node.js";
import { existsSync } from "node:fs";
import { ConfigError, readConfig, readSetupConfig } from "./config.ts";
import { createLogger } from "./log.ts";
import { startRepodex } from "./repodex.ts";
import { setUp } from "./setup.ts";

/** A shutdown that hangs ends here: leases and retries make that safe. */
const SHUTDOWN_MS = 25_000;

async function main(): Promise<void> {
  if (existsSync(".env")) process.loadEnvFile(".env"); // what is set already wins
  const env = await registerFirst(process.env);
  if (!env) return;
  const config = readConfig(env);
  const log = createLogger(config.logLevel);
  const repodex = await startRepodex(config, log);
  log.info({ url: repodex.url }, "listening");
  const shutDown = (signal: string) => {
    log.info({ signal }, "shutting down");
    setTimeout(() => process.exit(1), SHUTDOWN_MS).unref();
    repodex.close().then(
      () => log.info("stopped"),
      (err) => {
        log.error({ err }, "shutdown failed");
        process.exitCode = 1;
      },
    );
  };
  process.once("SIGTERM", shutDown);
  process.once("SIGINT", shutDown);
}

/** Where there is no App yet, goes on with the one that a person registers; null when told to stop meanwhile. */
async function registerFirst(env: NodeJS.ProcessEnv): Promise<NodeJS.ProcessEnv | null> {
  const config = readSetupConfig(env);
  if (!config) return env;
  const stopping = new AbortController();
  const stop = () => stopping.abort();
  process.once("SIGTERM", stop);
  process.once("SIGINT", stop);
  const port = await setUp(config, { log: createLogger(config.logLevel), signal: stopping.signal });
  process.off("SIGTERM", stop);
  process.off("SIGINT", stop);
  return port === null ? null : { ...env, PORT: String(port) };
}

main().catch((error: unknown) => {
  if (error instanceof ConfigError) {
    console.error(
      `Repodex cannot start:\n${error.message}\n\n` +
        "To see it work without a GitHub App, run `npm run demo`. " +
        "How to register an App, and where these values come from, is under “Register the App” in README.md.",
    );
  } else {
    console.error("Repodex cannot start:", error instanceof Error ? error.message : error);
  }
  process.exit(1);
});
