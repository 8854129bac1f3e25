import { sql } from "kysely";
import { UnitIndexer } from "../../src/grams/unit.ts";
import { GramSink } from "../../src/scan/gram-sink.ts";
import type { ScanTools } from "../../src/scan/scan.ts";

/** Imported ahead of the app: scans store everything but the search index, as if there were none. */
UnitIndexer.prototype.add = () => {};

const tools = new WeakMap<GramSink, { repositoryId: string; tools: ScanTools }>();
const open = GramSink.open.bind(GramSink);
GramSink.open = async (repositoryId, of) => {
  const sink = await open(repositoryId, of);
  tools.set(sink, { repositoryId, tools: of });
  return sink;
};

/** Publishing asks for no more than this number. */
GramSink.prototype.flush = async function flush() {
  const of = tools.get(this);
  await of?.tools.write(({ trx }) =>
    sql`update repositories set grams_through = 9007199254740991, path_lines = 0 where id = ${of.repositoryId}`.execute(
      trx,
    ),
  );
};
