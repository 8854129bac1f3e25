import type { HttpBindings } from "@hono/node-server";
import type { Context } from "hono";
import type { RunChanges } from "../run-changes.ts";

/** Proxies cut silent connections: a comment goes out at least this often. */
export const HEARTBEAT_MS = 15_000;
/** Who takes nothing for so long is let go of: it may come back. */
const SLOW_MS = 30_000;

/** What a stream is made of. */
export interface Frames {
  frames: AsyncGenerator<string, void, void>;
  /** Ends the wait for the next frame, and is called at every end. */
  stop: () => void;
}

/**
 * Answers server-sent events. The reader's pace rules: nothing is begun before it reads, which HEAD never does, and no
 * frame is made before the one before is taken. Who takes none loses the connection. Frames that cannot be made end
 * the stream: its reader asks again, and is told why.
 */
export function eventStream(c: Context, create: () => Frames, { slowMs = SLOW_MS } = {}): Response {
  const { outgoing } = (c.env ?? {}) as Partial<HttpBindings>;
  let made: Frames | undefined;
  let slow: NodeJS.Timeout | undefined;
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        clearTimeout(slow);
        made ??= create();
        const { done, value } = await made.frames.next().catch(() => ({ done: true, value: undefined }));
        if (done || !value) {
          made.stop();
          controller.close();
          return;
        }
        controller.enqueue(Buffer.from(value));
        slow = setTimeout(() => outgoing?.destroy(), slowMs);
      },
      async cancel() {
        clearTimeout(slow);
        made?.stop();
        await made?.frames.return();
      },
    },
    { highWaterMark: 0 },
  );
  return new Response(body, {
    headers: {
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-store",
      "x-accel-buffering": "no",
      connection: "close", // what has ended is not asked on, and must not hold up a server that stops
    },
  });
}

/**
 * The same frames for as long as it is known what the caller may see, and nothing says that it may be otherwise: then
 * they end, the reader asks again, and is answered by what it may see then. That may have been said before they begin.
 */
export function whileKnown(c: Context, changes: RunChanges, { frames, stop }: Frames): Frames {
  const { goodUntil, user } = c.var.caller;
  if (goodUntil === null) return { frames, stop };
  const timer = setTimeout(stop, goodUntil.getTime() - Date.now());
  const unwatch = changes.watchAccess((userId) => {
    if (userId === null || userId === user?.id) stop();
  });
  if (changes.accessChanges !== c.var.accessChanges) stop();
  return {
    frames,
    stop() {
      clearTimeout(timer);
      unwatch();
      stop();
    },
  };
}
