import { sql } from "kysely";
import { expect } from "vitest";
import { readTexts } from "../../src/scan/store.ts";
import type { Simulator } from "../simulator/simulator.ts";
import type { TestDatabase } from "../support/database.ts";
import { expectTruth } from "../support/truth.ts";
import { expectFlags } from "./flags.ts";
import type { Site } from "./site.ts";

type Db = TestDatabase["db"];

/** Everything that a reader sees of an index, without the repository's own id. */
export async function readIndex(db: Db, repositoryId: number): Promise<unknown[]> {
  const { rows } = await sql<object>`
    select f.path, encode(f.path_bytes, 'hex') as path_bytes, f.mode, encode(f.sha, 'hex') as sha, f.size, f.language,
      f.state, f.reason, f.generated, f.vendored, b.encoding, b.line_count, b.chunk_count,
      (select md5(string_agg(concat_ws('/', c.id - b.first_chunk, c.start_line, c.start_column, c.text), '|' order by c.id))
        from chunks c where c.repository_id = f.repository_id and c.sha = f.sha) as chunks
    from files f left join blobs b on b.repository_id = f.repository_id and b.sha = f.sha and f.state = b.state
    where f.repository_id = ${repositoryId} order by f.path, f.path_bytes`.execute(db);
  return rows;
}

/** The index is git's commit, its texts are those that were encoded, its flags git's own, and nothing is left over. */
export async function expectIndex(db: Db, { history, repository }: Site): Promise<{ files: number }> {
  const commit = await history.git.head();
  const repositoryId = String(repository.id);
  const { files } = await expectTruth(db, { repositoryId, gitDir: history.git.dir, commit });
  await expectContents(db, { history, repository } as Site);
  await expectFlags(db, { repositoryId, git: history.git, commit });
  const { rows: leftovers } = await sql`
    select from blobs b where repository_id = ${repositoryId} and not exists (
      select from files f where f.repository_id = b.repository_id and f.sha = b.sha and f.state = b.state)
    union all
    select from chunks c where repository_id = ${repositoryId} and c.sha is not null and not exists (
      select from blobs b where b.repository_id = c.repository_id and b.sha = c.sha)`.execute(db);
  expect(leftovers, "blobs and chunks that no file needs").toHaveLength(0);
  return { files };
}

async function expectContents(db: Db, { history, repository }: Site): Promise<void> {
  const { rows } = await sql<{ sha: string; state: string; encoding: string | null }>`
    select distinct encode(f.sha, 'hex') as sha, f.state, b.encoding from files f left join blobs b using (repository_id, sha)
    where f.repository_id = ${repository.id} and f.mode in ('100644', '100755')`.execute(db);
  for (const { sha, state, encoding } of rows) {
    const expected = history.expected.get(sha);
    if (!expected) continue; // attributes and link targets: git alone says what they are
    expect({ sha, state, ...(state === "indexed" && { encoding }) }).toEqual({
      sha,
      state: expected.state,
      ...(expected.state === "indexed" && { encoding: expected.encoding }),
    });
    if (expected.state !== "indexed") continue;
    const all = { shas: [sha], chunks: ALL_CHUNKS };
    const text = (await readTexts(db, String(repository.id), all)).get(sha) ?? "";
    expect(text === expected.text, `blob ${sha} reads as the text that was encoded`).toBe(true);
  }
}

const ALL_CHUNKS = 2 ** 31 - 1;

/** Every request that was accepted has ended with an answer where its asker looks. */
export async function expectAnswers(db: Db, site: Site, simulator: Simulator): Promise<void> {
  const deliveries = await db.selectFrom("deliveries").select(["guid", "state"]).execute();
  const handled = new Set(deliveries.filter(({ state }) => state === "handled").map(({ guid }) => guid));
  expect(
    [...site.accepted].filter((guid) => !handled.has(guid)),
    "deliveries that were lost",
  ).toEqual([]);
  const { rows: open } = await sql<object>`
    select q.id, r.state, q.reply_state, q.reply_error from run_requests q left join runs r on r.id = q.run_id
    where (q.run_id is not null and r.finished_at is null) or q.reply_state in ('open', 'unreachable')`.execute(
    db,
  );
  expect(open, "requests without an answer").toEqual([]);
  const runs = await db.selectFrom("runs").select(["id", "state"]).execute();
  for (const promised of site.promised) expect(runs.map(({ id }) => id)).toContain(promised);
  await expectReplies(db, site, simulator);
}

