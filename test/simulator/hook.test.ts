import { expect, test } from "vitest";
import { startReceiver } from "./receiver.ts";
import type { Simulator } from "./simulator.ts";
import { asApp, startTestSimulator } from "./test-client.ts";

const LIST = "/app/hook/deliveries";
const DAY_MS = 24 * 3_600_000;

async function serve() {
  const receiver = await startReceiver();
  const simulator = await startTestSimulator({ webhookUrl: receiver.url });
  return { simulator, receiver, app: asApp(simulator) };
}

interface Listed {
  guid: string;
  redelivery: boolean;
  status: string;
  status_code: number;
}

/** The ids as the text has them: JavaScript's numbers would round them. */
function idsIn(text: string): string[] {
  return [...text.matchAll(/"id":(\d+)/g)].map(([, id = ""]) => id);
}

async function list(simulator: Simulator, query = "") {
  return await asApp(simulator).get<Listed[]>(LIST + query);
}

test("deliveries are listed newest first, with what they were about and what was answered", async () => {
  const { simulator, receiver } = await serve();
  const installation = { id: 7 };
  await simulator.deliver("push", { installation, repository: { id: 9 } }, { guid: "g-1" });
  receiver.status = 500;
  await simulator.deliver("installation", { action: "created", installation }, { guid: "g-2" });

  const { json, text } = await list(simulator);

  expect(json).toMatchObject([
    {
      guid: "g-2",
      event: "installation",
      action: "created",
      installation_id: 7,
      repository_id: null,
      redelivery: false,
      status: "Invalid HTTP Response: 500",
      status_code: 500,
    },
    { guid: "g-1", event: "push", action: null, repository_id: 9, status: "OK", status_code: 202 },
  ]);
  expect(idsIn(text).slice(0, 1).map(BigInt)[0]).toBeGreaterThan(2n ** 53n);
  expect(simulator.violations).toEqual([]);
});

test("a page links to the one after it, and deliveries that arrive meanwhile do not move it", async () => {
  const { simulator, app } = await serve();
  for (const guid of ["g-1", "g-2", "g-3", "g-4", "g-5"]) await simulator.deliver("ping", {}, { guid });
  const first = await list(simulator, "?per_page=2");
  await simulator.deliver("ping", {}, { guid: "g-6" });

  const pages = [first];
  for (let next = nextOf(first.headers); next; next = nextOf(pages.at(-1)?.headers)) {
    pages.push(await app.get<Listed[]>(next.slice(`${simulator.url}/api/v3`.length)));
  }

  const guids = pages.map(({ json }) => json.map(({ guid }) => guid));
  expect(guids).toEqual([["g-5", "g-4"], ["g-3", "g-2"], ["g-1"]]);
  expect(simulator.violations).toEqual([]);
});

function nextOf(headers: Headers | undefined): string | undefined {
  return /<([^>]+cursor=[^>]+)>; rel="next"/.exec(headers?.get("link") ?? "")?.[1];
}

test("a delivery that failed is found by its status, and redelivered under the same GUID", async () => {
  const { simulator, receiver, app } = await serve();
  receiver.status = 503;
  await simulator.deliver("push", { mark: "x" }, { guid: "g-1" });
  receiver.status = 202;
  await simulator.deliver("ping", {}, { guid: "g-2" });
  const failed = await list(simulator, "?status=failure");
  const [id] = idsIn(failed.text);

  const { status, json } = await app.send("POST", `${LIST}/${id}/attempts`);
  await simulator.until(() => receiver.received.length === 3, { what: "the redelivery" });

  const [original, , again] = receiver.received;
  expect({ status, json }).toEqual({ status: 202, json: {} });
  expect(failed.json.map(({ guid }) => guid)).toEqual(["g-1"]);
  expect(again?.text).toBe(original?.text);
  expect(again?.headers).toMatchObject({
    "x-github-delivery": "g-1",
    "x-github-event": "push",
    "x-hub-signature-256": original?.headers["x-hub-signature-256"],
  });
  await simulator.until(() => simulator.deliveries.at(-1)?.status_code === 202);
  const attempts = await list(simulator, "?status=success");
  expect(attempts.json).toMatchObject([{ guid: "g-1", redelivery: true, status: "OK" }, { guid: "g-2" }]);
  expect(new Set(simulator.deliveries.map((attempt) => attempt.id)).size).toBe(3);
  expect(simulator.violations).toEqual([]);
});

test("a lost delivery never arrives and counts as timed out, until no more are lost", async () => {
  const { simulator, receiver } = await serve();
  const end = simulator.loseDeliveries(({ event }) => event === "push");

  const lost = await simulator.deliver("push", {}, { guid: "g-1" });
  await simulator.deliver("ping", {}, { guid: "g-2" });
  end();
  const found = await simulator.deliver("push", {}, { guid: "g-3" });

  expect([lost.status, found.status]).toEqual([502, 202]);
  expect(receiver.received.map(({ headers }) => headers["x-github-delivery"])).toEqual(["g-2", "g-3"]);
  const { json } = await list(simulator, "?status=failure");
  expect(json).toMatchObject([{ guid: "g-1", status: "timed out", status_code: 502 }]);
});

test("a delivery can be lost without a record of it", async () => {
  const { simulator, receiver } = await serve();
  simulator.loseDeliveries(() => true, { recorded: false });

  await simulator.deliver("push", {});

  expect(receiver.received).toEqual([]);
  expect((await list(simulator)).json).toEqual([]);
});

test("a delivery that nobody listened to is a failed one", async () => {
  const { simulator } = await serve();
  simulator.webhookUrl = "http://127.0.0.1:9/";

  await simulator.deliverPing().catch(() => {});

  const { json } = await list(simulator, "?status=failure");
  expect(json).toMatchObject([{ status: "failed to connect", status_code: 502 }]);
});

test("what is older than three days is neither listed nor redelivered", async () => {
  const { simulator, app } = await serve();
  await simulator.deliver("ping", {}, { guid: "old" });
  await simulator.deliver("ping", {}, { guid: "new" });
  const [old, fresh] = simulator.deliveries;
  if (old) old.delivered_at = new Date(Date.now() - 3 * DAY_MS - 1_000);
  if (fresh) fresh.delivered_at = new Date(Date.now() - 3 * DAY_MS + 60_000);

  const { json } = await list(simulator);
  const again = await app.send("POST", `${LIST}/${old?.id}/attempts`);

  expect(json.map(({ guid }) => guid)).toEqual(["new"]);
  expect(again.status).toBe(404);
});
