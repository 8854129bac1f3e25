import type { Context } from "hono";
import type { Kysely } from "kysely";
import type { Tables } from "../../database/schema.ts";
import type { Viewer } from "../../database/viewer.ts";
import { listEvents, type RunEvent } from "../../runs/events.ts";
import { type RunView, readRun } from "../../runs/read.ts";
import { isFinal } from "../../runs/run.ts";
import type { RunChanges, RunWatch } from "../run-changes.ts";
import { eventStream, HEARTBEAT_MS, whileKnown } from "./event-stream.ts";
import { runJson } from "./views.ts";

const EVENTS_AT_ONCE = 100;

/** A run's log kinds as the four event names that readers subscribe to. */
const EVENT_NAMES: Record<string, string> = {
  "run.started": "run.started",
  "run.progress": "run.progress",
  "run.cancelling": "run.progress",
  "run.completed": "run.completed",
};

interface RunStreamOptions {
  db: Kysely<Tables>;
  changes: RunChanges;
  viewer: Viewer;
  run: RunView;
  /** The reader's Last-Event-ID; events after it follow without a gap. */
  afterSeq: number;
}

/**
 * A run's events as server-sent events, until it ends. Where events that the reader has not seen are gone, a `snapshot`
 * of the run stands for them.
 */
export function createRunStream(c: Context, options: RunStreamOptions): Response {
  const { changes, run, afterSeq } = options;
  // All has been told: 204 keeps a browser's EventSource from asking again.
  if (isFinal(run.state) && afterSeq >= run.event_seq) return new Response(null, { status: 204 });
  return eventStream(c, () => {
    const watch = changes.watchRun(run.id); // before the first read, or a change in between is missed
    return whileKnown(c, changes, { frames: readFrames(watch, options), stop: () => watch.close() });
  });
}

async function* readFrames(
  watch: RunWatch,
  { db, viewer, run, afterSeq }: RunStreamOptions,
): AsyncGenerator<string, void, void> {
  let seq = afterSeq;
  yield ": connected\n\n";
  while (!watch.closed) {
    const { events, lostUpTo, current } = await readOn(db, { viewer, runId: run.id, afterSeq: seq });
    if (!current) return; // out of the viewer's sight
    const runText = JSON.stringify(runJson(current)); // once: it is most of each frame
    const frames = events.map((event) => {
      const text = JSON.stringify(event).slice(0, -1);
      return `id: ${event.seq}\nevent: ${nameOf(event)}\ndata: ${text},"run":${runText}}\n\n`;
    });
    if (lostUpTo !== null) frames.unshift(`id: ${lostUpTo}\nevent: snapshot\ndata: {"run":${runText}}\n\n`);
    seq = events.at(-1)?.seq ?? lostUpTo ?? seq;
    if (frames.length > 0) yield frames.join("");
    if (isFinal(current.state) && seq >= current.event_seq) return;
    if (seq < current.event_seq) continue;
    await watch.next(HEARTBEAT_MS);
    if (events.length === 0) yield ": still here\n\n";
  }
}

interface Read {
  events: RunEvent[];
  /** Everything up to here that comes before the events is no longer there; null: nothing is missing. */
  lostUpTo: number | null;
  /** The run as it is after the events. */
  current: RunView | null;
}

async function readOn(
  db: Kysely<Tables>,
  { viewer, runId, afterSeq }: { viewer: Viewer; runId: string; afterSeq: number },
): Promise<Read> {
  const list = () => listEvents(db, runId, { afterSeq, limit: EVENTS_AT_ONCE });
  let events = await list();
  const current = await readRun(db, viewer, runId);
  const last = current?.event_seq ?? 0;
  // It may have been written in between; what is still not there now has been deleted.
  if (events.length === 0 && last > afterSeq) events = await list();
  const next = events[0]?.seq ?? Math.max(last, afterSeq) + 1;
  return { events, lostUpTo: next > afterSeq + 1 ? next - 1 : null, current };
}

function nameOf(event: RunEvent): string {
  return EVENT_NAMES[event.kind] ?? "run.queued";
}
