import { createHmac, randomUUID } from "node:crypto";
import { request as send } from "node:http";
import type { Recorder } from "./recorder.ts";

/** docs.github.com, "Best practices for using webhooks": a receiver has ten seconds. */
const TIMEOUT_MS = 10_000;
/** The webhook's id, in headers and in the ping. */
export const HOOK_ID = 500_000_001;

/** Where a delivery departs from what GitHub would send. */
export interface DeliveryOptions {
  guid?: string;
  /** Signs with another secret than the App's. */
  secret?: string;
  /** Sent as it is; null sends no signature. */
  signature?: string | null;
  headers?: Record<string, string>;
  /** Sent in place of the payload, and signed. */
  rawBody?: string | Buffer;
}

/** What the receiver answered. */
export interface Delivered {
  status: number;
  body: string;
  guid: string;
}

/** Sends one signed delivery and waits for the answer; rejects when there is none within ten seconds. */
export async function deliver(
  to: { url: string | null; secret: string; appId: number; recorder: Recorder },
  { event, payload, options }: { event: string; payload: object; options: DeliveryOptions },
): Promise<Delivered> {
  if (to.url === null) throw new Error("Set the simulator's webhookUrl before you deliver.");
  const guid = options.guid ?? randomUUID();
  const body = Buffer.from(options.rawBody ?? JSON.stringify(payload));
  const signature =
    options.signature === undefined ? sign(body, options.secret ?? to.secret) : options.signature;
  const answer = await post(to.url, body, {
    accept: "*/*",
    "content-type": "application/json",
    "user-agent": `GitHub-Hookshot/${guid.slice(0, 7)}`,
    "x-github-event": event,
    "x-github-delivery": guid,
    "x-github-hook-id": String(HOOK_ID),
    "x-github-hook-installation-target-id": String(to.appId),
    "x-github-hook-installation-target-type": "integration",
    ...(signature !== null && { "x-hub-signature-256": signature }),
    ...options.headers,
  });
  to.recorder.emit({ kind: "delivery", event, guid, status: answer.status });
  return { ...answer, guid };
}

/** The signature header of a body. */
export function sign(body: Buffer, secret: string): string {
  return `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`;
}

/** A connection of its own, closed after the answer, so that none is left to hold up a receiver's end. */
function post(url: string, body: Buffer, headers: Record<string, string>): Promise<Omit<Delivered, "guid">> {
  return new Promise((resolve, reject) => {
    const options = { method: "POST", agent: false, headers: { "content-length": body.length, ...headers } };
    const outgoing = send(url, options, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => {
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() });
      });
    });
    outgoing.setTimeout(TIMEOUT_MS, () =>
      outgoing.destroy(new Error("The receiver did not answer in ten seconds.")),
    );
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}
