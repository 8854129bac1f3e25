import type { Random } from "../support/random.ts";
import { webhookExamples } from "../support/webhook-examples.ts";
import { mutate, writeJson } from "./mutate.ts";

const HANDLED = new Set([
  "check_run",
  "check_suite",
  "installation",
  "installation_repositories",
  "installation_target",
  "issue_comment",
  "ping",
  "public",
  "push",
  "repository",
]);

type Payload = Record<string, unknown>;

/** What a payload may name: rows that are there, and what nobody has heard of. */
export interface Targets {
  /** Named by anything. */
  installation: number;
  repositories: number[];
  /** Named by events of a repository alone: one of an installation may rightly change all that it has. */
  shared: { installation: number; repository: number };
  /** Their names may be used by others; their ids are in no payload. */
  bystanders: { owner: string; name: string }[];
  appId: number;
  /** Payloads as the simulator makes them. */
  own: { event: string; payload: Payload }[];
}

export interface Fuzzed {
  event: string;
  text: string;
}

/** A payload that GitHub might send, aimed at the targets, with up to four things wrong. */
export function fuzz(targets: Targets, random: Random): Fuzzed {
  const base = pickBase(targets, random);
  const event = random.chance(0.1) ? random.pick(webhookExamples).name : base.event;
  let payload: unknown = structuredClone(base.payload);
  aim(payload as Payload, targets, random);
  for (let changes = random.below(5); changes > 0; changes--) payload = mutate(payload, random);
  const text = writeJson(payload);
  const { shared, installation } = targets;
  const spared = event.startsWith("installation")
    ? text.replaceAll(String(shared.installation), String(installation))
    : text;
  return { event, text: spared };
}

function pickBase({ own }: Targets, random: Random): { event: string; payload: Payload } {
  if (random.chance(0.4)) return random.pick(own);
  const handled = webhookExamples.filter(({ name }) => HANDLED.has(name));
  const { name, examples } = random.pick(random.chance(0.8) ? handled : webhookExamples);
  return { event: name, payload: random.pick(examples) };
}

/** Makes a payload name what the targets allow, in likely and in unlikely pairs. */
function aim(payload: Payload, targets: Targets, random: Random): void {
  const { shared, bystanders } = targets;
  const installations = [targets.installation, shared.installation, 1 + random.below(1_000)];
  const repositories = [...targets.repositories, shared.repository, 1 + random.below(1_000)];
  const set = (key: string, facts: object) => {
    const known = payload[key];
    if (typeof known === "object" && known !== null) Object.assign(known, facts);
  };
  if (random.chance(0.8)) payload.installation ??= {};
  if (random.chance(0.9)) set("installation", { id: random.pick(installations) });
  if (random.chance(0.9)) set("repository", { id: random.pick(repositories) });
  for (const list of ["repositories", "repositories_added", "repositories_removed"]) {
    if (!Array.isArray(payload[list])) continue;
    for (const named of payload[list]) if (random.chance(0.9)) named.id = random.pick(repositories);
  }
  if (random.chance(0.2)) {
    const { owner, name } = random.pick(bystanders);
    set("repository", { name, full_name: `${owner}/${name}` });
    Object.assign((payload.repository as Payload)?.owner ?? {}, { login: owner });
  }
  if (random.chance(0.3)) set("comment", { body: random.chance(0.5) ? "/rescan" : "/rescan full" });
  if (random.chance(0.5)) Object.assign((payload.check_run as Payload)?.app ?? {}, { id: targets.appId });
  if (random.chance(0.3)) set("requested_action", { identifier: "rescan" });
}
