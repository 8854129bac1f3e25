import { sql } from "kysely";
import { beforeEach, expect, test } from "vitest";
import { useDatabase } from "../support/database.ts";
import { seedRepository } from "../support/seed.ts";

const database = useDatabase();
beforeEach(() => seedRepository(database.db));

const insert = (columns: string, values: string) =>
  sql.raw(
    `insert into runs (repository_id, installation_id, trigger, ${columns}) values (100, 1, 'push', ${values})`,
  );
const RUNNING = ["state, lease_until, worker", "'running', now(), 'w'"] as const;

test.each([
  ["runs_one_queued", "state", "'queued'"],
  ["runs_one_running", ...RUNNING],
])("%s lets no second such run of a repository in", async (constraint, columns, values) => {
  await insert(columns, values).execute(database.db);

  await expect(insert(columns, values).execute(database.db)).rejects.toThrow(constraint);
});

test.each([
  ["runs_lease_iff_running", "state", "'running'"],
  ["runs_lease_iff_running", "state, lease_until, worker", "'queued', now(), 'w'"],
  ["runs_finished_iff_final", "state", "'succeeded'"],
  ["runs_finished_iff_final", "state, finished_at", "'queued', now()"],
  ["runs_reason_iff_failed", "state, finished_at", "'failed', now()"],
  ["runs_reason_iff_failed", "state, reason, reason_code", "'queued', 'Because.', 'because'"],
  ["runs_reason_has_code", "state, finished_at, reason", "'failed', now(), 'Because.'"],
  ["runs_successor_iff_superseded", "state, finished_at", "'superseded', now()"],
  ["runs_state", "state, finished_at", "'waiting', now()"],
])("%s refuses a run that contradicts itself: %s = %s", async (constraint, columns, values) => {
  await expect(insert(columns, values).execute(database.db)).rejects.toThrow(constraint);
});
