import { type Kysely, sql, type UpdateObject } from "kysely";
import type { Logger } from "pino";
import type { Connection } from "../database/connect.ts";
import { LeaseLoop } from "../database/lease-loop.ts";
import { notify } from "../database/notify.ts";
import type { Tables } from "../database/schema.ts";
import { OPERATOR } from "../database/viewer.ts";
import { messageOf } from "../redact.ts";
import { CHANGED_CHANNEL } from "./events.ts";
import { nextAttemptAt } from "./next-attempt.ts";
import { type RunStatus, type RunView, readRun, readStatus } from "./read.ts";
import { holdWritesFor, LEVEL, mayWrite, spendWrites } from "./write-allowance.ts";

/** As of reports: the requests of a process that died are over before another takes its place. */
const LEASE_SECONDS = 15;
const TIMEOUT_MS = 30_000;
const POLL_MS = 1_000;
const CONCURRENCY = 2;
/** A reaction and a comment. */
const WRITES = 2;

/** What a person who commented is told. */
export interface RescanReply {
  request_id: string;
  outcome: "queued" | "joined" | "follow_up" | "not_permitted" | "unknown_option" | "refused";
  requested_by: string | null;
  asked_at: Date;
  comment_id: string;
  issue_number: number;
  /** Our comment, once it is written. */
  reply_id: string | null;
  /** The run that serves the request; null where there is none. */
  run: RunView | null;
  status: RunStatus;
  /** The sentence of a refusal. */
  refusal: string | null;
  installation_id: string;
  repository: { id: string; owner: string; name: string };
}

export type ReplyResult = { kind: "replied"; reply_id: string } | { kind: "unreachable"; reason: string };

/** Answers a person where they asked. Must be safe to repeat: it finds before it creates. */
export interface Replier {
  reply(reply: RescanReply, signal: AbortSignal): Promise<ReplyResult>;
}

interface LeasedReply {
  installation_id: string;
  id: string;
  reply_attempts: number;
  reply_failures: number;
}

export interface ReplyLoopOptions {
  connection: Connection;
  replier: Replier;
  /** How much GitHub lets an installation write. */
  writesPerHour: number;
  log: Logger;
}

/** Keeps every asker's reply and reaction a projection of their request's row. */
export function createReplyLoop(options: ReplyLoopOptions): LeaseLoop<LeasedReply> {
  return new LeaseLoop({
    ...options,
    channel: CHANGED_CHANNEL,
    concurrency: CONCURRENCY,
    pollMs: POLL_MS,
    leaseSeconds: LEASE_SECONDS,
    lease: () => leaseReply(options.connection.db, options),
    renew: (leased) => renewReply(options.connection.db, leased),
    handle: (leased, held) => settle(leased, { ...options, held }),
  });
}

async function settle(
  leased: LeasedReply,
  { connection: { db }, replier, log, held }: ReplyLoopOptions & { held: AbortSignal },
): Promise<void> {
  try {
    const reply = await readReply(db, leased.id);
    const result = await replier.reply(reply, AbortSignal.any([held, AbortSignal.timeout(TIMEOUT_MS)]));
    if (result.kind === "unreachable")
      await update(db, leased, { reply_state: "unreachable", reply_error: result.reason });
    else {
      const done = reply.run === null || reply.run.finished_at !== null;
      await update(db, leased, {
        reply_id: result.reply_id,
        replied: "accepted",
        reply_failures: 0,
        reply_state: done ? "closed" : "open",
      });
    }
  } catch (err) {
    log.warn({ err, request_id: leased.id }, "reply could not be written");
    await holdWritesFor(db, leased.installation_id, err).catch(() => {}); // the next one is told again
    await update(db, leased, {
      reply_failures: leased.reply_failures + 1,
      reply_error: messageOf(err),
      reply_not_before: nextAttemptAt(err, leased.reply_failures),
    }).catch(() => {}); // its lease runs out instead
  }
}

