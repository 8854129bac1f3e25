import type { Kysely } from "kysely";
import type { Tables } from "../../database/schema.ts";
import type { Viewer } from "../../database/viewer.ts";
import { listEvents, type RunEvent } from "../../runs/events.ts";
import { type RunView, readRun } from "../../runs/read.ts";
import { isFinal } from "../../runs/run.ts";
import type { RunChanges } from "../run-changes.ts";
import { eventStream, HEARTBEAT_MS } from "./event-stream.ts";
import { runJson } from "./views.ts";

const EVENTS_AT_ONCE = 200;

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

/** A run's events as server-sent events, until it ends. The reader's pace rules: nothing is read ahead. */
export function createRunStream(options: RunStreamOptions): Response {
  const { run, afterSeq } = options;
  // All has been told: 204 keeps a browser's EventSource from asking again.
  if (isFinal(run.state) && afterSeq >= run.event_seq) return new Response(null, { status: 204 });
  return eventStream(() => ({ frames: readFrames(options) }));
}

async function* readFrames({
  db,
  changes,
  viewer,
  run,
  afterSeq,
}: RunStreamOptions): AsyncGenerator<string, void, void> {
  let seq = afterSeq;
  yield ": connected\n\n";
  while (!changes.closed) {
    const changed = changes.next(run.id, HEARTBEAT_MS); // before the read, or a change in between is missed
    const events = await listEvents(db, run.id, { afterSeq: seq, limit: EVENTS_AT_ONCE });
    const current = await readRun(db, viewer, run.id);
    if (!current) return; // out of the viewer's sight
    for (const event of events) {
      yield frameOf(event, current);
      seq = event.seq;
    }
    if (isFinal(current.state) && seq >= current.event_seq) return;
    if (events.length === EVENTS_AT_ONCE) continue;
    await changed;
    if (events.length === 0) yield ": still here\n\n";
  }
}

function frameOf(event: RunEvent, run: RunView): string {
  const name = EVENT_NAMES[event.kind] ?? "run.queued";
  return `id: ${event.seq}\nevent: ${name}\ndata: ${JSON.stringify({ ...event, run: runJson(run) })}\n\n`;
}
