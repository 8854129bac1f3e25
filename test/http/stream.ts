import { expect, onTestFinished } from "vitest";
import type { HttpServer } from "./server.ts";

export interface StreamEvent<Data = RunEventData> {
  id: number;
  event: string;
  data: Data;
}

interface RunEventData {
  seq: number;
  kind: string;
  message: string;
  run: { id: string; state: string };
}

export interface EventStream<Data = RunEventData> {
  /** Reads until so many further events are there, or to the stream's end. */
  take(count: number): Promise<StreamEvent<Data>[]>;
  /** Reads until the server ends the stream. */
  rest(): Promise<StreamEvent<Data>[]>;
  /** Goes away, as a reader does. */
  leave(): Promise<void>;
}

/** Reads a run's server-sent events as a browser's EventSource does. It leaves with the test. */
export async function openStream(
  server: Pick<HttpServer, "ask">,
  runId: string,
  options: { lastEventId?: string | number } = {},
): Promise<EventStream> {
  return await openEvents(server, `/api/v1/runs/${runId}/events`, options);
}

/** The same of any stream; events without an id have NaN. */
export async function openEvents<Data = RunEventData>(
  server: Pick<HttpServer, "ask">,
  path: string,
  { lastEventId }: { lastEventId?: string | number } = {},
): Promise<EventStream<Data>> {
  const aborter = new AbortController();
  onTestFinished(() => aborter.abort());
  const response = await server.ask(path, {
    signal: aborter.signal,
    headers: {
      accept: "text/event-stream",
      ...(lastEventId !== undefined && { "last-event-id": String(lastEventId) }),
    },
  });
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
  expect(response.headers.get("cache-control")).toBe("no-store");
  const events = readEvents<Data>(response);

  async function take(count: number): Promise<StreamEvent<Data>[]> {
    const taken: StreamEvent<Data>[] = [];
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

async function* readEvents<Data>(response: Response): AsyncGenerator<StreamEvent<Data>, void, void> {
  let text = "";
  for await (const part of (response.body ?? new ReadableStream()).pipeThrough(new TextDecoderStream())) {
    text += part;
    for (let end = text.indexOf("\n\n"); end !== -1; end = text.indexOf("\n\n")) {
      const event = parseFrame<Data>(text.slice(0, end));
      text = text.slice(end + 2);
      if (event) yield event;
    }
  }
  expect(text, "a frame without its end").toBe("");
}

/** Null for a comment. */
function parseFrame<Data>(frame: string): StreamEvent<Data> | null {
  if (frame.startsWith(":")) return null;
  const fields = new Map(
    frame.split("\n").map((line): [string, string] => {
      const colon = line.indexOf(": ");
      return [line.slice(0, colon), line.slice(colon + 2)];
    }),
  );
  expect([...fields.keys()].filter((name) => name !== "id").sort()).toEqual(["data", "event"]);
  return {
    id: Number(fields.get("id")),
    event: fields.get("event") ?? "",
    data: JSON.parse(fields.get("data") ?? ""),
  };
}
