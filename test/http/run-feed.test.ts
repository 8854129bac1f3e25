import { expect, onTestFinished, test } from "vitest";
import { OPERATOR } from "../../src/database/viewer.ts";
import { RunChanges } from "../../src/http/run-changes.ts";
import { RunFeed } from "../../src/http/run-feed.ts";
import { createLogger } from "../../src/log.ts";
import { useDatabase } from "../support/database.ts";
import { request, seedRepository } from "../support/seed.ts";
import { until } from "../support/wait.ts";

const database = useDatabase();

test("a reader that takes nothing is let go of, and one that does is not", async () => {
  const { connection, db } = database;
  const changes = new RunChanges(connection);
  onTestFinished(() => changes.close());
  const feed = new RunFeed({ db, changes, log: createLogger("silent"), slowMs: 0 });
  const dropped: string[] = [];
  const subscribe = (name: string) =>
    feed.subscribe({ viewer: OPERATOR, repositoryId: null, onDrop: () => dropped.push(name) });
  const slow = subscribe("slow");
  await seedRepository(db);

  await until(async () => (await request(connection)) && slow.closed, {
    what: "the slow reader to be let go of",
  });
  const other = subscribe("other");
  const news = other.next(10_000);
  await request(connection);

  expect(dropped).toEqual(["slow"]);
  expect((await news).runs.length + Number((await news).isLost)).toBeGreaterThan(0);
});
