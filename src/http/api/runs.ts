import { type Context, Hono } from "hono";
import { type Connection, transaction } from "../../database/connect.ts";
import { listEvents } from "../../runs/events.ts";
import { cancelRun } from "../../runs/queue.ts";
import { readRun } from "../../runs/read.ts";
import { notFound, Problem } from "../problem.ts";
import type { RunChanges } from "../run-changes.ts";
import { idParameter, limitParameter, page, readCursor } from "./parameters.ts";
import { createRunStream } from "./run-stream.ts";
import { runJson } from "./views.ts";

/** `/api/v1/runs/{id}` and what lies below. */
export function createRunRoutes(connection: Connection, changes: RunChanges): Hono {
  const { db } = connection;
  const routes = new Hono();

  async function requireRun(c: Context) {
    const run = await readRun(db, c.var.viewer, idParameter(c, "id"));
    if (!run) throw notFound("run");
    return run;
  }

  routes.get("/:id", async (c) => c.json(runJson(await requireRun(c))));

  routes.get("/:id/log", async (c) => {
    const run = await requireRun(c);
    const limit = limitParameter(c);
    const events = await listEvents(db, run.id, { afterSeq: readCursor(c, isSeq) ?? 0, limit: limit + 1 });
    return c.json(page(events, { limit, key: (event) => event.seq, json: (event) => event }));
  });

  routes.post("/:id/cancel", async (c) => {
    const { id } = await requireRun(c);
    const state = await transaction(connection, ({ trx }) => cancelRun(trx, id, c.var.actor));
    const run = await requireRun(c);
    if (state === null) {
      throw new Problem(422, "Cannot cancel", { detail: `The run has ended already: it is ${run.state}.` });
    }
    c.header("Location", `/api/v1/runs/${id}`);
    return c.json(runJson(run), 202);
  });

  routes.get("/:id/events", async (c) => {
    const run = await requireRun(c);
    const last = Number(c.req.header("last-event-id") ?? 0);
    const known = isSeq(last) && last <= run.event_seq; // what we never sent means: from the beginning
    return createRunStream({
      db,
      changes,
      viewer: c.var.viewer,
      run,
      afterSeq: known ? last : 0,
    });
  });

  return routes;
}

function isSeq(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value < 2 ** 31;
}
