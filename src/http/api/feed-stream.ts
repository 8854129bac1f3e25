import type { Context } from "hono";
import type { Viewer } from "../../database/viewer.ts";
import type { RunView } from "../../runs/read.ts";
import { isFinal } from "../../runs/run.ts";
import type { RunChanges } from "../run-changes.ts";
import type { RunFeed, Subscription } from "../run-feed.ts";
import { eventStream, HEARTBEAT_MS, whileKnown } from "./event-stream.ts";
import { runJson } from "./views.ts";

/** Where streams learn what changes. */
export interface Live {
  feed: RunFeed;
  changes: RunChanges;
}

const ENDED_KNOWN = 500;

interface FeedStreamOptions extends Live {
  viewer: Viewer;
  /** Null: all that the viewer sees. */
  repositoryId: string | null;
  /** What is told first, and again whenever something may have been missed; null where the viewer sees it no more. */
  snapshot: () => Promise<{ data: unknown; runs: RunView[] } | null>;
}

/**
 * What happens to runs, as server-sent events: a `snapshot`, then each run as it is once it changes. Who takes them slowly
 * gets the newest state of each, and nothing in between.
 */
export function createFeedStream(c: Context, options: FeedStreamOptions): Response {
  const { feed, changes, viewer, repositoryId } = options;
  return eventStream(c, () => {
    // Before the snapshot is read, or a change in between is missed.
    const subscription = feed.subscribe({ viewer, repositoryId });
    const frames = readFrames(subscription, options);
    return whileKnown(c, changes, { frames, stop: () => subscription.close() });
  });
}

async function* readFrames(
  subscription: Subscription,
  { changes, snapshot }: FeedStreamOptions,
): AsyncGenerator<string, void, void> {
  /** The runs as the reader knows them: those that are open, and the last that ended, which may be told of again. */
  const known = new Map<string, Pick<RunView, "state" | "version">>();
  const ended: string[] = [];
  for (let isLost = true; !changes.closed && !subscription.closed; ) {
    if (isLost) {
      const shown = await snapshot();
      if (!shown) return;
      const { data, runs } = shown;
      known.clear();
      ended.length = 0;
      for (const { id, state, version } of runs) known.set(id, { state, version });
      yield `event: snapshot\ndata: ${JSON.stringify(data)}\n\n`;
    }
    const news = await subscription.next(HEARTBEAT_MS);
    isLost = news.isLost;
    if (isLost) continue;
    for (const run of news.runs) {
      const before = known.get(run.id);
      if (before && before.version >= run.version) continue; // the snapshot has it
      yield `event: ${eventOf(run, before)}\ndata: ${JSON.stringify({ run: runJson(run) })}\n\n`;
      known.set(run.id, { state: run.state, version: run.version });
      if (isFinal(run.state) && ended.push(run.id) > ENDED_KNOWN) known.delete(ended.shift() ?? "");
    }
    if (news.runs.length === 0) yield ": still here\n\n";
  }
}

function eventOf(run: RunView, before: Pick<RunView, "state"> | undefined): string {
  if (isFinal(run.state)) return "run.completed";
  if (run.state === "queued") return "run.queued";
  return before?.state === "running" ? "run.progress" : "run.started";
}
