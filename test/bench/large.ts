import { startSimulator } from "../simulator/simulator.ts";
import type { TestRepository } from "../support/git.ts";
import { until } from "../support/wait.ts";
import { type BenchApp, startBenchApp } from "./app.ts";
import { recreate } from "./database.ts";
import { commitChanges, createLarge, FILES_PER_PUSH } from "./large-repository.ts";

/**
 * `npm run bench:large`: first scan and small pushes of a repository of very many files (FILES, 50,000 unless set),
 * with a tree listing that GitHub truncates and with one that it gives whole. BENCH_DATABASE_URL names a PostgreSQL
 * to use in place of the embedded server; its database "repodex_bench" is dropped and made anew.
 */
const FILES = Number(process.env.FILES ?? 50_000);
const PUSHES = 5;
const WHOLE = { entries: Number.MAX_SAFE_INTEGER, bytes: Number.MAX_SAFE_INTEGER };
interface Row {
  what: string;
  seconds: string;
  requests: number;
  "loop p50 (ms)": string;
  "p99 (ms)": string;
  "max (ms)": string;
  "RSS (MB)": string;
}

interface Indexed {
  indexed: { commit: string; verified: boolean; at: string; files: number } | null;
}

async function measure(git: TestRepository, treeLimit?: typeof WHOLE): Promise<Row[]> {
  const simulator = await startSimulator(treeLimit ? { treeLimit } : {});
  const server = process.env.BENCH_DATABASE_URL;
  const app = await startBenchApp(simulator, server ? { DATABASE_URL: await recreate(server) } : undefined);
  const tree = treeLimit ? "whole tree" : "truncated tree";
  try {
    const installation_id = simulator.addInstallation();
    const { id } = simulator.addRepository({ installation_id, git_dir: git.dir, name: "large" });
    const published = async (commit: string) =>
      await until(
        async () => {
          const { indexed } = await app.get<Indexed>(`/repositories/${id}`).catch(() => ({ indexed: null }));
          return indexed?.commit === commit && indexed.verified ? indexed : null;
        },
        { what: `${commit} to be published`, timeoutMs: 600_000 },
      );
    const timed = async (what: string, commit: string, deliver: () => Promise<unknown>): Promise<Row> => {
      await app.loopDelay();
      const requests = simulator.requests.length;
      const startedAt = Date.now();
      await deliver();
      const { at } = await published(commit);
      const seconds = (Date.parse(at) - startedAt) / 1000;
      await untilStill(app, id);
      return await rowOf(`${tree}: ${what}`, app, {
        seconds,
        requests: simulator.requests.length - requests,
      });
    };
    const rows = [
      await timed("first scan", await git.head(), () =>
        simulator.deliverInstallationCreated(installation_id),
      ),
    ];
    for (let step = 1; step <= PUSHES; step += 1) {
      const pushed = await commitChanges(git, { files: FILES, step: step + (treeLimit ? PUSHES : 0) });
      rows.push(await timed(`push ${step}`, pushed.after, () => simulator.deliverPush(id, pushed)));
    }
    return rows;
  } finally {
    await app.stop();
    await simulator.close();
  }
}

/** Until the run has ended and its check run says so. */
async function untilStill(app: BenchApp, id: number): Promise<void> {
  await until(
    async () => {
      const { running, queued } = await app.get<{ running: unknown; queued: unknown }>(
        `/repositories/${id}/rescan/status`,
      );
      return running === null && queued === null;
    },
    { what: "the run to end", timeoutMs: 60_000 },
  );
}

async function rowOf(
  what: string,
  app: BenchApp,
  { seconds, requests }: { seconds: number; requests: number },
): Promise<Row> {
  const { p50, p99, max } = await app.loopDelay();
  return {
    what,
    seconds: seconds.toFixed(2),
    requests,
    "loop p50 (ms)": p50.toFixed(1),
    "p99 (ms)": p99.toFixed(1),
    "max (ms)": max.toFixed(0),
    "RSS (MB)": (await app.peakRssMb()).toFixed(0),
  };
}

const git = await createLarge(FILES);
try {
  console.log(`${FILES.toLocaleString("en-US")} files, ${FILES_PER_PUSH} changed by each push`);
  console.table([...(await measure(git)), ...(await measure(git, WHOLE))]);
} finally {
  await git.remove();
}
