import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { onTestFinished } from "vitest";
import { connect } from "../../src/database/connect.ts";
import { startEmbedded } from "../../src/database/embedded.ts";
import { processIdentity } from "../../src/database/embedded-process.ts";
import { createLogger } from "../../src/log.ts";
import type { Database } from "./database.ts";
import { until } from "./wait.ts";

/** What was answered survives the end of the server, if not of the machine. */
const SETTINGS = { synchronous_commit: "on" };

/** A PostgreSQL for one test, which the test may crash. */
export interface OwnServer extends Pick<Database, "db" | "url"> {
  /** Ends it at once, as a crash would: no session is waited for, nothing is written out. */
  crash(): Promise<void>;
  /** Starts it again, where it was. */
  restart(): Promise<void>;
}

/** Starts a server with an empty database. It ends with the test. */
export async function startOwnServer(): Promise<OwnServer> {
  const log = createLogger("silent");
  const dataDir = mkdtempSync(path.join(os.tmpdir(), "repodex-own-"));
  const options = { dataDir, log, volatile: true, settings: SETTINGS };
  const started = [await startEmbedded(options)];
  const { user, password, database, host } = started[0]?.connection ?? {};
  const url = `postgres://${user}:${password}@localhost/${database}?host=${encodeURIComponent(host ?? "")}`;
  const connection = connect({ connection: { connectionString: url }, log, maxConnections: 5 });
  onTestFinished(async () => {
    await connection.close();
    for (const server of started) await server.stop();
    rmSync(dataDir, { recursive: true, force: true });
  });
  return {
    db: connection.db,
    url,
    async crash() {
      const pid = started.at(-1)?.pid ?? 0;
      process.kill(pid, "SIGQUIT");
      await until(() => processIdentity(pid) === null, { what: "the server to end" });
    },
    async restart() {
      started.push(await startEmbedded(options));
    },
  };
}
