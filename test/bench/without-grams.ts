import { isMainThread } from "node:worker_threads";
import { sql } from "kysely";
import { UnitIndexer } from "../../src/grams/unit.ts";
import type { GramSink } from "../../src/scan/gram-sink.ts";
import { chunksAtMost } from "../../src/scan/parse.ts";
import type { ScanTools } from "../../src/scan/scan.ts";
import { type PathLines, readUnindexed, storePaths } from "../../src/scan/store.ts";

/**
 * Preloaded into the app under measurement: everything is stored but nothing goes into a search index. No key is made,
 * on any thread, and publishing is told that all are there.
 */
const ABOVE_ALL_CHUNKS = 2 ** 52;

type Sink = Pick<GramSink, "reserve" | "add" | "flush">;

async function openWithoutGrams(repository_id: string, { write }: ScanTools): Promise<Sink> {
  const { last } = await write(({ trx }) => readUnindexed(trx, repository_id));
  let next = last + 1;
  return {
    reserve(sizes: number[]) {
      const first = next;
      for (const size of sizes) next += chunksAtMost(size);
      return first;
    },
    async add({ blobs }) {
      if (blobs.length > 0) throw new Error("A thread made keys all the same.");
    },
    async flush(paths: PathLines | null = null) {
      await write(async (transaction) => {
        if (paths) await storePaths(transaction, { repository_id, first: next, chunks: [], ...paths });
        await sql`update repositories set grams_through = ${ABOVE_ALL_CHUNKS} where id = ${repository_id}`.execute(
          transaction.trx,
        );
      });
    },
  };
}

UnitIndexer.prototype.add = () => {};
if (isMainThread) {
  const { GramSink } = await import("../../src/scan/gram-sink.ts");
  GramSink.open = async (repositoryId, tools) => (await openWithoutGrams(repositoryId, tools)) as GramSink;
}
