import { onTestFinished } from "vitest";
import { type AppProcess, startAppProcess } from "../support/app-process.ts";
import type { Random } from "../support/random.ts";

/** Processes of the app on one database, which die and are replaced. */
export interface Replicas {
  /** One that lives, by lot. */
  any(): AppProcess;
  /** Whether the worker of this name is a living one's. */
  find(worker: string | null): AppProcess | null;
  /** Kills with SIGKILL and starts as many anew; resolves once these listen. */
  kill(victims: AppProcess[]): Promise<void>;
  all(): AppProcess[];
}

/** Starts `count` replicas. They end with the test. */
export async function startReplicas(
  count: number,
  { environment, random }: { environment: Record<string, string>; random: Random },
): Promise<Replicas> {
  let living: AppProcess[] = [];

  async function start(): Promise<void> {
    const replica = await startAppProcess(environment);
    onTestFinished(() => replica.stop());
    living.push(replica);
  }

  await Promise.all(Array.from({ length: count }, start));
  return {
    all: () => [...living],
    any: () => random.pick(living),
    find: (worker) => living.find(({ child }) => worker?.includes(`/${child.pid}/`)) ?? null,
    async kill(victims) {
      living = living.filter((replica) => !victims.includes(replica));
      for (const { child } of victims) child.kill("SIGKILL");
      await Promise.all(victims.map(start));
    },
  };
}
