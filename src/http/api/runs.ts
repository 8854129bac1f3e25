import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import type { Connection } from "../../database/connect.ts";
import { listEvents } from "../../runs/events.ts";
import { cancel } from "../cancel.ts";
import { Problem } from "../problem.ts";
import type { RunChanges } from "../run-changes.ts";
import { requireRun } from "../seen.ts";
import { cursor, idParameters, limit, page } from "./parameters.ts";
import { createRoutes, events, json, PROBLEMS, sendPage } from "./router.ts";
import { createRunStream } from "./run-stream.ts";
import { logEventSchema, pageOf, runSchema } from "./schemas.ts";
import { runJson } from "./views.ts";

const READ = createRoute({
  method: "get",
  path: "/{id}",
  operationId: "readRun",
  summary: "One run",
  request: { params: idParameters },
  responses: { 200: json(runSchema, "The run"), ...PROBLEMS },
});

const LOG = createRoute({
  method: "get",
  path: "/{id}/log",
  operationId: "readRunLog",
  summary: "What a run has told of itself, oldest first",
  request: { params: idParameters, query: z.object({ limit, cursor: cursor(isSeq) }) },
  responses: { 200: json(pageOf(logEventSchema, "Log"), "Events"), ...PROBLEMS },
});

const CANCEL = createRoute({
  method: "post",
  path: "/{id}/cancel",
  operationId: "cancelRun",
  summary: "Cancels a run that waits or runs",
  request: { params: idParameters },
  responses: { 202: json(runSchema, "It ends soon, or has"), ...PROBLEMS },
});

const EVENTS = createRoute({
  method: "get",
  path: "/{id}/events",
  operationId: "streamRun",
  summary: "A run's events as they come (server-sent events)",
  request: {
    params: idParameters,
    headers: z.object({
      "last-event-id": z
        .string()
        .optional()
        .openapi({ description: "The last event that was seen: those after it follow without a gap" }),
    }),
  },
  responses: {
    200: events(
      "`run.queued`, `run.started`, `run.progress`, `run.completed`; a `snapshot` stands for what is no longer kept",
    ),
    204: { description: "The run has ended, and all has been told" },
    ...PROBLEMS,
  },
});

/** `/api/v1/runs/{id}` and what lies below. */
export function createRunRoutes(connection: Connection, changes: RunChanges): OpenAPIHono {
  const { db } = connection;
  const routes = createRoutes();

  routes.openapi(READ, async (c) => c.json(runJson(await requireRun(c, db, c.req.valid("param").id)), 200));

  routes.openapi(LOG, async (c) => {
    const run = await requireRun(c, db, c.req.valid("param").id);
    const { limit, cursor } = c.req.valid("query");
    const events = await listEvents(db, run.id, { afterSeq: cursor ?? 0, limit: limit + 1 });
    return sendPage(c, page(events, { limit, key: (event) => event.seq, json: (event) => event }));
  });

  routes.openapi(CANCEL, async (c) => {
    const { run, outcome } = await cancel(c, connection, c.req.valid("param").id);
    if (outcome === "ended") {
      throw new Problem(422, "Cannot cancel", { detail: `The run has ended already: it is ${run.state}.` });
    }
    c.header("Location", `/api/v1/runs/${run.id}`);
    return c.json(runJson(run), 202);
  });

  routes.openapi(EVENTS, async (c) => {
    const run = await requireRun(c, db, c.req.valid("param").id);
    const given = c.req.valid("header")["last-event-id"] ?? "";
    const last = /^\d{1,10}$/.test(given) ? Number(given) : 0;
    const known = last <= run.event_seq; // what we never sent means: from the beginning
    const { viewer } = c.var;
    return createRunStream(c, { db, changes, viewer, run, afterSeq: known ? last : 0 });
  });

  return routes;
}

function isSeq(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value < 2 ** 31;
}
