import { Webhooks } from "@octokit/webhooks";
import { Hono } from "hono";
import type { Logger } from "pino";
import type { Connection } from "../database/connect.ts";
import { type Delivery, storeDelivery } from "../deliveries/store.ts";

/** docs.github.com/en/webhooks: payloads are capped at 25 MB. */
const MAX_PAYLOAD_BYTES = 25 * 1024 * 1024;
/** GitHub gives up after 10 seconds. */
const READ_TIMEOUT_MS = 10_000;
const GUID = /^[0-9a-zA-Z-]{1,64}$/;
const EVENT = /^[a-z0-9_]{1,64}$/; // projects_v2_item

export interface WebhookRouteOptions {
  connection: Connection;
  /** The secrets in force: the current one, and while it is being rotated the previous one. */
  secrets: string[];
  log: Logger;
  /** Called after each answer. */
  onAnswered?: (status: number, seconds: number) => void;
}

type Refusal = { status: 400 | 401 | 408 | 413 | 415; message: string };

/**
 * `POST /api/github/webhooks`: counts while it reads, verifies, stores the delivery by its GUID, answers 202.
 * Whatever it refuses, nothing of the payload goes to a log or back to the sender.
 */
export function createWebhookRoute({ connection, secrets, log, onAnswered }: WebhookRouteOptions): Hono {
  const route = new Hono();
  route.use(async (c, next) => {
    const startedAt = performance.now();
    await next();
    onAnswered?.(c.res.status, (performance.now() - startedAt) / 1000);
  });
  const verifiers = secrets.map((secret) => new Webhooks({ secret }));
  route.post("/", async (c) => {
    const request = c.req.raw;
    const read = await readDelivery(request, verifiers);
    if ("status" in read) {
      log.warn(
        { status: read.status, delivery_id: request.headers.get("x-github-delivery") },
        "webhook refused",
      );
      return c.json({ message: read.message }, read.status);
    }
    const stored = await storeDelivery(connection.db, read);
    log.info({ delivery_id: read.guid, event: read.event, replay: !stored }, "delivery received");
    return c.json({ message: stored ? "Stored." : "Known already." }, 202);
  });
  route.onError((err, c) => {
    log.error({ err, delivery_id: c.req.header("x-github-delivery") }, "delivery not stored");
    return c.json(
      { message: "The delivery could not be stored. Redeliver it from the App's settings." },
      503,
    );
  });
  return route;
}

async function readDelivery(request: Request, verifiers: Webhooks[]): Promise<Delivery | Refusal> {
  const guid = request.headers.get("x-github-delivery") ?? "";
  const event = request.headers.get("x-github-event") ?? "";
  const signature = request.headers.get("x-hub-signature-256") ?? "";
  if (!GUID.test(guid)) return refuse(400, "The X-GitHub-Delivery header is missing or no GUID.");
  if (!EVENT.test(event)) return refuse(400, "The X-GitHub-Event header is missing or no event name.");
  if (!signature)
    return refuse(401, "The X-Hub-Signature-256 header is missing: set a secret on the webhook.");
  if (!/^application\/json\b/i.test(request.headers.get("content-type") ?? "")) {
    return refuse(415, "Set the webhook's content type to application/json.");
  }
  const body = await readBody(request);
  if (!Buffer.isBuffer(body)) return body;
  const text = body.toString();
  if (!(await isSigned(text, signature, verifiers)))
    return refuse(401, "The signature does not match the secret.");
  const payload = parseObject(text);
  if (!payload) return refuse(400, "The payload is not a JSON object.");
  return {
    guid,
    event,
    payload: text,
    action: typeof payload.action === "string" ? payload.action.replaceAll("\0", "\uFFFD") : null, // PostgreSQL takes no NUL
    installation_id: idOf(payload.installation),
    repository_id: idOf(payload.repository),
  };
}

function refuse(status: Refusal["status"], message: string): Refusal {
  return { status, message };
}

async function readBody(request: Request): Promise<Buffer | Refusal> {
  const tooLarge = refuse(413, "The payload is over 25 MB, GitHub's own limit.");
  if (Number(request.headers.get("content-length") ?? 0) > MAX_PAYLOAD_BYTES) return tooLarge;
  if (!request.body) return Buffer.alloc(0);
  const reader = request.body.getReader();
  const timer = setTimeout(() => void reader.cancel("timeout").catch(() => {}), READ_TIMEOUT_MS);
  const startedAt = performance.now();
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      bytes += value.byteLength;
      if (bytes > MAX_PAYLOAD_BYTES) {
        await reader.cancel("too large").catch(() => {});
        return tooLarge;
      }
      chunks.push(value);
    }
  } catch {
    return refuse(400, "The payload ended before its announced length.");
  } finally {
    clearTimeout(timer);
  }
  if (performance.now() - startedAt >= READ_TIMEOUT_MS)
    return refuse(408, "The payload took over ten seconds.");
  return Buffer.concat(chunks);
}

async function isSigned(text: string, signature: string, verifiers: Webhooks[]): Promise<boolean> {
  for (const webhooks of verifiers) {
    if (await webhooks.verify(text, signature).catch(() => false)) return true;
  }
  return false;
}

function parseObject(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}

function idOf(value: unknown): string | null {
  if (typeof value !== "object" || value === null || !("id" in value)) return null;
  return Number.isSafeInteger(value.id) ? String(value.id) : null;
}
