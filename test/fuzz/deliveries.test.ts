import { sql } from "kysely";
import { expect, test } from "vitest";
import type { Simulator } from "../simulator/simulator.ts";
import { startTestSimulator } from "../simulator/test-client.ts";
import { useDatabase } from "../support/database.ts";
import { createRepository } from "../support/git.ts";
import { isStill } from "../support/journey.ts";
import { createRandom } from "../support/random.ts";
import { watchRejections } from "../support/rejections.ts";
import { startTestRepodex } from "../support/repodex.ts";
import { until } from "../support/wait.ts";
import { type Fuzzed, fuzz, type Targets } from "./payloads.ts";

/** `npm run fuzz:deliveries` sends 20,000; the suite a few hundred. */
const COUNT = Number(process.env.COUNT ?? 300);
const SEED = Number(process.env.SEED ?? Date.now() % 100_000);
const BATCH = 25;
/** With two attempts each; GitHub itself waits ten seconds for an answer alone. */
const SETTLED_WITHIN_MS = 30_000;

const database = useDatabase();

test(`${COUNT} signed deliveries of mutated payloads harm nothing (seed ${SEED})`, async () => {
  const { simulator, url, targets, bystanders } = await prepare();
  const rejections = watchRejections();
  const random = createRandom(SEED);
  const untouched = await readBystanders(bystanders);
  const known = await readIds();

  for (let done = 0; done < COUNT; done += BATCH) {
    const batch = Array.from({ length: Math.min(BATCH, COUNT - done) }, () => fuzz(targets, random));
    const about = `deliveries ${done} to ${done + batch.length - 1}`;
    const statuses = await Promise.all(batch.map((fuzzed, i) => send(simulator, fuzzed, `fuzz-${done + i}`)));
    const failing = statuses.flatMap((status, i) => (status < 200 || status >= 500 ? [batch[i]] : []));
    expect(failing, about).toEqual([]);
    await untilSettled(about);
    expect(rejections, about).toEqual([]);
    expect(await readBystanders(bystanders), `${about}\n${batch.map(show).join("\n")}`).toEqual(untouched);
    const strangers = [...(await readIds())].filter((id) => !known.has(id));
    expect(
      strangers.filter((id) => !batch.some(({ text }) => text.includes(id))),
      about,
    ).toEqual([]);
    for (const id of strangers) known.add(id);
    simulator.deliveries.length = 0; // thousands of payloads would stay in memory
  }

  expect((await fetch(`${url}/healthz`)).status).toBe(200);
  console.table(await countOutcomes());
}, 3_600_000);

interface Bystanders {
  installations: number[];
  repositories: number[];
}

/** Three installations, indexed and still: one for everything, one that is shared with bystanders, one apart. */
async function prepare() {
  const simulator = await startTestSimulator({ violationsExpected: true }); // names of nonsense make such addresses
  const { url } = await startTestRepodex(database, { environment: simulator.environment });
  simulator.webhookUrl = `${url}/api/github/webhooks`;
  const git = await createRepository({ bare: true, files: { "a.txt": "a\n" } });
  const install = async (account: string, names: string[]) => {
    const installation_id = simulator.addInstallation({ account });
    const add = (name: string) => simulator.addRepository({ installation_id, git_dir: git.dir, name }).id;
    const repositories = names.map(add);
    await simulator.deliverInstallationCreated(installation_id);
    return { installation: installation_id, repositories };
  };
  const subject = await install("subject", ["one", "two", "three"]);
  const shared = await install("shared", ["named", "quiet", "gone"]);
  const apart = await install("apart", ["one", "two"]);
  const [repository = 0, quiet = 0, gone = 0] = shared.repositories;
  simulator.removeRepository(gone);
  await untilStill();
  await simulator.deliverRepositoriesRemoved(shared.installation, [gone]);
  await untilStill();
  const own = await recordOwn(simulator, subject);
  liftLimits(simulator, [subject.installation, shared.installation]);
  const targets: Targets = {
    ...subject,
    shared: { installation: shared.installation, repository },
    bystanders: ["apart/one", "apart/two", "shared/quiet"].map((full) => {
      const [owner = "", name = ""] = full.split("/");
      return { owner, name };
    }),
    appId: simulator.appId,
    own,
  };
  const bystanders = {
    installations: [apart.installation],
    repositories: [...apart.repositories, quiet, gone],
  };
  return { simulator, url, targets, bystanders };
}

