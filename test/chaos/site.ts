import type { Delivered } from "../simulator/deliveries.ts";
import type { Simulator } from "../simulator/simulator.ts";
import type { SimulatedComment, SimulatedRepository } from "../simulator/world.ts";
import type { Random } from "../support/random.ts";
import { api } from "../support/repodex.ts";
import { until } from "../support/wait.ts";
import type { History, Pushed } from "./history.ts";
import type { Replicas } from "./replicas.ts";

/** One repository in an installation of its own, and all that is asked about it. */
export interface Site {
  history: History;
  repository: SimulatedRepository;
  /** GUIDs of deliveries that were answered with 202. */
  accepted: Set<string>;
  /** /rescan comments whose delivery was accepted. */
  comments: SimulatedComment[];
  /** Runs that the API promised. */
  promised: Set<string>;
  /** Asks the API for a scan. */
  ask(mode: "incremental" | "full"): Promise<void>;
  /** The next commit, and something of what may happen between two. */
  step(): Promise<void>;
  /** The repository is there, nothing is cut, and the last push arrives. */
  settle(): Promise<void>;
}

export interface Surroundings {
  simulator: Simulator;
  replicas: Replicas;
  random: Random;
}

const DELIVERED_WITHIN_MS = 30_000;
/** A listing is cut after these few entries. */
const CUT = { entries: 7, bytes: 1_000_000 };

/** Installs the app on a history's repository. */
export async function openSite(
  history: History,
  { name, ...surroundings }: Surroundings & { name: string },
): Promise<Site> {
  const { simulator, random } = surroundings;
  const installationId = simulator.addInstallation({ account: name });
  const facts = { installation_id: installationId, git_dir: history.git.dir, name };
  const site = { repository: simulator.addRepository(facts), removed: false, toldOfRemoval: true };
  const { id } = site.repository;
  const accepted = new Set<string>();
  const comments: SimulatedComment[] = [];
  const promised = new Set<string>();
  const waiting: (Pushed & { guid: string })[] = [];
  const delivered: (Pushed & { guid: string })[] = [];
  const deliver = createDeliver(surroundings, accepted);

  /** Redelivered by hand until it arrives. */
  async function arrive(send: () => Promise<Delivered>): Promise<void> {
    await until(() => deliver(send), { what: "a delivery to arrive", timeoutMs: DELIVERED_WITHIN_MS });
  }

  async function deliverPush(push: Pushed & { guid: string }): Promise<void> {
    delivered.push(push);
    for (let copy = random.chance(0.3) ? 2 : 1; copy > 0; copy -= 1)
      await deliver(() => simulator.deliverPush(id, push));
  }

  async function comment(): Promise<void> {
    const body = random.pick(["/rescan", "/rescan full", "please\n/rescan", "/rescan everything"]);
    const made = simulator.addComment({ repository_id: id, issue_number: 1 + random.below(3), body });
    if (await deliver(() => simulator.deliverComment(made))) comments.push(made);
  }

  async function ask(mode: "incremental" | "full"): Promise<void> {
    const asking = api(surroundings.replicas.any(), `/api/v1/repositories/${id}/rescan`, { json: { mode } });
    const answer = await asking.catch(() => null); // the replica was just killed
    if (answer?.status === 202) promised.add(((await answer.json()) as { run_id: string }).run_id);
    else if (answer && ![404, 422, 503].includes(answer.status)) throw new Error(`rescan: ${answer.status}`);
  }

  /** Taken out of the installation, and put back at a later call. By chance it is told the wrong way round. */
  async function removeOrReturn(): Promise<void> {
    const tellOfRemoval = () => arrive(() => simulator.deliverRepositoriesRemoved(installationId, [id]));
    site.removed = !site.removed;
    if (site.removed) {
      simulator.removeRepository(id);
      site.toldOfRemoval = random.chance(0.5);
      if (site.toldOfRemoval) await tellOfRemoval();
    } else {
      site.repository = simulator.addRepository({ ...facts, id });
      await arrive(() => simulator.deliverRepositoriesAdded(installationId, [id]));
      if (!site.toldOfRemoval) await tellOfRemoval();
    }
  }

  async function step(): Promise<void> {
    const pushed = { ...(await history.step()), guid: crypto.randomUUID() };
    if (!random.chance(0.2)) waiting.splice(random.below(waiting.length + 1), 0, pushed); // else it is never told
    while (waiting.length > 0 && random.chance(0.6)) await deliverPush(waiting.shift() as typeof pushed);
    if (random.chance(0.2)) await ask(random.pick(["incremental", "full"] as const));
    if (random.chance(0.15)) await comment();
    if (random.chance(0.1) && delivered.length > 0) {
      const again = random.pick(delivered);
      await deliver(() => simulator.deliverPush(id, again));
    }
    if (random.chance(site.removed ? 0.4 : 0.04)) await removeOrReturn();
    site.repository.tree_limit = random.chance(0.3) ? CUT : undefined;
  }

  async function settle(): Promise<void> {
    if (site.removed) await removeOrReturn();
    site.repository.tree_limit = undefined;
    for (const pushed of waiting.splice(0)) await deliverPush(pushed);
    const last = { ...(await history.finish()), guid: crypto.randomUUID() };
    await arrive(() => simulator.deliverPush(id, last));
  }

  await arrive(() => simulator.deliverInstallationCreated(installationId));
  return {
    history,
    get repository() {
      return site.repository;
    },
    accepted,
    comments,
    promised,
    ask,
    step,
    settle,
  };
}

/** Sends to one replica, by lot; false where that one is killed before it answers: GitHub does not send again. */
function createDeliver({ simulator, replicas }: Surroundings, accepted: Set<string>) {
  return async (send: () => Promise<Delivered>): Promise<boolean> => {
    simulator.webhookUrl = `${replicas.any().url}/api/github/webhooks`;
    const answer = await send().catch(() => null);
    if (answer?.status === 202) accepted.add(answer.guid);
    return answer?.status === 202;
  };
}
