import { sql } from "kysely";
import { describe, expect, test } from "vitest";
import { transaction } from "../../src/database/connect.ts";
import {
  addRepositories,
  confirmInstallation,
  removeInstallation,
} from "../../src/installations/installations.ts";
import { claimRun } from "../../src/runs/queue.ts";
import { useDatabase } from "../support/database.ts";
import { claim, readRow, request, seedRepository } from "../support/seed.ts";

const database = useDatabase();
const take = (options: { exceptInstallation?: string } = {}) =>
  claimRun(database.db, { worker: "w", leaseSeconds: 15, ...options });

async function seedQueued(
  id: string,
  installation_id = "1",
  trigger: "push" | "install" | "rescan" = "push",
) {
  await seedRepository(database.db, { id, installation_id });
  return await request(database.connection, { repository_id: id, trigger });
}

describe("a claim", () => {
  test("takes a due run, with a lease and a new epoch", async () => {
    const { run_id } = await seedQueued("100");

    const run = await take();

    expect(run).toMatchObject({ id: run_id, epoch: 1, repository_id: "100", installation_id: "1" });
    const row = await readRow(database.db, run_id);
    expect(row).toMatchObject({ state: "running", worker: "w", stage: "starting" });
    expect(row.lease_until?.getTime()).toBeGreaterThan(Date.now());
  });

  test("takes nothing that is not due yet", async () => {
    await seedQueued("100");
    await sql`update runs set not_before = clock_timestamp() + interval '1 hour'`.execute(database.db);

    expect(await take()).toBeNull();
  });

  test.each([
    ["paused", sql`update installations set paused_until = clock_timestamp() + interval '1 hour'`],
    ["suspended", sql`update installations set suspended_at = now()`],
    ["removed", sql`update installations set removed_at = now()`],
  ])("takes nothing of an installation that is %s", async (_, change) => {
    await seedQueued("100");
    await change.execute(database.db);

    expect(await take()).toBeNull();
  });

  test("never takes a second run of a repository that one is running for", async () => {
    await seedQueued("100");
    await claim(database.connection);
    await request(database.connection);

    expect(await take()).toBeNull();
  });

  test("passes by a follow-up that must wait, to what is behind it", async () => {
    await seedQueued("100");
    await claim(database.connection);
    await request(database.connection, { trigger: "rescan" });
    await seedQueued("101");

    expect(await take()).toMatchObject({ repository_id: "101" });
  });

  test("prefers the installation with the fewest running runs, then priority, then age", async () => {
    await seedQueued("101", "1");
    await seedQueued("102", "1");
    await claim(database.connection);
    await seedQueued("201", "2", "install");
    await seedQueued("202", "2", "rescan");

    const order = [await take(), await take(), await take()].map((run) => run?.repository_id);

    expect(order).toEqual(["202", "102", "201"]);
  });

  test("is not held up by 3,000 queued runs of another installation", async () => {
    await seedRepository(database.db, { id: "1000", installation_id: "1" });
    await sql`insert into repositories (id, installation_id, owner, name)
      select 1000 + n, 1, 'big', 'r' || n from generate_series(1, 3000) n`.execute(database.db);
    await sql`insert into runs (repository_id, installation_id, trigger)
      select 1000 + n, 1, 'install' from generate_series(1, 3000) n`.execute(database.db);
    await seedQueued("5", "2", "install");

    const installations = [await take(), await take()].map((run) => run?.installation_id).sort();

    expect(installations).toEqual(["1", "2"]);
  });

  test("keeps to the installation's cap", async () => {
    for (const id of ["101", "102", "103"]) await seedQueued(id);
    await sql`update installations set run_cap = 2`.execute(database.db);

    expect([await take(), await take(), await take()].map((run) => run !== null)).toEqual([
      true,
      true,
      false,
    ]);
  });

  test("leaves out the installation it is told to", async () => {
    await seedQueued("100", "1");

    expect(await take({ exceptInstallation: "1" })).toBeNull();
  });

  test("takes the installation that has the repository now", async () => {
    const { run_id } = await seedQueued("100", "1");
    await seedRepository(database.db, { id: "200", installation_id: "2" });
    await sql`update repositories set installation_id = 2 where id = 100`.execute(database.db);

    const run = await take();

    expect(run).toMatchObject({ id: run_id, installation_id: "2" });
  });

  test("finds the waiting run of a repository that moved to another installation, however the news came", async () => {
    await seedQueued("100", "1");
    const facts = { owner: "new", name: "r", private: true, archived: false, default_branch: "main" };
    await transaction(database.connection, async ({ trx }) => {
      await confirmInstallation(trx, { id: "2", account_id: null, account_login: null });
      await addRepositories(trx, "2", { repositories: [{ id: "100", ...facts }], delivery_guid: null });
      await removeInstallation(trx, "1");
    });

    expect(await take()).toMatchObject({ repository_id: "100", installation_id: "2" });
  });

  test("gives each run to one worker only, however many ask at once", async () => {
    for (let id = 1; id <= 12; id += 1) await seedQueued(String(id), String(id % 3));

    const taken: string[] = [];
    while (taken.length < 12) {
      const runs = await Promise.all(Array.from({ length: 8 }, () => take()));
      taken.push(...runs.flatMap((run) => (run ? [run.id] : [])));
      if (runs.every((run) => run === null)) break;
    }

    expect(new Set(taken).size).toBe(12);
    expect(taken).toHaveLength(12);
  });
});
