import type { HttpBindings } from "@hono/node-server";
import type { Context } from "hono";

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
 * the stream, and so does the time for which it is known what the caller may see: its reader asks again.
 */
export function eventStream(c: Context, create: () => Frames, { slowMs = SLOW_MS } = {}): Response {
  const { outgoing } = (c.env ?? {}) as Partial<HttpBindings>;
  let made: Frames | undefined;
  let slow: NodeJS.Timeout | undefined;
  let over: NodeJS.Timeout | undefined;
  let isOver = false;

  function begin(): Frames {
    const until = c.get("caller")?.goodUntil ?? null;
    if (until) {
      over = setTimeout(() => {
        isOver = true;
        made?.stop();
      }, until.getTime() - Date.now());
    }
    return create();
  }

  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        clearTimeout(slow);
        made ??= begin();
        const { done, value } = await made.frames.next().catch(() => ({ done: true, value: undefined }));
        if (done || !value || isOver) {
          clearTimeout(over);
          made.stop();
          controller.close();
          return;
        }
        controller.enqueue(Buffer.from(value));
        slow = setTimeout(() => outgoing?.destroy(), slowMs);
      },
      async cancel() {
        clearTimeout(slow);
        clearTimeout(over);
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
