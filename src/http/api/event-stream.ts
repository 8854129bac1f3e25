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
    },
  });
}
