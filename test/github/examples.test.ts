import { randomUUID } from "node:crypto";
import { sql } from "kysely";
import { expect, test } from "vitest";
import type { Simulator } from "../simulator/simulator.ts";
import { startTestSimulator } from "../simulator/test-client.ts";
import { useDatabase } from "../support/database.ts";
import { createRepository } from "../support/git.ts";
import { isStill } from "../support/journey.ts";
import { createRandom, type Random } from "../support/random.ts";
import { watchRejections } from "../support/rejections.ts";
import { startTestRepodex } from "../support/repodex.ts";
import { until } from "../support/wait.ts";
import { webhookExamples } from "../support/webhook-examples.ts";

/** Every payload of @octokit/webhooks-examples, to an app whose GitHub knows none of what they name, or all of it. */
const SEED = Number(process.env.SEED ?? Date.now() % 100_000);
/** Deliveries on their way at once. */
const CONCURRENCY = 8;

const database = useDatabase();

interface Example {
  guid: string;
  event: string;
  payload: {
    installation?: { id: number };
    repository?: { id: number; name: string; owner: { login: string }; private: boolean };
  };
}

function listExamples(): Example[] {
  return webhookExamples.flatMap(({ name, examples }) =>
    examples.map((payload) => ({ guid: randomUUID(), event: name, payload: payload as Example["payload"] })),
  );
}

test.for([
  ["knows nothing of what they name", async () => {}],
  ["knows all that they name", knowAll],
] as const)(
  `every example, delivered twice in random order to an app whose GitHub %s, is settled once (seed ${SEED})`,
  async ([, prepare]) => {
    const simulator = await startTestSimulator();
    const all = listExamples();
    await prepare(simulator, all);
    const { url } = await startTestRepodex(database, { environment: simulator.environment });
    simulator.webhookUrl = `${url}/api/github/webhooks`;
    const rejections = watchRejections();

    const random = createRandom(SEED);
    const statuses = await sendAll(simulator, shuffle([...all, ...all], random));
    await untilStill();
    const settled = await readState();
    const again = await sendAll(simulator, shuffle(all, random));
    await untilStill();

    expect(new Set([...statuses, ...again])).toEqual(new Set([202]));
    expect(rejections).toEqual([]);
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    await expectSettled(all.length);
    expect(await readState()).toEqual(settled);
  },
);

/** Gives the simulator each installation, and of each name the first repository, that an example tells of. */
async function knowAll(simulator: Simulator, all: Example[]): Promise<void> {
  const git = await createRepository({ bare: true, files: { "a.txt": "a\n" } });
  const [installations, names] = [new Set<number>(), new Set<string>()];
  for (const { payload } of all) {
    const { installation, repository } = payload;
    if (!installation || !repository) continue;
    const { id, name, private: isPrivate } = repository;
    const owner = repository.owner.login;
    if (!installations.has(installation.id))
      simulator.addInstallation({ id: installation.id, account: owner });
    installations.add(installation.id);
    if (names.has(`${owner}/${name}`)) continue;
    names.add(`${owner}/${name}`);
    const facts = { installation_id: installation.id, git_dir: git.dir };
    simulator.addRepository({ ...facts, id, name, owner, private: isPrivate });
  }
}

async function sendAll(simulator: Simulator, queue: Example[]): Promise<number[]> {
  const left = queue.values();
  const statuses: number[] = [];
  const sendOneByOne = async () => {
    for (const { guid, event, payload } of left) {
      statuses.push((await simulator.deliver(event, payload, { guid })).status);
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, sendOneByOne));
  return statuses;
}

function shuffle<T>(items: T[], random: Random): T[] {
  const left = [...items];
  return Array.from(items, () => left.splice(random.below(left.length), 1)).flat();
}

/** Waits until nothing is left to do; what was put off is due at once, as if its time had passed. */
async function untilStill(): Promise<void> {
  const due = { not_before: sql<Date>`clock_timestamp()` };
  const { db } = database;
  const hurry = async () => {
    await db.updateTable("deliveries").set(due).where("state", "=", "pending").execute();
    await db.updateTable("runs").set(due).where("state", "=", "queued").execute();
    await db.updateTable("check_reports").set(due).where("state", "=", "open").execute();
    await sql`notify deliveries`.execute(db);
    return await isStill(database);
  };
  await until(hurry, { what: "everything to be still", timeoutMs: 90_000 });
}

async function expectSettled(count: number): Promise<void> {
  const deliveries = await database.db.selectFrom("deliveries").selectAll().execute();
  expect(deliveries).toHaveLength(count);
  for (const { state, outcome, error } of deliveries) {
    expect(state === "failed" ? error : outcome).toMatch(/^[A-Z\d].*\.$/s);
  }
  const { rows: strays } = await sql`
    select r.id from repositories r left join installations i on i.id = r.installation_id where i.id is null
  `.execute(database.db);
  expect(strays).toEqual([]);
  const { rows: twice } = await sql`
    select delivery_guid, repository_id from run_requests where delivery_guid is not null
    group by 1, 2 having count(*) > 1`.execute(database.db);
  expect(twice).toEqual([]);
}

/** All that deliveries lead to. */
async function readState(): Promise<unknown> {
  const { db } = database;
  return {
    deliveries: await db.selectFrom("deliveries").selectAll().orderBy("guid").execute(),
    installations: await db.selectFrom("installations").selectAll().orderBy("id").execute(),
    repositories: await db.selectFrom("repositories").selectAll().orderBy("id").execute(),
    runs: await db.selectFrom("runs").selectAll().orderBy("id").execute(),
    requests: await db.selectFrom("run_requests").selectAll().orderBy("id").execute(),
    files: await db.selectFrom("files").selectAll().orderBy("repository_id").orderBy("path").execute(),
  };
}
