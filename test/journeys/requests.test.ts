import { expect, test } from "vitest";
import { useDatabase } from "../support/database.ts";
import { type Journey, startJourney } from "../support/journey.ts";

const database = useDatabase();
const FILES = 10_000;

function tenThousandFiles(): Record<string, string> {
  return Object.fromEntries(
    Array.from({ length: FILES }, (_, i) => [
      `src/${i % 100}/file-${i}.ts`,
      `export const value${i} = ${i};\n`,
    ]),
  );
}

/** What a scan asked of GitHub, without the writing of check runs. */
function requestsSince({ simulator }: Journey, index: number): string[] {
  return simulator.requests
    .slice(index)
    .map(({ method, route }) => `${method} ${route}`)
    .filter((request) => !request.includes("check-runs"));
}

test("10,000 files cost at most 10 requests, and 10 changed ones of them at most 8", async () => {
  const journey = await startJourney(database, { files: tenThousandFiles() });
  await journey.install();
  const first = requestsSince(journey, 0);
  const asked = journey.simulator.requests.length;
  const changes = Object.fromEntries(
    Array.from({ length: 10 }, (_, i) => [`src/${i}/file-${i}.ts`, `export const changed = ${i};\n`]),
  );
  await journey.git.commit(changes);

  await journey.simulator.deliverPush(journey.repositoryId, {});
  await journey.untilStill();
  const second = requestsSince(journey, asked);

  expect(first.length, first.join("\n")).toBeLessThanOrEqual(10);
  expect(second.length, second.join("\n")).toBeLessThanOrEqual(8);
  expect((await journey.status()).last_finished?.progress).toMatchObject({
    files_total: FILES,
    files_changed: 10,
  });
  expect(await journey.expectTruth()).toEqual({ files: FILES, texts: FILES });
  console.log(`first scan: ${first.length} requests; push of 10 changed files: ${second.length} requests`);
}, 120_000);
