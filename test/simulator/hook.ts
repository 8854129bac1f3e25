import { randomUUID } from "node:crypto";
import {
  type Delivered,
  type DeliveryOptions,
  DeliveryTimedOut,
  postDelivery,
  sign,
  TIMEOUT_MS,
} from "./deliveries.ts";
import type { Recorder } from "./recorder.ts";
import { objectOf } from "./routes/body.ts";

/** The webhook's id, in headers and in the ping. */
export const HOOK_ID = 500_000_001;
/** docs.github.com, "Redelivering webhooks": what is older can neither be seen nor redelivered. */
const KEPT_MS = 3 * 24 * 3_600_000;
/** GitHub's ids of deliveries need all 64 bits: as JavaScript numbers these would be rounded. */
const FIRST_ID = 2n ** 53n + 1n;
/** What GitHub says of an attempt that no answer came to. */
const UNANSWERED = 502;

/** One attempt to deliver, as GitHub lists it. Tests may age it by its `delivered_at`. */
export interface DeliveryAttempt {
  readonly id: bigint;
  readonly guid: string;
  readonly event: string;
  readonly action: string | null;
  readonly installation_id: number | null;
  readonly repository_id: number | null;
  readonly redelivery: boolean;
  delivered_at: Date;
  /** "OK", or why not. */
  status: string;
  status_code: number;
  /** Seconds. */
  duration: number;
  readonly request: { readonly headers: Record<string, string>; readonly body: Buffer };
}

/** The App's webhook: where deliveries go, and what became of each. */
export interface Hook {
  url: string | null;
  readonly secret: string;
  /** Every attempt, oldest first. */
  readonly attempts: DeliveryAttempt[];
  /** Sends one signed delivery and waits for the answer; rejects when there is none within ten seconds. */
  send(event: string, payload: object, options?: DeliveryOptions): Promise<Delivered>;
  /** Sends an attempt's payload again: the same GUID, a new attempt. */
  redeliver(attempt: DeliveryAttempt): Promise<Delivered>;
  /**
   * From now on, matching attempts never reach the receiver: they count as timed out, or with `recorded: false` GitHub
   * itself knows nothing of them. Answers the function that ends it.
   */
  lose(matches: (attempt: DeliveryAttempt) => boolean, options?: { recorded?: boolean }): () => void;
  /** The attempts that GitHub still shows, newest first. */
  listed(): DeliveryAttempt[];
  /** Resolves once nothing is on its way any more. */
  settled(): Promise<void>;
}

/** A webhook that nothing was delivered to yet. */
export function createHook(
  { url, secret }: { url: string | null; secret: string },
  { appId, recorder }: { appId: number; recorder: Recorder },
): Hook {
  const losses = new Set<{ matches: (attempt: DeliveryAttempt) => boolean; recorded: boolean }>();
  const underway = new Set<Promise<unknown>>();
  let nextId = FIRST_ID;

  function begin(facts: Pick<DeliveryAttempt, "guid" | "event" | "redelivery" | "request">): DeliveryAttempt {
    const payload = parse(facts.request.body);
    return {
      id: nextId++,
      ...facts,
      action: typeof payload.action === "string" ? payload.action : null,
      installation_id: idOf(payload.installation),
      repository_id: idOf(payload.repository),
      delivered_at: new Date(),
      status: "pending",
      status_code: 0,
      duration: 0,
    };
  }

  async function attempt(made: DeliveryAttempt, to: string): Promise<Delivered> {
    const { guid, event, request } = made;
    const loss = [...losses].find(({ matches }) => matches(made));
    if (loss?.recorded !== false) hook.attempts.push(made);
    if (loss) {
      Object.assign(made, { status: "timed out", status_code: UNANSWERED, duration: TIMEOUT_MS / 1000 });
      return { status: UNANSWERED, body: "", guid };
    }
    const sending = postDelivery(to, request.body, request.headers);
    const noted = sending.then(
      ({ status }) => Object.assign(made, { status: statusText(status), status_code: status }),
      (error: unknown) => {
        const status = error instanceof DeliveryTimedOut ? "timed out" : "failed to connect";
        Object.assign(made, { status, status_code: UNANSWERED });
      },
    );
    underway.add(noted);
    await noted.finally(() => underway.delete(noted));
    made.duration = (Date.now() - made.delivered_at.getTime()) / 1000;
    const answer = await sending;
    recorder.emit({ kind: "delivery", event, guid, status: answer.status });
    return { ...answer, guid };
  }

  const hook: Hook = {
    url,
    secret,
    attempts: [],
    async send(event, payload, options = {}) {
      if (hook.url === null) throw new Error("Set the simulator's webhookUrl before you deliver.");
      const guid = options.guid ?? randomUUID();
      const body = Buffer.from(options.rawBody ?? JSON.stringify(payload));
      const signature =
        options.signature === undefined ? sign(body, options.secret ?? secret) : options.signature;
      const headers = {
        ...headersOf(event, { guid, appId }),
        ...(signature !== null && { "x-hub-signature-256": signature }),
        ...options.headers,
      };
      return await attempt(begin({ guid, event, redelivery: false, request: { headers, body } }), hook.url);
    },
    async redeliver({ guid, event, request }) {
      if (hook.url === null) throw new Error("Set the simulator's webhookUrl before you redeliver.");
      return await attempt(begin({ guid, event, redelivery: true, request }), hook.url);
    },
    lose(matches, { recorded = true } = {}) {
      const loss = { matches, recorded };
      losses.add(loss);
      return () => void losses.delete(loss);
    },
    listed() {
      const oldest = Date.now() - KEPT_MS;
      return hook.attempts
        .filter(({ delivered_at }) => delivered_at.getTime() >= oldest)
        .toSorted((a, b) => b.delivered_at.getTime() - a.delivered_at.getTime() || (a.id < b.id ? 1 : -1));
    },
    async settled() {
      await Promise.all(underway);
    },
  };
  return hook;
}

function headersOf(event: string, { guid, appId }: { guid: string; appId: number }): Record<string, string> {
  return {
    accept: "*/*",
    "content-type": "application/json",
    "user-agent": `GitHub-Hookshot/${guid.slice(0, 7)}`,
    "x-github-event": event,
    "x-github-delivery": guid,
    "x-github-hook-id": String(HOOK_ID),
    "x-github-hook-installation-target-id": String(appId),
    "x-github-hook-installation-target-type": "integration",
  };
}

function statusText(status: number): string {
  return status >= 200 && status < 300 ? "OK" : `Invalid HTTP Response: ${status}`;
}

function parse(body: Buffer): Record<string, unknown> {
  try {
    return objectOf(JSON.parse(body.toString()));
  } catch {
    return {};
  }
}

function idOf(value: unknown): number | null {
  const { id } = objectOf(value);
  return typeof id === "number" && Number.isSafeInteger(id) ? id : null;
}
