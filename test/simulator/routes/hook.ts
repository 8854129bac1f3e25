import { type Answer, json, notFound } from "../answers.ts";
import type { DeliveryAttempt } from "../hook.ts";
import type { Call, Route } from "../router.ts";
import type { Simulation } from "../simulation.ts";
import { positive } from "./pages.ts";

const DEFAULT_PAGE_SIZE = 30;

/** What the App asks about the deliveries to its webhook. */
export const hookRoutes: Route[] = [
  { method: "GET", template: "/app/hook/deliveries", by: "app", answer: listDeliveries },
  { method: "POST", template: "/app/hook/deliveries/{delivery_id}/attempts", by: "app", answer: redeliver },
];

/** Newest first. A page's link names the delivery that it ended with: what arrives meanwhile moves nothing. */
function listDeliveries({ query, path }: Call, { hook, links, pageSizeMax }: Simulation): Answer {
  const status = query.get("status");
  const wanted = hook
    .listed()
    .filter((attempt) => status === null || isOk(attempt) === (status === "success"));
  const cursor = query.get("cursor");
  const start = cursor === null ? 0 : wanted.findIndex((attempt) => cursorOf(attempt) === cursor) + 1;
  const size = Math.min(positive(query.get("per_page")) ?? DEFAULT_PAGE_SIZE, pageSizeMax);
  const page = wanted.slice(start, start + size);
  const last = page.at(-1);
  const next = new URL(`${links.api}${path}`);
  if (last) next.searchParams.set("cursor", cursorOf(last));
  const more = last !== undefined && start + size < wanted.length;
  return json(200, page.map(viewAttempt), more ? { link: `<${next}>; rel="next"` } : {});
}

/** Answered before the delivery is made, as GitHub does: what becomes of it is another attempt in the list. */
function redeliver({ params }: Call, { hook }: Simulation): Answer {
  const attempt = hook.listed().find(({ id }) => String(id) === params.delivery_id);
  if (!attempt) throw notFound();
  hook.redeliver(attempt).catch(() => {}); // the attempt says so
  return json(202, {});
}

function isOk({ status_code }: DeliveryAttempt): boolean {
  return status_code >= 200 && status_code < 400;
}

function cursorOf({ id }: DeliveryAttempt): string {
  return `v1_${id}`;
}

/** GitHub's "hook-delivery-item"; its id is a number in the JSON text, too large for JavaScript's own. */
function viewAttempt({ id, request: _, delivered_at, ...attempt }: DeliveryAttempt) {
  return {
    id: rawJson(String(id)),
    ...attempt,
    delivered_at: delivered_at.toISOString(),
    throttled_at: null,
  };
}

/** Text that `JSON.stringify` puts out as it is; TypeScript does not know of it yet. */
function rawJson(text: string): unknown {
  return (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON(text);
}