/** What is tested is ours, not how long GitHub makes wait. */
function liftLimits(simulator: Simulator, installations: number[]): void {
  simulator.setContentLimits(null);
  const plenty = Number.MAX_SAFE_INTEGER;
  const budget = { limit: plenty, remaining: plenty, reset: plenty };
  for (const owner of [null, ...installations]) {
    for (const resource of ["core", "graphql"] as const) simulator.setBudget(owner, budget, resource);
  }
}

/** Payloads that the simulator makes, of deeds that change nothing; none is delivered. */
async function recordOwn(
  simulator: Simulator,
  { installation, repositories }: { installation: number; repositories: number[] },
): Promise<Targets["own"]> {
  simulator.deliveries.length = 0;
  const deliverAgain = simulator.loseDeliveries(() => true);
  const [first = 0] = repositories;
  const comment = simulator.addComment({ repository_id: first, issue_number: 1, body: "/rescan" });
  const checkRun = simulator.checkRuns.find(({ repository_id }) => repository_id === first)?.id ?? 0;
  await simulator.deliverInstallationCreated(installation);
  await simulator.deliverInstallationDeleted(installation);
  await simulator.unsuspendInstallation(installation);
  await simulator.acceptPermissions(installation);
  await simulator.renameAccount(installation, "subject");
  await simulator.deliverRepositoriesAdded(installation, repositories);
  await simulator.deliverRepositoriesRemoved(installation, repositories);
  await simulator.privatizeRepository(first);
  await simulator.unarchiveRepository(first);
  await simulator.renameRepository(first, "one");
  await simulator.changeDefaultBranch(first, "main");
  await simulator.deliverPush(first);
  await simulator.deliverPush(first, { deleted: true });
  await simulator.deliverComment(comment);
  await simulator.deliverCheckRunRerequested(checkRun);
  await simulator.deliverCheckRunRequestedAction(checkRun, "rescan_full");
  await simulator.deliverCheckSuite(first, "rerequested");
  deliverAgain();
  const recorded = simulator.deliveries.splice(0);
  return recorded.map(({ event, request }) => ({ event, payload: JSON.parse(request.body.toString()) }));
}

async function send(simulator: Simulator, { event, text }: Fuzzed, guid: string): Promise<number> {
  const { status } = await simulator.deliver(event, {}, { rawBody: text, guid });
  return status;
}

async function untilStill(): Promise<void> {
  await until(() => isStill(database), { what: "everything to be still", timeoutMs: 60_000 });
}

/** Waits until no delivery is pending. What failed once gets its last attempt at once, not in two hours. */
async function untilSettled(what: string): Promise<void> {
  const { db } = database;
  const settled = async () => {
    await sql`update deliveries set attempts = 19, not_before = clock_timestamp()
      where state = 'pending' and attempts between 1 and 18 and lease_until is null`.execute(db);
    await sql`notify deliveries`.execute(db);
    const pending = db.selectFrom("deliveries").select("guid").where("state", "=", "pending");
    return (await pending.execute()).length === 0;
  };
  await until(settled, { what: `${what} to be settled`, timeoutMs: SETTLED_WITHIN_MS });
}

/** All that a delivery about others must not change. */
async function readBystanders({ installations, repositories }: Bystanders): Promise<unknown> {
  const { rows: accounts } = await sql`
    select id, account_id, account_login, confirmed, suspended_at, removed_at, run_cap
    from installations where id = any(${installations}) order by id`.execute(database.db);
  const { rows } = await sql`
    select r.id, installation_id, owner, name, private, archived, default_branch, confirmed, removed_at,
      indexed_commit, indexed_tree_sha, indexed_verified, indexed_branch, indexed_files, indexed_chunks,
      (select count(*) from runs u where u.repository_id = r.id) as runs,
      (select count(*) from run_requests q where q.repository_id = r.id) as requests,
      (select count(*) from files f where f.repository_id = r.id) as files
    from repositories r where id = any(${repositories}) order by id`.execute(database.db);
  return { accounts, repositories: rows };
}

/** The ids of all installations and repositories that are known. */
async function readIds(): Promise<Set<string>> {
  const { rows } = await sql<{ id: string }>`
    select id from repositories union select id from installations`.execute(database.db);
  return new Set(rows.map(({ id }) => id));
}

async function countOutcomes(): Promise<unknown[]> {
  const { rows } = await sql`
    select state, left(regexp_replace(coalesce(error, outcome), '\\d+', 'N', 'g'), 110) as said, count(*)::int
    from deliveries group by 1, 2 order by 3 desc limit 30`.execute(database.db);
  return rows;
}

function show({ event, text }: Fuzzed): string {
  return `${event} ${text.slice(0, 300)}`;
}
