import { expect, test } from "vitest";
import { useDatabase } from "../support/database.ts";
import { type Journey, startJourney } from "../support/journey.ts";

/** What GitHub itself does in the middle of a scan. */
const database = useDatabase();

const REF = "/repos/{owner}/{repo}/git/ref/{ref}";
/** How often a scan reads the ref before it takes the answer for true. */
const READS_OF_A_SCAN = 3;

test("a token that expires in the middle of a scan is replaced, and nobody sees it", async () => {
  const journey = await startJourney(database);
  const { simulator } = journey;
  const route = "/repos/{owner}/{repo}/git/trees/{tree_sha}";
  simulator.fault({ route, meanwhile: async () => simulator.expireTokens() });

  await journey.install();

  await journey.expectTruth();
  expect((await journey.status()).last_finished).toMatchObject({ state: "succeeded", failures: 0, epoch: 1 });
  expect(simulator.checkRuns.map(({ conclusion }) => conclusion)).toEqual(["success"]);
  expect(simulator.requests.some((request) => request.route === route && request.status === 401)).toBe(true);
});

/** Pushes a commit of which the next answers about the ref do not know yet. */
async function pushUnseen({ git, simulator, repositoryId }: Journey, times: number): Promise<string> {
  const before = await git.head();
  const after = await git.commit({ late: "1" });
  const stale = (body: Buffer) => Buffer.from(body.toString().replaceAll(after, before));
  simulator.fault({ route: REF, mutate: stale, times });
  await simulator.deliverPush(repositoryId, { before, after });
  return after;
}

test("a ref that lags its webhook by more than a scan takes is come back to, at no cost, and said so meanwhile", async () => {
  const journey = await startJourney(database);
  await journey.install();

  const after = await pushUnseen(journey, READS_OF_A_SCAN + 1);
  const { queued } = await journey.untilStatus(
    "the run to wait",
    (status) => status.queued !== null && status.queued.wait_reason !== null,
  );
  await journey.untilStill();

  expect(queued?.wait_reason).toBe(`GitHub does not show the pushed commit ${after.slice(0, 7)} yet.`);
  await journey.expectTruth();
  expect((await journey.status()).last_finished).toMatchObject({ head_sha: after, failures: 0 });
  const conclusions = journey.simulator.checkRuns.filter(({ head_sha }) => head_sha === after);
  expect(conclusions.map(({ conclusion }) => conclusion)).toEqual(["success"]);
});
