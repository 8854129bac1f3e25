import { createHmac, randomUUID } from "node:crypto";
import { connect as connectSocket } from "node:net";
import { sql } from "kysely";
import { describe, expect, test } from "vitest";
import { useDatabase } from "../support/database.ts";
import { captureLog } from "../support/log.ts";
import { startTestRepodex, WEBHOOK_SECRET } from "../support/repodex.ts";
import { until } from "../support/wait.ts";

const database = useDatabase();
const MARK = "text-that-only-the-payload-has";
const payload = JSON.stringify({ zen: MARK, hook_id: 1 });

function sign(body: string | Buffer, secret = WEBHOOK_SECRET): string {
  return `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`;
}

function headersFor(
  body: string | Buffer,
  changes: Record<string, string | null> = {},
): Record<string, string> {
  const headers: Record<string, string | null> = {
    "content-type": "application/json",
    "x-github-event": "ping",
    "x-github-delivery": randomUUID(),
    "x-hub-signature-256": sign(body),
    ...changes,
  };
  return Object.fromEntries(
    Object.entries(headers).filter((pair): pair is [string, string] => pair[1] !== null),
  );
}

async function start(environment: Record<string, string> = {}) {
  const captured = captureLog();
  const repodex = await startTestRepodex(database, { environment, log: captured.log });
  const deliver = (body: string | Buffer, changes: Record<string, string | null> = {}) =>
    fetch(`${repodex.url}/api/github/webhooks`, { method: "POST", body, headers: headersFor(body, changes) });
  return { repodex, captured, deliver };
}

const deliveries = () => database.db.selectFrom("deliveries").selectAll().execute();

