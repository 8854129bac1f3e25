import { once } from "node:events";
import { chmod, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { Simulator } from "../simulator/simulator.ts";
import { startAppProcess } from "../support/app-process.ts";
import type { LoopDelay } from "./loop-delay.ts";

export const API_TOKEN = "bench-bench-bench-bench";

export interface BenchApp {
  get<T>(route: string): Promise<T>;
  /** Of its event loop, since this was last asked for. */
  loopDelay(): Promise<LoopDelay>;
  /** The most memory that it had in RAM so far, in MB. */
  peakRssMb(): Promise<number>;
  stop(): Promise<void>;
  /** kill -9 */
  kill(): Promise<void>;
}

/** Starts the production entry beside a simulator, with its event loop watched. Without DATABASE_URL: embedded. */
export async function startBenchApp(
  simulator: Simulator,
  environment: Record<string, string> = {},
  { imports = [] }: { imports?: string[] } = {},
): Promise<BenchApp> {
  const dataDir = await mkdtemp(path.join(tmpdir(), "repodex-bench-"));
  await chmod(dataDir, 0o755); // the database's own account must reach it when root runs this
  const app = await startAppProcess(
    {
      ...simulator.environment,
      RECONCILE_SECONDS: "0", // only what is measured is asked
      HOST: "127.0.0.1",
      PORT: "0",
      API_TOKEN,
      DATA_DIR: dataDir,
      LOG_LEVEL: "info",
      ...environment,
    },
    { imports: [path.join(import.meta.dirname, "loop-delay.ts"), ...imports] },
  );
  simulator.webhookUrl = `${app.url}/api/github/webhooks`;
  return {
    async get<T>(route: string) {
      const response = await fetch(`${app.url}/api/v1${route}`, {
        headers: { authorization: `Bearer ${API_TOKEN}` },
      });
      if (!response.ok) throw new Error(`${route}: ${response.status}`);
      return (await response.json()) as T;
    },
    async loopDelay() {
      const answer = once(app.child, "message");
      app.child.send("loop delay");
      return ((await answer) as [LoopDelay])[0];
    },
    async peakRssMb() {
      const status = await readFile(`/proc/${app.child.pid}/status`, "utf8");
      return Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]) / 1024;
    },
    async kill() {
      const ended = once(app.child, "exit");
      app.child.kill("SIGKILL");
      await ended;
      await rm(dataDir, { recursive: true, force: true });
    },
    async stop() {
      await app.stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
