import { sql } from "kysely";
import { beforeEach, describe, expect, test } from "vitest";
import { transaction } from "../../src/database/connect.ts";
import { deleteOldDeliveries, storeDelivery } from "../../src/deliveries/store.ts";
import { finishRun, releaseRun } from "../../src/runs/queue.ts";
import { deleteOldRefusals, deleteOldRuns } from "../../src/runs/retention.ts";
import { useDatabase } from "../support/database.ts";
import { claim, request, SHA, seedRepository, TIMINGS } from "../support/seed.ts";

const database = useDatabase();
beforeEach(() => seedRepository(database.db));

async function finish(): Promise<string> {
  const { run_id } = await request(database.connection, { wanted_head: SHA("a") });
  const run = await claim(database.connection);
  await transaction(database.connection, ({ trx }) =>
    finishRun(trx, run, { verified: true, message: "Indexed." }),
  );
  return run_id;
}

const age = (table: string, column: string) =>
  sql
    .raw(`update ${table} set ${column} = ${column} - interval '31 days' where ${column} is not null`)
    .execute(database.db);
const runIds = async () =>
  (await database.db.selectFrom("runs").select("id").orderBy("id").execute()).map(({ id }) => id);

describe("retention", () => {
  test("deletes old runs with all that is theirs, and keeps the last of each repository", async () => {
    await finish();
    const last = await finish();
    await sql`update check_reports set state = 'completed'`.execute(database.db);
    await age("runs", "finished_at");

    expect(await deleteOldRuns(database.db, 30)).toBe(1);
    expect(await deleteOldRuns(database.db, 30)).toBe(0);

    expect(await runIds()).toEqual([last]);
    const requests = await database.db.selectFrom("run_requests").select("run_id").execute();
    expect(requests).toEqual([{ run_id: last }]);
  });

  test("keeps what is young, and what GitHub has still to be told of", async () => {
    const open = await finish();
    const last = await finish();
    const young = await deleteOldRuns(database.db, 30);
    await age("runs", "finished_at");

    expect([young, await deleteOldRuns(database.db, 30)]).toEqual([0, 0]);
    expect(await runIds()).toEqual([open, last]);
  });

  test("deletes a replaced run before the one that replaced it", async () => {
    await request(database.connection);
    const replaced = await claim(database.connection);
    await request(database.connection);
    const release = { kind: "requeue", reason: "The head moved." } as const;
    await releaseRun(database.connection, replaced, { release, timings: TIMINGS });
    const successor = await claim(database.connection);
    await transaction(database.connection, ({ trx }) =>
      finishRun(trx, successor, { verified: true, message: "" }),
    );
    const last = await finish();
    await sql`update check_reports set state = 'completed'`.execute(database.db);
    await age("runs", "finished_at");

    const deleted = [await deleteOldRuns(database.db, 30), await deleteOldRuns(database.db, 30)];

    expect(deleted).toEqual([1, 1]);
    expect(await runIds()).toEqual([last]);
  });

  test("deletes deliveries that were settled long ago, and none that waits", async () => {
    const delivery = {
      event: "ping",
      action: null,
      installation_id: null,
      repository_id: null,
      payload: "{}",
    };
    await storeDelivery(database.db, { ...delivery, guid: "settled" });
    await storeDelivery(database.db, { ...delivery, guid: "waits" });
    await sql`update deliveries set state = 'handled', payload = null, handled_at = now() where guid = 'settled'`.execute(
      database.db,
    );
    await age("deliveries", "handled_at");
    await age("deliveries", "received_at");

    expect(await deleteOldDeliveries(database.db, 30)).toBe(1);
    expect(await database.db.selectFrom("deliveries").select("guid").execute()).toEqual([{ guid: "waits" }]);
  });

  test("deletes refused requests once they were answered", async () => {
    await sql`insert into run_requests (repository_id, trigger, outcome, comment_id, issue_number, reply_state)
      values (100, 'rescan', 'refused', 1, 1, 'closed'), (100, 'rescan', 'refused', 2, 1, 'open')`.execute(
      database.db,
    );
    await age("run_requests", "created_at");

    expect(await deleteOldRefusals(database.db, 30)).toBe(1);
    expect(await database.db.selectFrom("run_requests").select("comment_id").execute()).toEqual([
      { comment_id: "2" },
    ]);
  });
});
