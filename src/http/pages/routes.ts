import { z } from "@hono/zod-openapi";
import { type Context, Hono } from "hono";
import { compress } from "hono/compress";
import type { Connection } from "../../database/connect.ts";
import { OPERATOR } from "../../database/viewer.ts";
import { DELIVERY_STATES, isDeliveryPosition, listDeliveries } from "../../deliveries/read.ts";
import { hasRepositories, readNames, readOverview } from "../../installations/read.ts";
import { listRunsById } from "../../runs/read.ts";
import { BadCursor } from "../../search/cursor.ts";
import { parseQuery } from "../../search/query.ts";
import { QuerySyntaxError } from "../../search/query-error.ts";
import { search } from "../../search/search.ts";
import { requireOperator } from "../access.ts";
import { cursor, oneOf, page, text, wholeNumber } from "../api/parameters.ts";
import { readParameters } from "../api/router.ts";
import type { SearchAccess } from "../api/search.ts";
import { badRequest } from "../problem.ts";
import { deliveriesPage } from "./deliveries.ts";
import { firstRunPage, nothingVisiblePage } from "./first-run.ts";
import { homePage } from "./home.ts";
import { createRepositoryPages } from "./repository-routes.ts";
import { createRunPages } from "./run-routes.ts";
import { REPOSITORIES_NAMED, type SearchOutcome, searchPage } from "./search.ts";
import { createView } from "./view.ts";

const REPOSITORIES_SHOWN = 200;
const DELIVERIES_SHOWN = 50;
/** Files of a page of answers, what is shown around each line, and at most how many lines of a file. */
const FOUND = { limit: 20, context: 1, lines: 10 };

const HOME_PARAMETERS = z.object({
  q: text("q", "A part of `owner/name`"),
  offset: wholeNumber("offset", {
    least: 0,
    most: 1_000_000,
    fallback: 0,
    description: "How many come before",
  }),
});
const SEARCH_PARAMETERS = z.object({ cursor: text("cursor", "Where the page before ended") });
const DELIVERY_PARAMETERS = z.object({
  state: oneOf("state", DELIVERY_STATES, "Only those that are"),
  cursor: cursor(isDeliveryPosition),
});

export interface PageOptions extends SearchAccess {
  /** Where the GitHub App can be installed, as far as GitHub says. */
  installLink(): Promise<string | null>;
}

/** The pages: all of them work without their script. */
export function createPageRoutes(connection: Connection, options: PageOptions): Hono {
  const { db } = connection;
  const { githubWebUrl } = options;
  const routes = new Hono();
  routes.use(compress());

  routes.get("/", async (c) => {
    const { viewer } = c.var;
    const view = createView(c);
    const { q, offset } = readParameters(c, HOME_PARAMETERS);
    const overview = await readOverview(db, viewer, { limit: REPOSITORIES_SHOWN, offset, q });
    if (overview.repositories === 0 && q === null && !(await hasRepositories(db, viewer))) {
      // Others are not told whether there is anything that they may not see.
      const isFirst = c.var.caller.isOperator && !(await hasRepositories(db, OPERATOR));
      return c.html(
        (isFirst ? firstRunPage : nothingVisiblePage)(view, { installUrl: await options.installLink() }),
      );
    }
    const ids = overview.rows.flatMap(({ run_id }) => run_id ?? []);
    const runs = await listRunsById(db, viewer, ids);
    return c.html(homePage(view, { overview, runs, q, pageSize: REPOSITORIES_SHOWN }));
  });

  routes.get("/search", async (c) => {
    const { cursor } = readParameters(c, SEARCH_PARAMETERS);
    const q = c.req.query("q") ?? "";
    const outcome = await searchFor(c, options, { text: q, cursor });
    const status = outcome instanceof QuerySyntaxError ? 400 : 200;
    const names = await readNames(db, c.var.viewer, missingOf(outcome));
    const shown = { outcome, isLater: cursor !== null, names, githubWebUrl };
    return c.html(searchPage(createView(c), q, shown), status);
  });

  routes.get("/deliveries", async (c) => {
    requireOperator(c);
    const { state, cursor } = readParameters(c, DELIVERY_PARAMETERS);
    const rows = await listDeliveries(db, { state, after: cursor, limit: DELIVERIES_SHOWN + 1 });
    const { data, next_cursor } = page(rows, {
      limit: DELIVERIES_SHOWN,
      key: ({ position }) => position,
      json: (row) => row,
    });
    const shown = { deliveries: data, state, next: next_cursor, isLater: cursor !== null };
    return c.html(deliveriesPage(createView(c), shown));
  });

  routes.route("/repositories", createRepositoryPages(connection, options));
  routes.route("/runs", createRunPages(connection));
  return routes;
}

/** The first of the repositories of which files may be missing in an answer. */
function missingOf(outcome: SearchOutcome): string[] {
  if (outcome === null || outcome instanceof QuerySyntaxError) return [];
  return (outcome.incomplete?.repositories ?? []).slice(0, REPOSITORIES_NAMED);
}

/** What a query finds, or what is wrong with it; null where it asks nothing. */
async function searchFor(
  c: Context,
  { engine }: SearchAccess,
  { text, cursor }: { text: string; cursor: string | null },
): Promise<SearchOutcome> {
  try {
    const query = parseQuery(text);
    if (query.query === null) return null;
    return await search(engine, c.var.viewer, query, { ...FOUND, cursor, signal: c.req.raw.signal });
  } catch (error) {
    if (error instanceof QuerySyntaxError) return error;
    if (error instanceof BadCursor) throw badRequest(error.message);
    throw error;
  }
}
