import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createGzip } from "node:zlib";
import { expect, onTestFinished, test } from "vitest";
import { readTarball } from "../../src/github/tarball.ts";
import { useDatabase } from "../support/database.ts";
import { createRepository } from "../support/git.ts";
import { BOMBS, FILES, HOSTILE_ARCHIVES } from "./archives.ts";
import { CORPUS_TIMEOUT_MS, openArena } from "./arena.ts";
import { growthDuring } from "./memory.ts";
import { entry } from "./tar.ts";

const MIB = 1024 ** 2;
const DRIP_MS = 50;
/** On a busy machine; a lease is five times as long. */
const MAX_TURN_MS = 3_000;
const limits = { maxFileBytes: MIB, maxRepositoryBytes: 20 * 1024 * MIB };
const database = useDatabase();

test(
  `each of ${HOSTILE_ARCHIVES.length} hostile archives ends with a sentence or in git's own index, and the next repository too`,
  async () => {
    const git = await createRepository({ bare: true, files: FILES });
    const arena = await openArena(database);

    const endings = await Promise.all(
      HOSTILE_ARCHIVES.map(async ({ name, archive, faults }) => {
        return [name, await arena.meet({ git, archive, faults })];
      }),
    );

    const expected = HOSTILE_ARCHIVES.map(({ name, ends }) => [name, ends]);
    expect(Object.fromEntries(endings)).toEqual(Object.fromEntries(expected));
    expect(endings.length).toBeGreaterThanOrEqual(25);
  },
  CORPUS_TIMEOUT_MS,
);

test.each(BOMBS)(
  "an archive that $name takes little memory and leaves others their turn",
  async ({ archive = Buffer.alloc(0) }) => {
    let longest = 0;
    let last = performance.now();
    const turns = setInterval(() => {
      longest = Math.max(longest, performance.now() - last);
      last = performance.now();
    }, 1);
    onTestFinished(() => clearInterval(turns));

    const growth = await growthDuring(() => readAll(archive));

    expect(growth).toBeLessThan(100 * MIB);
    expect(Math.max(longest, performance.now() - last)).toBeLessThan(MAX_TURN_MS);
  },
);

async function readAll(archive: Buffer): Promise<void> {
  const signal = new AbortController().signal;
  const body = new Blob([new Uint8Array(archive)]).stream();
  try {
    for await (const { content } of readTarball(body, { limits, signal, wanted: () => true })) {
      expect(content.length).toBeLessThanOrEqual(limits.maxFileBytes);
    }
  } catch (error) {
    expect((error as Error).name).toMatch(/^Tarball/);
  }
}

test("an archive that drips for ever ends as a scan that does not move, and is let go of", async () => {
  const drip = await startDrip();
  const git = await createRepository({ bare: true, files: FILES });
  const arena = await openArena(database, { STALL_SECONDS: "2" });

  const ending = await arena.meet({
    git,
    faults: [{ route: "/repos/{owner}/{repo}/tarball/{ref}", status: 302, headers: { location: drip.url } }],
  });

  expect(ending).toBe("tried again: The scan did not move for 2 seconds. (stalled)");
  await drip.closed;
});

/** Sends an empty file now and then, and never ends. `closed` resolves when its first reader has gone. */
async function startDrip(): Promise<{ url: string; closed: Promise<void> }> {
  const closed = Promise.withResolvers<void>();
  const server = createServer((_request, response) => {
    const gzip = createGzip();
    gzip.pipe(response);
    const timer = setInterval(() => {
      gzip.write(entry("top/a"));
      gzip.flush();
    }, DRIP_MS);
    response.on("close", () => {
      clearInterval(timer);
      closed.resolve();
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, closed: closed.promise };
}
