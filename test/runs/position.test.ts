import { expect, test } from "vitest";
import { OPERATOR, type Viewer } from "../../src/database/viewer.ts";
import { listOpenRuns, listRunsById, readRun } from "../../src/runs/read.ts";
import { useDatabase } from "../support/database.ts";
import { request, seedRepository } from "../support/seed.ts";

const database = useDatabase();

test("places in line follow priority, then age, in each installation, as far as the viewer sees it", async () => {
  const { connection, db } = database;
  const asked = [
    ["10", "1", "push"],
    ["11", "1", "schedule"],
    ["12", "1", "rescan"],
    ["20", "2", "push"],
    ["13", "1", "push"],
    ["21", "2", "rescan"],
  ] as const;
  const ids: string[] = [];
  for (const [id, installation_id, trigger] of asked) {
    await seedRepository(db, { id, installation_id });
    ids.push((await request(connection, { repository_id: id, trigger })).run_id);
  }
  const placesOf = async (viewer: Viewer) =>
    (await listRunsById(db, viewer, ids)).map(({ repository_id, position }) => [repository_id, position]);
  const some: Viewer = { repositories: ["10", "11", "13", "20"] };

  const ofAll = await placesOf(OPERATOR);
  const ofSome = await placesOf(some);
  const oneByOne = await Promise.all(ids.map(async (id) => (await readRun(db, OPERATOR, id))?.position));
  const first = await listOpenRuns(db, OPERATOR, 2);

  expect(ofAll).toEqual([
    ["10", 2],
    ["11", 4],
    ["12", 1],
    ["20", 2],
    ["13", 3],
    ["21", 1],
  ]);
  expect(ofSome).toEqual([
    ["10", 1],
    ["11", 3],
    ["20", 1],
    ["13", 2],
  ]);
  expect(oneByOne).toEqual(ofAll.map(([, position]) => position));
  expect(first.map(({ position }) => position)).toEqual([2, 4]); // also of those that are not listed
});
