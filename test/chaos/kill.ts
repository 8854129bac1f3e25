import { setTimeout as delay } from "node:timers/promises";
import type { TestDatabase } from "../support/database.ts";
import { until } from "../support/wait.ts";
import type { Replicas } from "./replicas.ts";
import type { Site, Surroundings } from "./site.ts";

/** At a lease of five seconds. */
const TAKEN_UP_WITHIN_MS = 10_000;
/** How long a scan is held up, and how far into it the kill may come. */
const INTO_SCAN_MS = 1_500;
/** Where a scan is held up, so that kills meet all of its stages; GraphQL is asked seldom, so that others are met on the way. */
const SLOW_ROUTES = ["/repos/{owner}/{repo}/git/trees/{tree_sha}", "tarball", "/graphql"] as const;
const CLAIMED_WITHIN_MS = 20_000;

type Db = TestDatabase["db"];
type HeldRun = Awaited<ReturnType<typeof listRunning>>[number];

/** What a kill met, for the table at the end. */
export interface Killed {
  replicas: number;
  /** The runs that died with them, each with its stage and how often it had failed before. */
  held: string;
  "taken up after (s)": string | null;
}

/**
 * Kills one replica, or all, at a moment that chance decides: mostly one that holds a run. What the killed ones
 * held, and what had not failed before and so has no waiting to do, must be taken up in time. `sure`: the kill meets
 * a run for certain.
 */
export async function killSome(
  { simulator, replicas, random, sites }: Surroundings & { sites: Site[] },
  { db, sure }: { db: Db; sure: boolean },
): Promise<Killed> {
  const lift = simulator.fault({
    route: sure ? SLOW_ROUTES[0] : random.pick(SLOW_ROUTES),
    delayMs: INTO_SCAN_MS,
    times: sites.length,
  });
  let target = random.pick(replicas.all());
  if (sure || random.chance(0.7)) {
    for (const site of sites) await site.ask("full");
    target = (await untilHeld(db, replicas)) ?? target;
  }
  await delay(random.below(random.pick([100, sure ? 100 : INTO_SCAN_MS]))); // the moment is what chance decides here
  const victims = !sure && random.chance(0.2) ? replicas.all() : [target];
  const names = victims.map(({ child }) => `/${child.pid}/`);
  const held = (await listRunning(db)).filter(({ worker }) => names.some((name) => worker?.includes(name)));
  const restarted = replicas.kill(victims);
  if (replicas.all().length === 0) await restarted;
  const times = await timeTakingUp(db, held);
  await restarted;
  lift();
  return {
    replicas: victims.length,
    held: held.map(({ id, stage, failures }) => `${id} ${stage} (${failures})`).join(", "),
    "taken up after (s)": times.length > 0 ? Math.max(...times).toFixed(1) : null,
  };
}

async function listRunning(db: Db) {
  return await db
    .selectFrom("runs")
    .select(["id", "epoch", "worker", "failures", "stage"])
    .where("state", "=", "running")
    .execute();
}

/** Waits for a run that is worked on; null where all that was asked had ended before. */
async function untilHeld(db: Db, replicas: Replicas) {
  return await until(
    async () => {
      const running = await listRunning(db);
      return replicas
        .all()
        .find(({ child }) => running.some(({ worker }) => worker?.includes(`/${child.pid}/`)));
    },
    { what: "a run to be claimed", timeoutMs: CLAIMED_WITHIN_MS },
  ).catch(() => null);
}

async function timeTakingUp(db: Db, held: HeldRun[]): Promise<number[]> {
  const readyAt = performance.now();
  const times: number[] = [];
  for (const { id, epoch } of held.filter(({ failures }) => failures === 0)) {
    const isTakenUp = async () => {
      const run = await db
        .selectFrom("runs")
        .select(["epoch", "finished_at"])
        .where("id", "=", id)
        .executeTakeFirstOrThrow();
      return run.epoch > epoch || run.finished_at !== null;
    };
    await until(isTakenUp, { what: `run ${id} to be taken up`, timeoutMs: TAKEN_UP_WITHIN_MS });
    times.push((performance.now() - readyAt) / 1000);
  }
  return times;
}
