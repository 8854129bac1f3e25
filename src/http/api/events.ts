import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import type { Connection } from "../../database/connect.ts";
import { listOpenRuns } from "../../runs/read.ts";
import { createFeedStream, type Live } from "./feed-stream.ts";
import { createRoutes, events, PROBLEMS } from "./router.ts";
import { runJson } from "./views.ts";

/** Open runs of a snapshot; others are told once they change. */
const RUNS_SHOWN = 500;

const EVENTS = createRoute({
  method: "get",
  path: "/",
  operationId: "streamOverview",
  summary: "What happens to all runs (server-sent events)",
  responses: {
    200: events("`snapshot` (the runs that wait or run), then each run as it is once it changes"),
    ...PROBLEMS,
  },
});

/** `/api/v1/events` */
export function createEventRoutes({ db }: Connection, live: Live): OpenAPIHono {
  const routes = createRoutes();
  routes.openapi(EVENTS, (c) => {
    const { viewer } = c.var;
    const snapshot = async () => {
      const runs = await listOpenRuns(db, viewer, RUNS_SHOWN);
      return { data: { runs: runs.map(runJson) }, runs };
    };
    return createFeedStream(c, { ...live, viewer, repositoryId: null, snapshot });
  });
  return routes;
}
