import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import type { Connection } from "../../database/connect.ts";
import { DELIVERY_STATES, isDeliveryPosition, listDeliveries } from "../../deliveries/read.ts";
import { requireOperator } from "../access.ts";
import { cursor, limit, oneOf, page } from "./parameters.ts";
import { createRoutes, json, PROBLEMS, sendPage } from "./router.ts";
import { deliverySchema, pageOf } from "./schemas.ts";

const LIST = createRoute({
  method: "get",
  path: "/",
  operationId: "listDeliveries",
  summary: "GitHub's webhooks, newest first, and what each led to (operators only)",
  middleware: [
    async (c, next) => {
      requireOperator(c); // before its parameters are looked at: to others it is not there
      await next();
    },
  ] as const,
  request: {
    query: z.object({
      state: oneOf("state", DELIVERY_STATES, "Only those that are"),
      limit,
      cursor: cursor(isDeliveryPosition),
    }),
  },
  responses: { 200: json(pageOf(deliverySchema, "Deliveries"), "Deliveries"), ...PROBLEMS },
});

/** `/api/v1/deliveries` */
export function createDeliveryRoutes({ db }: Connection): OpenAPIHono {
  const routes = createRoutes();
  routes.openapi(LIST, async (c) => {
    const { state, limit, cursor } = c.req.valid("query");
    const deliveries = await listDeliveries(db, { state, after: cursor, limit: limit + 1 });
    return sendPage(
      c,
      page(deliveries, {
        limit,
        key: ({ position }) => position,
        json: ({ position: _, ...delivery }) => delivery,
      }),
    );
  });
  return routes;
}
