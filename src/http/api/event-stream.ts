/** Proxies cut silent connections: a comment goes out at least this often. */
export const HEARTBEAT_MS = 15_000;

/** What a stream is made of. */
export interface Frames {
  frames: AsyncGenerator<string, void, void>;
  /** Ends the wait for the next frame, once the reader is gone. */
  stop?: () => void;
}

/**
 * Answers server-sent events. The reader's pace rules: no frame is made before the one before is taken. `drop`, which the
 * maker of the frames is given, ends the connection of a reader that takes none.
 */
export function eventStream(create: (drop: () => void) => Frames): Response {
  let made: Frames | undefined;
  const end = async () => {
    made?.stop?.();
    await made?.frames.return();
  };
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      made = create(() => {
        controller.error(new Error("The reader takes nothing."));
        void end();
      });
    },
    async pull(controller) {
      const { done, value } = (await made?.frames.next()) ?? { done: true, value: undefined };
      if (done) controller.close();
      else controller.enqueue(Buffer.from(value));
    },
    cancel: end,
  });
  return new Response(body, {
    headers: {
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-store",
      "x-accel-buffering": "no",
    },
  });
}