/** Takes one request whose asker has not heard yet what there is to say, or null. In the order of the index of open ones. */
async function leaseReply(
  db: Kysely<Tables>,
  { writesPerHour }: Pick<ReplyLoopOptions, "writesPerHour">,
): Promise<LeasedReply | null> {
  const { rows } = await sql<LeasedReply>`
    with due as (
      select q.id, repositories.installation_id
      from run_requests q
      join repositories on repositories.id = q.repository_id
      left join runs r on r.id = q.run_id
      left join write_allowances w on w.installation_id = repositories.installation_id
      where q.reply_state = 'open' and q.reply_not_before <= clock_timestamp()
        and (q.reply_lease_until is null or q.reply_lease_until < clock_timestamp())
        and (q.replied is null or r.finished_at is not null)
        and repositories.installation_id not in (select i.id from installations i where i.suspended_at is not null)
        and ${mayWrite(writesPerHour, sql`${LEVEL.asked}`)}
      order by q.reply_not_before limit 1 for update of q skip locked
    ),
    spent as (${spendWrites(writesPerHour, WRITES)})
    update run_requests q set reply_attempts = q.reply_attempts + 1,
      reply_lease_until = clock_timestamp() + make_interval(secs => ${LEASE_SECONDS})
    from due where q.id = due.id returning q.id, q.reply_attempts, q.reply_failures, due.installation_id`.execute(
    db,
  );
  return rows[0] ?? null;
}

async function renewReply(db: Kysely<Tables>, { id, reply_attempts }: LeasedReply): Promise<boolean> {
  const { rows } = await sql`
    update run_requests set reply_lease_until = clock_timestamp() + make_interval(secs => ${LEASE_SECONDS})
    where id = ${id} and reply_attempts = ${reply_attempts} and reply_lease_until is not null
    returning 1`.execute(db);
  return rows.length > 0;
}

async function readReply(db: Kysely<Tables>, requestId: string): Promise<RescanReply> {
  const row = await db
    .selectFrom("run_requests as q")
    .innerJoin("repositories as r", "r.id", "q.repository_id")
    .select(["q.id as request_id", "q.run_id", "q.outcome", "q.requested_by", "q.created_at as asked_at"])
    .select(["q.comment_id", "q.issue_number", "q.reply_id", "q.refusal"])
    .select(["r.id as repository_id", "r.installation_id", "r.owner", "r.name"])
    .where("q.id", "=", requestId)
    .executeTakeFirstOrThrow();
  const { run_id, repository_id, owner, name, comment_id, issue_number, ...rest } = row;
  if (comment_id === null || issue_number === null)
    throw new Error(`Request ${requestId} came without a comment.`);
  return {
    ...rest,
    comment_id,
    issue_number,
    repository: { id: repository_id, owner, name },
    run: run_id === null ? null : await readRun(db, OPERATOR, run_id),
    status: await readStatus(db, OPERATOR, repository_id),
  };
}

async function update(
  db: Kysely<Tables>,
  leased: LeasedReply,
  values: UpdateObject<Tables, "run_requests">,
): Promise<void> {
  await db
    .updateTable("run_requests")
    .set({ ...values, reply_lease_until: null })
    .where("id", "=", leased.id)
    .where("reply_attempts", "=", leased.reply_attempts)
    .execute();
}

/**
 * Access has come back: askers who could not be answered for want of it, and are not older than `age`, are answered now.
 * Without an end to that, a comment that was deleted would be looked for at every scan.
 */
export async function reopenReplies(
  trx: Kysely<Tables>,
  repositoryIds: string[],
  { age }: { age: "1 day" | "any" },
): Promise<void> {
  await trx
    .updateTable("run_requests")
    .set({ reply_state: "open", reply_error: null, reply_not_before: sql<Date>`clock_timestamp()` })
    .where(sql<boolean>`repository_id = any(${repositoryIds}::bigint[])`)
    .where("reply_state", "=", "unreachable")
    .$if(age !== "any", (query) =>
      query.where(sql<boolean>`created_at > clock_timestamp() - ${age}::interval`),
    )
    .execute();
}

/** The owner granted a permission: who could not be answered for want of it is answered now. */
export async function reopenRefusedReplies(trx: Kysely<Tables>, installationId: string): Promise<void> {
  const repositories = await trx
    .selectFrom("repositories")
    .select("id")
    .where("installation_id", "=", installationId)
    .execute();
  const ids = repositories.map(({ id }) => id);
  await reopenReplies(trx, ids, { age: "any" });
}

/** Records a comment that leads to no run, so that its author is answered all the same. */
export async function refuseRequest(
  trx: Kysely<Tables>,
  request: {
    repository_id: string;
    delivery_guid: string | null;
    requested_by: string;
    outcome: "not_permitted" | "unknown_option" | "refused";
    comment: { id: string; issue_number: number };
    refusal: string | null;
  },
): Promise<void> {
  const { comment, ...rest } = request;
  await trx
    .insertInto("run_requests")
    .values({
      ...rest,
      trigger: "rescan",
      comment_id: comment.id,
      issue_number: comment.issue_number,
      reply_state: "open",
    })
    .onConflict((conflict) => conflict.columns(["repository_id", "comment_id"]).doNothing())
    .execute();
  await notify(trx, CHANGED_CHANNEL);
}
