import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { sql } from "kysely";
import { expect, test } from "vitest";
import { compactOnce } from "../../src/grams/compaction.ts";
import { useDatabase } from "../support/database.ts";
import { type Asked, drawQuery, lineRegexOf, queryOf } from "../support/draw-query.ts";
import { HOSTILE_FILES } from "../support/hostile-texts.ts";
import { startJourney } from "../support/journey.ts";
import { createRandom } from "../support/random.ts";
import { startSearcher } from "./engine.ts";

const database = useDatabase();
const QUERIES = 120;
/** So many queries are asked while a segment is made anew, and after. */
const COMPACTED_EVERY = 10;
const SEED = Number(process.env.SEED ?? Math.floor(Math.random() * 100_000));
const SOURCES = path.join(import.meta.dirname, "../../src");

test(`finds the same lines as a look at every line, of ${QUERIES} queries drawn from the texts (SEED=${SEED})`, async () => {
  const files: Record<string, string> = { ...HOSTILE_FILES, ...readSources() };
  const names = Object.keys(files);
  const later = Object.fromEntries(
    names.filter((_, i) => i % 3 === 0).map((name) => [name, files[name] ?? ""]),
  );
  const journey = await startJourney(database, {
    files: { ...files, ...Object.fromEntries(Object.keys(later).map((name) => [name, "not yet\n"])) },
  });
  await journey.install();
  const before = await journey.git.head();
  await journey.git.commit(later);
  await journey.simulator.deliverPush(journey.repositoryId, { before });
  await journey.untilStill();
  const searcher = startSearcher(database.connection);
  const asked = drawQueries(Object.values(files));

  const wrong: { asked: Asked; missing: string[]; extra: string[] }[] = [];
  let found = 0;
  let replaced = 0;
  let compacting = Promise.resolve();
  for (const [i, one] of asked.entries()) {
    if (i % COMPACTED_EVERY === 0) {
      await compacting;
      compacting = compact().then((count) => {
        replaced += count;
      });
    }
    const theirs = new Set(lookAtEveryLine(files, one));
    const ours = new Set(await searcher.lines(queryOf(one), { limit: 100 }));
    found += theirs.size;
    const [missing, extra] = [[...theirs.difference(ours)], [...ours.difference(theirs)]];
    if (missing.length + extra.length > 0)
      wrong.push({ asked: one, missing: missing.slice(0, 3), extra: extra.slice(0, 3) });
  }

  await compacting;
  expect(wrong).toEqual([]);
  expect(found).toBeGreaterThan(QUERIES);
  expect(replaced, "segments that were made anew meanwhile").toBeGreaterThan(0);
});

/** This project's own sources, by their paths. */
function readSources(): Record<string, string> {
  const entries = readdirSync(SOURCES, { recursive: true, withFileTypes: true });
  return Object.fromEntries(
    entries
      .filter((entry) => entry.isFile())
      .map((entry) => path.join(entry.parentPath, entry.name))
      .map((name) => [path.relative(path.dirname(SOURCES), name), readFileSync(name, "utf8")]),
  );
}

function drawQueries(texts: string[]): Asked[] {
  const random = createRandom(SEED);
  const asked: Asked[] = [];
  while (asked.length < QUERIES) {
    const one = drawQuery(random.pick(texts), random);
    if (one && !isQuadratic(one)) asked.push(one);
  }
  return asked;
}

/** Takes half a minute in a line of 300,000 characters, wherever it is asked. */
function isQuadratic({ pattern, isRegex }: Asked): boolean {
  return isRegex && pattern.includes(".*") && pattern.length < 16;
}

/** `path:line` of every line for which the regular expression is true. A line's end is \n or \r\n; after the last there is none. */
function lookAtEveryLine(files: Record<string, string>, asked: Asked): string[] {
  const regex = lineRegexOf(asked);
  return Object.entries(files).flatMap(([name, text]) => {
    const lines = text.replace(/\n$/, "").split("\n");
    return lines.flatMap((line, i) =>
      text !== "" && regex.test(line.replace(/\r$/, "")) ? [`${name}:${i + 1}`] : [],
    );
  });
}

/** Makes the oldest segment anew; answers how many were. */
async function compact(): Promise<number> {
  await sql`update gram_parts set dead = chunks where segment_id = (select min(id) from gram_segments)`.execute(
    database.db,
  );
  return (await compactOnce(database.connection)).segments;
}
