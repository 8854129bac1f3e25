import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { createInterface } from "node:readline";
import manifest from "../../package.json" with { type: "json" };

const PROJECT = path.join(import.meta.dirname, "../..");
const START_TIMEOUT_MS = 60_000;

export interface SpawnedApp {
  child: ChildProcess;
  /** Everything it wrote so far, for an error's sake. */
  output(): string;
  /** What `find` makes of a line, as soon as it makes something of one; rejects when the process ends before. */
  line<T>(find: (line: string) => T | null): Promise<T>;
  /** Asks it to stop, and waits until it has. */
  stop(): Promise<void>;
}

export interface AppProcess extends Omit<SpawnedApp, "line"> {
  url: string;
}

/**
 * Starts what `npm start` starts as a process of its own, and waits until it listens. With modules to import before
 * it, it has a channel for messages, too.
 */
export async function startAppProcess(
  environment: Record<string, string>,
  options: { imports?: string[] } = {},
): Promise<AppProcess> {
  const app = spawnApp(environment, options);
  try {
    return { ...app, url: await app.line(listeningUrl) };
  } catch (error) {
    app.child.kill("SIGKILL");
    throw error;
  }
}

/** The same without the waiting. */
export function spawnApp(
  environment: Record<string, string>,
  { imports = [] }: { imports?: string[] } = {},
): SpawnedApp {
  const preloaded = imports.map((module) => `--import ${module}`).join(" ");
  const child = spawn("sh", ["-c", `exec env ${manifest.scripts.start}`], {
    cwd: PROJECT,
    env: {
      PATH: `${path.dirname(process.execPath)}:${process.env.PATH}`,
      HOME: process.env.HOME,
      ...(preloaded && { NODE_OPTIONS: preloaded }),
      REQUESTS_PER_MINUTE: "0", // who waits for something asks often
      ...environment,
    },
    stdio: ["ignore", "pipe", "pipe", ...(imports.length > 0 ? (["ipc"] as const) : [])],
  });
  const lines: string[] = [];
  const waiting = new Set<(line: string) => void>();
  for (const stream of [child.stdout, child.stderr]) {
    if (!stream) continue;
    createInterface({ input: stream }).on("line", (line) => {
      lines.push(line);
      for (const look of waiting) look(line);
    });
  }
  const output = () => lines.join("\n");
  return {
    child,
    output,
    async line<T>(find: (line: string) => T | null) {
      const found = Promise.withResolvers<T>();
      const look = (line: string) => {
        const value = find(line);
        if (value !== null) found.resolve(value);
      };
      const fail = (how: string) => found.reject(new Error(`Repodex ${how}:\n${output()}`));
      const onExit = (code: number | null) => fail(`ended with ${code}`);
      const timer = setTimeout(() => fail("did not start"), START_TIMEOUT_MS);
      child.once("exit", onExit);
      waiting.add(look);
      lines.forEach(look);
      return await found.promise.finally(() => {
        clearTimeout(timer);
        child.off("exit", onExit);
        waiting.delete(look);
      });
    },
    stop: () => stop(child),
  };
}

/** The address in the line that says so; null in any other. */
export function listeningUrl(line: string): string | null {
  if (!line.includes('"listening"')) return null;
  const { msg, url } = JSON.parse(line) as { msg?: string; url?: string };
  return msg === "listening" ? (url ?? null) : null;
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGTERM");
  await exited;
}
