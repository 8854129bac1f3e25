import { sql } from "kysely";
import { describe, expect, test } from "vitest";
import { startSearcher } from "../search/engine.ts";
import { useDatabase } from "../support/database.ts";
import { startJourney } from "../support/journey.ts";

const database = useDatabase();

describe("the search index", () => {
  test("of a repository that was indexed before there was one is made by a background run", async () => {
    const journey = await startJourney(database, { started: false });
    const before = await journey.start();
    await journey.install();
    await before.close();
    await sql`truncate gram_segments, gram_parts, gram_postings`.execute(database.db);
    await sql`delete from chunks where sha is null`.execute(database.db);
    await sql`update repositories set grams_through = 0, path_lines = null`.execute(database.db);
    const searcher = startSearcher(database.connection);
    const { incomplete } = await searcher.ask("answer");
    expect(incomplete).toEqual({
      reason: "indexing",
      message: "One repository is not indexed whole yet.",
      repositories: [String(journey.repositoryId)],
    });

    await journey.start();
    await journey.untilStatus(
      "the second run to end",
      ({ last_finished, running, queued }) => last_finished?.trigger === "schedule" && !running && !queued,
    );

    const { last_finished } = await journey.status();
    expect(last_finished).toMatchObject({ state: "succeeded", mode: "incremental" });
    await journey.expectTruth();
    expect(await searcher.lines("answer")).toEqual(["src/main.ts:1"]);
    expect((await searcher.ask("answer")).incomplete).toBe(null);
  });

  test("follows pushes: what is gone is not found, what is renamed is found where it is", async () => {
    const journey = await startJourney(database);
    await journey.install();
    const searcher = startSearcher(database.connection);

    for (let n = 1; n <= 17; n += 1) {
      const before = await journey.git.head();
      await journey.git.commit({
        "src/main.ts": `export const answer = ${n};\nexport const token${n} = true;\n`,
        [`src/file${n}.ts`]: `// the file of commit ${n}\n`,
        [`src/file${n - 1}.ts`]: null,
      });
      await journey.simulator.deliverPush(journey.repositoryId, { before });
      await journey.untilStill();
      expect(await searcher.lines(`token${n}`)).toEqual(["src/main.ts:2"]);
      expect(await searcher.paths(`file${n}`)).toEqual([`src/file${n}.ts`]);
      expect(await searcher.paths(`file${n - 1}`)).toEqual([]);
      expect(await searcher.lines(`token${n - 1}`)).toEqual([]);
    }

    await journey.expectTruth();
    const segments = await database.db.selectFrom("gram_segments").select("id").execute();
    expect(segments.length, "they were merged on the way").toBeLessThan(16);
  });
});
