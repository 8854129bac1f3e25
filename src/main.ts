import "./check-node.js";
import { existsSync } from "node:fs";
import { ConfigError, readConfig } from "./config.ts";
import { createLogger } from "./log.ts";
import { startRepodex } from "./repodex.ts";

/** A shutdown that hangs ends here: leases and retries make that safe. */
const SHUTDOWN_MS = 25_000;

async function main(): Promise<void> {
  if (existsSync(".env")) process.loadEnvFile(".env"); // what is set already wins
  const config = readConfig(process.env);
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

main().catch((error: unknown) => {
  if (error instanceof ConfigError) {
    console.error(
      `Repodex cannot start:\n${error.message}\n\n` +
        "To see it work without a GitHub App, run `npm run demo`. " +
        "To register an App and get these values, follow “Register the App” in README.md.",
    );
  } else {
    console.error("Repodex cannot start:", error instanceof Error ? error.message : error);
  }
  process.exit(1);
});
