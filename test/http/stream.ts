import { expect, onTestFinished } from "vitest";
import type { HttpServer } from "./server.ts";

export interface StreamEvent {
  id: number;
  event: string;
  data: { seq: number; kind: string; message: string; run: { id: string; state: string } };
}

export interface RunStream {
  /** Reads until so many further events are there, or to the stream's end. */
  take(count: number): Promise<StreamEvent[]>;
  /** Reads until the server ends the stream. */
  rest(): Promise<StreamEvent[]>;
  /** Goes away, as a reader does. */
  leave(): Promise<void>;
}

/** Reads a run's server-sent events as a browser's EventSource does. It leaves with the test. */
export async function openStream(
  server: Pick<HttpServer, "ask">,
  runId: string,
  { lastEventId }: { lastEventId?: string | number } = {},
): Promise<RunStream> {
  const aborter = new AbortController();
  onTestFinished(() => aborter.abort());
  const response = await server.ask(`/api/v1/runs/${runId}/events`, {
    signal: aborter.signal,
    headers: {
      accept: "text/event-stream",
      ...(lastEventId !== undefined && { "last-event-id": String(lastEventId) }),
    },
  });
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
  expect(response.headers.get("cache-control")).toBe("no-store");
  const events = readEvents(response);

  async function take(count: number): Promise<StreamEvent[]> {
    const taken: StreamEvent[] = [];
    while (taken.length < count) {
      const { done, value } = await events.next();
      if (done) break;
      taken.push(value);
    }
    return taken;
  }

  return {
    take,
    rest: () => take(Number.POSITIVE_INFINITY),
    async leave() {
      aborter.abort();
      await events.next().catch(() => {});
    },
  };
}

async function* readEvents(response: Response): AsyncGenerator<StreamEvent, void, void> {
  let text = "";
  for await (const part of (response.body ?? new ReadableStream()).pipeThrough(new TextDecoderStream())) {
    text += part;
    for (let end = text.indexOf("\n\n"); end !== -1; end = text.indexOf("\n\n")) {
      const event = parseFrame(text.slice(0, end));
      text = text.slice(end + 2);
      if (event) yield event;
    }
  }
  expect(text, "a frame without its end").toBe("");
}

/** Null for a comment. */
function parseFrame(frame: string): StreamEvent | null {
  if (frame.startsWith(":")) return null;
  const fields = new Map(
    frame.split("\n").map((line): [string, string] => {
      const colon = line.indexOf(": ");
      return [line.slice(0, colon), line.slice(colon + 2)];
    }),
  );
  expect([...fields.keys()].sort()).toEqual(["data", "event", "id"]);
  return {
    id: Number(fields.get("id")),
    event: fields.get("event") ?? "",
    data: JSON.parse(fields.get("data") ?? ""),
  };
}