async function expectReplies(db: Db, site: Site, simulator: Simulator): Promise<void> {
  const requests = await db.selectFrom("run_requests").select(["id", "comment_id", "run_id"]).execute();
  for (const comment of site.comments) {
    const request = requests.find(({ comment_id }) => comment_id === String(comment.id));
    if (!request) {
      expect(await wasRemovedThen(db, comment.id), `comment ${comment.id} led to nothing`).toBe(true);
      continue;
    }
    const replies = simulator.comments.filter(({ body }) =>
      body.includes(`repodex-request:${request.id} -->`),
    );
    expect(
      replies.map(({ body }) => body),
      `replies to comment ${comment.id}`,
    ).toHaveLength(1);
    expect(replies[0]?.body).toMatch(
      /^(Indexed `|The scan failed|Cancelled|Another run|I do not know|This repository cannot|Repodex was removed)/,
    );
  }
}

/** Whether Repodex had been removed when the comment's delivery came: then nobody may be answered. */
async function wasRemovedThen(db: Db, _commentId: number): Promise<boolean> {
  const rows = await db
    .selectFrom("deliveries")
    .select("guid")
    .where("event", "=", "issue_comment")
    .where("outcome", "like", "%removed%")
    .execute();
  return rows.length > 0;
}

/** Each head that a run had has one check run of that run, and all are completed. */
export async function expectCheckRuns(db: Db, site: Site, simulator: Simulator): Promise<number> {
  const { id } = site.repository;
  const checks = simulator.checkRuns.filter((check) => check.repository_id === id);
  expect(checks.filter(({ status }) => status !== "completed")).toEqual([]);
  const keys = checks.map(({ head_sha, external_id }) => `${head_sha} of run ${external_id}`);
  expect(keys.toSorted(), "one check run for each run and head").toEqual([...new Set(keys)].toSorted());
  const runs = await db
    .selectFrom("runs")
    .select(["id", "head_sha", "state"])
    .where("repository_id", "=", String(id))
    .where("head_sha", "is not", null)
    .execute();
  const missing = runs.map((run) => `${run.head_sha} of run ${run.id}`).filter((key) => !keys.includes(key));
  expect(missing, "heads without their run's check run").toEqual([]);
  const { rows: open } = await sql<object>`
    select c.* from check_reports c join runs r on r.id = c.run_id
    where r.repository_id = ${id} and c.state <> 'completed'`.execute(db);
  expect(open, "reports that did not get through").toEqual([]);
  return checks.length;
}

const STARTED = "run.started";
const ENDED = new Set(["run.completed", "run.retrying", "run.waiting"]);

/** No two runs of a repository ran at once, every claim had its own epoch, and every run has come to an end. */
export async function expectOrder(db: Db): Promise<number> {
  const events = await db
    .selectFrom("run_events as e")
    .innerJoin("runs as r", "r.id", "e.run_id")
    .select(["e.run_id", "e.kind", "r.repository_id"])
    .orderBy("e.at")
    .execute();
  const running = new Map<string, string>();
  for (const { run_id, kind, repository_id } of events) {
    const holder = running.get(repository_id);
    if (kind === STARTED) {
      expect(holder, `run ${run_id} started while another ran`).toBeUndefined();
      running.set(repository_id, run_id);
    } else if (ENDED.has(kind) && holder === run_id) running.delete(repository_id);
  }
  expect([...running.values()], "runs that never ended").toEqual([]);
  const { rows: odd } = await sql<object>`
    select r.id, r.state, r.epoch from runs r
    where r.finished_at is null or r.lease_until is not null or r.worker is not null
      or r.epoch <> (select count(*) from run_events e where e.run_id = r.id and e.kind = ${STARTED})
      or r.event_seq <> (select count(*) from run_events e where e.run_id = r.id)`.execute(db);
  expect(odd, "runs that are not as docs/runs.md says").toEqual([]);
  return events.filter(({ kind }) => kind === STARTED).length;
}
