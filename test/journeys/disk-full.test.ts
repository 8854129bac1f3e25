import { expect, test } from "vitest";
import { type RunJson, startJourney } from "../support/journey.ts";
import { api } from "../support/repodex.ts";
import { canMount, createOnSmallDisk } from "../support/small-disk.ts";

const FULL = "The database's disk is full. Make room there: the scan then goes on by itself.";

/** 6 MB of text, which need more room than the tables have to spare, and their search index even more. */
function files(): Record<string, string> {
  const text = () => Buffer.from(crypto.getRandomValues(new Uint8Array(30_000))).toString("base64");
  return Object.fromEntries(Array.from({ length: 150 }, (_, i) => [`src/${i}.txt`, text()]));
}

// Mounting needs root; with DATABASE_URL the server's disk is not ours to fill.
test.runIf(canMount)(
  "a disk that fills in the middle of a scan makes it wait and say so, until there is room",
  async () => {
    const disk = await createOnSmallDisk(160);
    const journey = await startJourney(disk, { files: files() });
    const { simulator } = journey;
    simulator.fault({ route: "tarball", meanwhileAfterBytes: 1_000_000, meanwhile: async () => disk.fill() });

    await simulator.deliverInstallationCreated(journey.installationId);
    const { queued } = await journey.untilStatus(
      "the scan to wait",
      (status) => status.queued?.wait_reason != null,
    );
    const health = await fetch(`${journey.url}/healthz`);
    const page = await (await api(journey, `/runs/${queued?.id}`)).text();
    disk.makeRoom();
    const asked = await journey.post(`/api/v1/repositories/${journey.repositoryId}/rescan`);
    const { run } = (await asked.json()) as { run: RunJson };
    await journey.untilStill();

    expect(queued).toMatchObject({ wait_reason: FULL, failures: 0 });
    expect(health.status).toBe(200);
    expect(page).toContain("disk is full");
    expect([asked.status, run.id]).toEqual([202, queued?.id]);
    expect((await journey.status()).last_finished).toMatchObject({
      id: queued?.id,
      state: "succeeded",
      failures: 0,
    });
    await journey.expectTruth();
    expect(simulator.checkRuns.map(({ conclusion }) => conclusion)).toEqual(["success"]);
  },
);