describe("the webhook route", () => {
  test("stores a signed delivery, answers 202, and shows it handled", async () => {
    const { deliver } = await start();

    const response = await deliver(payload);

    expect(response.status).toBe(202);
    const handled = await until(async () => (await deliveries()).find((row) => row.state === "handled"), {
      what: "the delivery to be handled",
    });
    expect(handled).toMatchObject({ event: "ping", outcome: "The webhook works.", payload: null });
  });

  test.each<[string, string | Buffer, Record<string, string | null>, number, RegExp]>([
    ["unsigned", payload, { "x-hub-signature-256": null }, 401, /X-Hub-Signature-256/],
    ["signed with nothing", payload, { "x-hub-signature-256": "" }, 401, /X-Hub-Signature-256/],
    [
      "signed with another secret",
      payload,
      { "x-hub-signature-256": sign(payload, "another secret of 16") },
      401,
      /signature/,
    ],
    ["signed for another payload", payload, { "x-hub-signature-256": sign("{}") }, 401, /signature/],
    ["signed in another form", payload, { "x-hub-signature-256": "sha1=abc" }, 401, /signature/],
    ["of 26 MB", Buffer.alloc(26 * 1024 * 1024, "x"), {}, 413, /25 MB/],
    ["not JSON", MARK, {}, 400, /JSON/],
    ["JSON but no object", `["${MARK}"]`, {}, 400, /JSON object/],
    [
      "sent as a form",
      payload,
      { "content-type": "application/x-www-form-urlencoded" },
      415,
      /application\/json/,
    ],
    ["sent without a type", payload, { "content-type": "text/plain" }, 415, /application\/json/],
    ["without an event", payload, { "x-github-event": null }, 400, /X-GitHub-Event/],
    ["without a GUID", payload, { "x-github-delivery": null }, 400, /X-GitHub-Delivery/],
    ["with a GUID that is none", payload, { "x-github-delivery": "../../etc" }, 400, /X-GitHub-Delivery/],
  ])("refuses a delivery that is %s, and keeps nothing of it", async (_, body, changes, status, message) => {
    const { deliver, captured } = await start();

    const response = await deliver(body, changes);

    expect(response.status).toBe(status);
    const answer = await response.text();
    expect(answer).toMatch(message);
    expect(answer).not.toContain(MARK);
    expect(await deliveries()).toEqual([]);
    expect(captured.text()).toContain("webhook refused");
    expect(captured.text()).not.toContain(MARK);
  });

  test("stops reading a payload without a length once it is too large", async () => {
    const { repodex } = await start();
    const chunk = Buffer.alloc(1024 * 1024, "x");
    let sent = 0;
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        sent += 1;
        if (sent > 60) controller.close();
        else controller.enqueue(chunk);
      },
    });

    const response = await fetch(`${repodex.url}/api/github/webhooks`, {
      method: "POST",
      body,
      headers: headersFor("x"),
      duplex: "half",
    } as RequestInit).catch((error: unknown) => error);

    if (response instanceof Response) expect(response.status).toBe(413);
    expect(sent).toBeLessThan(60);
    expect(await deliveries()).toEqual([]);
  });

  test("keeps nothing of a payload that breaks off", async () => {
    const { repodex, captured } = await start();
    const { port } = new URL(repodex.url);
    const headers = Object.entries(headersFor(payload)).map(([name, value]) => `${name}: ${value}\r\n`);
    const socket = connectSocket(Number(port), "127.0.0.1");

    socket.write(
      `POST /api/github/webhooks HTTP/1.1\r\nhost: x\r\n${headers.join("")}content-length: 5000\r\n\r\n${payload}`,
      () => socket.destroy(),
    );

    await until(() => captured.text().includes("webhook refused"), { what: "the refusal in the log" });
    expect(await deliveries()).toEqual([]);
    expect(captured.text()).not.toContain(MARK);
  });

  test("handles a replayed delivery once", async () => {
    const { deliver } = await start();
    const guid = randomUUID();

    const answers = await Promise.all(
      Array.from({ length: 5 }, () => deliver(payload, { "x-github-delivery": guid })),
    );

    expect(answers.map(({ status }) => status)).toEqual([202, 202, 202, 202, 202]);
    expect(await deliveries()).toHaveLength(1);
  });

  test("says that it could not store a delivery while the database is away, so that it is redelivered", async () => {
    const { deliver, captured } = await start();
    await sql`alter table deliveries rename to deliveries_away`.execute(database.db);

    const response = await deliver(payload);
    await sql`alter table deliveries_away rename to deliveries`.execute(database.db);

    expect(response.status).toBe(503);
    expect(await response.text()).toContain("Redeliver it");
    expect(captured.text()).toContain("delivery not stored");
    expect(captured.text()).not.toContain(MARK);
  });

  test("takes the previous secret too while it is being rotated", async () => {
    const { deliver } = await start({ WEBHOOK_SECRET_PREVIOUS: "the secret of last month" });

    const previous = await deliver(payload, {
      "x-hub-signature-256": sign(payload, "the secret of last month"),
    });
    const current = await deliver(payload);

    expect([previous.status, current.status]).toEqual([202, 202]);
  });

  test.each(["star", "projects_v2_item"])(
    "records an event that Repodex has no use for: %s",
    async (event) => {
      const { deliver } = await start();

      await deliver(JSON.stringify({ action: "created" }), { "x-github-event": event });

      const handled = await until(async () => (await deliveries()).find((row) => row.state === "handled"), {
        what: "the delivery to be handled",
      });
      expect(handled).toMatchObject({ event, action: "created" });
      expect(handled.outcome).toContain("does nothing for this event");
    },
  );

  test("stores a delivery whose action PostgreSQL could not hold", async () => {
    const { deliver } = await start();

    const response = await deliver(JSON.stringify({ action: "a\0b" }), { "x-github-event": "star" });

    expect(response.status).toBe(202);
    expect(await deliveries()).toMatchObject([{ action: "a\uFFFDb" }]);
  });

  test("writes no payload to the log, however well it goes", async () => {
    const { deliver, captured } = await start({ LOG_LEVEL: "trace" });

    await deliver(payload);
    await until(async () => (await deliveries()).some((row) => row.state === "handled"), {
      what: "handling",
    });

    expect(captured.text()).toContain("delivery received");
    expect(captured.text()).not.toContain(MARK);
  });
});
