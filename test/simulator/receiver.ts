import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { onTestFinished } from "vitest";

interface Received {
  headers: Record<string, string | string[] | undefined>;
  text: string;
  payload: Record<string, unknown>;
}

interface Receiver {
  readonly received: Received[];
  readonly url: string;
  /** What it answers from now on; 202 until it is told. */
  status: number;
}

/** A receiver of webhooks that keeps what it was sent. It ends with the test. */
export async function startReceiver(): Promise<Receiver> {
  const received: Received[] = [];
  const server = createServer(async (request, response) => {
    const text = (await buffer(request)).toString();
    received.push({ headers: request.headers, text, payload: text.startsWith("{") ? JSON.parse(text) : {} });
    response.writeHead(receiver.status).end("Stored.");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const receiver = { received, url: `http://127.0.0.1:${port}/hooks`, status: 202 };
  return receiver;
}
