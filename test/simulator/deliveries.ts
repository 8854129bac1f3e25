import { createHmac } from "node:crypto";
import { request as send } from "node:http";

/** docs.github.com, "Best practices for using webhooks": a receiver has ten seconds. */
export const TIMEOUT_MS = 10_000;

/** Thrown where the receiver let that time pass. */
export class DeliveryTimedOut extends Error {
  override readonly name = "DeliveryTimedOut";
  constructor() {
    super("The receiver did not answer in ten seconds.");
  }
}

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

/** What the receiver answered; for a lost delivery 502 and no body. */
export interface Delivered {
  status: number;
  body: string;
  guid: string;
}

/** The signature header of a body. */
export function sign(body: Buffer, secret: string): string {
  return `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`;
}

/**
 * Posts one delivery; rejects where no answer came. On a connection of its own, closed after the answer, so that none
 * is left to hold up a receiver's end.
 */
export function postDelivery(
  url: string,
  body: Buffer,
  headers: Record<string, string>,
): Promise<Omit<Delivered, "guid">> {
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
    outgoing.setTimeout(TIMEOUT_MS, () => outgoing.destroy(new DeliveryTimedOut()));
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}
