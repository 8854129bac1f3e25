import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { Hono } from "hono";
import { expect, onTestFinished, test } from "vitest";
import { eventStream } from "../../src/http/api/event-stream.ts";
import { startServer } from "../../src/server.ts";

/** A server of nothing but one stream of large frames, and how it fares. */
async function setUp(slowMs: number) {
  const stopped = Promise.withResolvers<void>();
  const made = { streams: 0, frames: 0 };
  async function* frames() {
    for (;;) {
      made.frames += 1;
      yield `: ${"x".repeat(256 * 1024)}\n\n`;
    }
  }
  const create = () => {
    made.streams += 1;
    return { frames: frames(), stop: () => stopped.resolve() };
  };
  const server = await startServer({
    webhooks: new Hono(),
    http: new Hono().get("/", (c) => eventStream(c, create, { slowMs })),
    host: "127.0.0.1",
    port: 0,
  });
  onTestFinished(() => server.close());
  return { server, made, stopped: stopped.promise };
}

/** Asks for the stream, and reads nothing of it until told to. */
async function ask(url: string): Promise<Socket> {
  const socket = connect(Number(new URL(url).port), "127.0.0.1");
  onTestFinished(() => {
    socket.destroy();
  });
  socket.on("error", () => {});
  await once(socket, "connect");
  socket.write("GET / HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n");
  return socket;
}

test("a reader that takes nothing loses its connection, and nothing is made for it any more", async () => {
  const { server, made, stopped } = await setUp(100);
  const socket = await ask(server.url);

  await stopped;
  const madeUntilThen = made.frames;
  const closed = once(socket, "close");
  socket.resume();
  await closed;

  expect(madeUntilThen).toBeLessThan(100); // what the system's buffers take
  expect(made.frames).toBe(madeUntilThen);
});

test("a reader that takes frames keeps its connection, and ends the stream by leaving", async () => {
  const { server, made, stopped } = await setUp(10_000);
  const socket = await ask(server.url);

  let bytes = 0;
  for await (const part of socket) {
    bytes += (part as Buffer).length;
    if (bytes > 64 * 1024 * 1024) break; // which destroys it
  }
  await stopped;

  expect(made.frames).toBeGreaterThan(255);
});

test("who asks for the head alone begins nothing", async () => {
  const { server, made } = await setUp(10_000);

  const answer = await fetch(server.url, { method: "HEAD" });

  expect(answer.status).toBe(200);
  expect(answer.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
  expect(made.streams).toBe(0);
});
