import { sql } from "kysely";
import { expect, test } from "vitest";
import { purgeRemoved } from "../../src/installations/purge.ts";
import { useDatabase } from "../support/database.ts";
import { createRepository } from "../support/git.ts";
import { type Journey, startJourney } from "../support/journey.ts";

const database = useDatabase();
const DAYS = 7;

/** Every table with what it holds of a repository; the names come from the schema itself. */
async function rowsOf(repositoryId: number): Promise<Record<string, number>> {
  const { rows: tables } = await sql<{ name: string }>`
    select table_name as name from information_schema.columns
    where table_schema = 'public' and column_name = 'repository_id'`.execute(database.db);
  const counts: Record<string, number> = {};
  for (const { name } of tables) {
    const { rows } = await sql<{ n: number }>`
      select count(*)::int as n from ${sql.table(name)} where repository_id = ${repositoryId}`.execute(
      database.db,
    );
    if (rows[0]?.n) counts[name] = rows[0].n;
  }
  return counts;
}

async function pass(days: number): Promise<void> {
  const ago = sql<Date>`removed_at - make_interval(days => ${days})`;
  await database.db
    .updateTable("repositories")
    .set({ removed_at: ago })
    .where("removed_at", "is not", null)
    .execute();
  await database.db
    .updateTable("installations")
    .set({ removed_at: ago })
    .where("removed_at", "is not", null)
    .execute();
}

async function purge(): Promise<void> {
  while ((await purgeRemoved(database.connection, DAYS)) > 0);
}

async function remove({ simulator, installationId, repositoryId }: Journey): Promise<void> {
  simulator.removeRepository(repositoryId);
  await simulator.deliverRepositoriesRemoved(installationId, [repositoryId]);
}

test("what was removed is kept hidden for the days of grace, and then no row of it is left", async () => {
  const journey = await startJourney(database);
  const { simulator, installationId, repositoryId } = journey;
  const other = await createRepository({ bare: true, files: { a: "a\n" } });
  const second = simulator.addRepository({
    installation_id: installationId,
    git_dir: other.dir,
    name: "second",
  });
  await journey.install();
  await journey.post(`/api/v1/repositories/${repositoryId}/rescan`, { mode: "full" });
  await journey.untilStill();
  const before = await rowsOf(second.id);
  await remove(journey);
  await journey.untilStill();

  await purge();
  const early = await rowsOf(repositoryId);
  await pass(DAYS + 1);
  await purge();

  expect(early).toMatchObject({ files: 4, blobs: expect.any(Number), chunks: expect.any(Number), runs: 2 });
  expect(await rowsOf(repositoryId)).toEqual({});
  expect(await database.db.selectFrom("repositories").select("id").execute()).toEqual([
    { id: String(second.id) },
  ]);
  const { rows: orphans } = await sql`
    select 1 from run_events where run_id not in (select id from runs)
    union all select 1 from check_reports where run_id not in (select id from runs)`.execute(database.db);
  expect(orphans).toEqual([]);
  expect(await rowsOf(second.id)).toEqual(before);
});

test.for([1, 2, 3])("what comes back after %i steps of a purge is indexed whole", async (steps) => {
  const journey = await startJourney(database);
  const { simulator, installationId, repositoryId, git } = journey;
  await journey.install();
  await remove(journey);
  await journey.untilStill();
  await pass(DAYS + 1);
  for (let step = 0; step < steps; step += 1) await purgeRemoved(database.connection, DAYS);

  simulator.addRepository({
    installation_id: installationId,
    git_dir: git.dir,
    name: "hello",
    id: repositoryId,
  });
  await simulator.deliverRepositoriesAdded(installationId, [repositoryId]);
  await journey.untilStatus("its run", ({ last_finished }) => last_finished?.state === "succeeded");
  await journey.untilStill();
  await purge();

  await journey.expectTruth();
});

test("a run that waits in vain holds up no purge", async () => {
  const journey = await startJourney(database);
  const { repositoryId, installationId } = journey;
  await journey.install();
  await remove(journey);
  await journey.untilStill();
  await database.db
    .insertInto("runs")
    .values({
      repository_id: String(repositoryId),
      installation_id: String(installationId),
      trigger: "schedule",
    })
    .execute();
  await pass(DAYS + 1);

  await purge();

  expect(await rowsOf(repositoryId)).toEqual({});
});

test("an uninstalled App leaves nothing of its account", async () => {
  const journey = await startJourney(database);
  await journey.install();
  journey.simulator.removeInstallation(journey.installationId);
  await journey.simulator.deliverInstallationDeleted(journey.installationId);
  await journey.untilStill();

  await pass(DAYS + 1);
  await purge();

  expect(await rowsOf(journey.repositoryId)).toEqual({});
  expect(await database.db.selectFrom("installations").select("id").execute()).toEqual([]);
});
