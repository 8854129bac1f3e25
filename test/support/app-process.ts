import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { createInterface } from "node:readline";
import manifest from "../../package.json" with { type: "json" };

const PROJECT = path.join(import.meta.dirname, "../..");
const START_TIMEOUT_MS = 60_000;

export interface AppProcess {
  url: string;
  child: ChildProcess;
  /** Everything it wrote so far, for an error's sake. */
  output(): string;
  /** Asks it to stop, and waits until it has. */
  stop(): Promise<void>;
}

/**
 * Starts what `npm start` starts as a process of its own, and waits until it listens. With modules to import before
 * it, it has a channel for messages, too.
 */
export async function startAppProcess(
  environment: Record<string, string>,
  { imports = [] }: { imports?: string[] } = {},
): Promise<AppProcess> {
  const preloaded = imports.map((module) => `--import ${module}`).join(" ");
  const child = spawn("sh", ["-c", `exec env ${manifest.scripts.start}`], {
    cwd: PROJECT,
    env: {
      PATH: `${path.dirname(process.execPath)}:${process.env.PATH}`,
      HOME: process.env.HOME,
      ...(preloaded && { NODE_OPTIONS: preloaded }),
      ...environment,
    },
    stdio: ["ignore", "pipe", "pipe", ...(imports.length > 0 ? (["ipc"] as const) : [])],
  });
  const lines: string[] = [];
  const listening = Promise.withResolvers<string>();
  for (const stream of [child.stdout, child.stderr]) {
    if (!stream) continue;
    createInterface({ input: stream }).on("line", (line) => {
      lines.push(line);
      const url = listeningUrl(line);
      if (url) listening.resolve(url);
    });
  }
  child.once("exit", (code) =>
    listening.reject(new Error(`Repodex ended with ${code}:\n${lines.join("\n")}`)),
  );
  const timer = setTimeout(
    () => listening.reject(new Error(`Repodex did not start:\n${lines.join("\n")}`)),
    START_TIMEOUT_MS,
  );
  try {
    const url = await listening.promise;
    return { url, child, output: () => lines.join("\n"), stop: () => stop(child) };
  } catch (error) {
    child.kill("SIGKILL");
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

function listeningUrl(line: string): string | null {
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
