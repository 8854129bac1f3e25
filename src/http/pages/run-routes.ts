import { z } from "@hono/zod-openapi";
import { Hono } from "hono";
import type { Connection } from "../../database/connect.ts";
import { readRepository } from "../../installations/read.ts";
import { findLastFailure, listEvents, listMilestones } from "../../runs/events.ts";
import { readRun } from "../../runs/read.ts";
import { idParameters, wholeNumber } from "../api/parameters.ts";
import { readParameters } from "../api/router.ts";
import { cancel } from "../cancel.ts";
import { notFound } from "../problem.ts";
import { EVENTS_OF_PAGE } from "./log.ts";
import { withNotice } from "./notice.ts";
import { runPage } from "./run.ts";
import { createView } from "./view.ts";

const MILESTONES_SHOWN = 60;
const MAX_SEQ = 2_147_483_647;

const LOG_PARAMETERS = z.object({
  after: wholeNumber("after", {
    least: 0,
    most: MAX_SEQ,
    fallback: null,
    description: "The event that the page of the log comes after; the newest ones by default",
  }),
});

/** `/runs/{id}`, and the form that cancels it. */
export function createRunPages(connection: Connection): Hono {
  const { db } = connection;
  const routes = new Hono();

  routes.get("/:id", async (c) => {
    const { viewer } = c.var;
    const run = await readRun(db, viewer, readParameters(c, idParameters).id);
    const repository = run && (await readRepository(db, viewer, run.repository_id));
    if (!run || !repository) throw notFound("run");
    const { after } = readParameters(c, LOG_PARAMETERS);
    const newest = Math.max(0, run.event_seq - EVENTS_OF_PAGE);
    const afterSeq = after !== null && after < run.event_seq ? after : newest;
    const events = await listEvents(db, run.id, { afterSeq, limit: EVENTS_OF_PAGE });
    const milestones = await listMilestones(db, run.id, MILESTONES_SHOWN);
    const failure = run.state === "failed" ? await findLastFailure(db, run.id) : null;
    return c.html(runPage(createView(c), run, { repository, events, milestones, failure }));
  });

  routes.post("/:id/cancel", async (c) => {
    const { run, outcome } = await cancel(c, connection, readParameters(c, idParameters).id);
    return c.redirect(withNotice(`/runs/${run.id}`, outcome), 303);
  });

  return routes;
}
