import { enterRepository, Moved, nameNumberedPath, numberedPath } from "./access.ts";
import { type Answer, gather, json, notFound, Refused } from "./answers.ts";
import { type BudgetOwner, spentMessage } from "./budget.ts";
import { type Checked, checkRest } from "./check.ts";
import { checkGraphql } from "./graphql/check.ts";
import { answerGraphql, graphqlRateLimited } from "./graphql/execute.ts";
import type { Incoming } from "./handle.ts";
import type { Validator } from "./openapi.ts";
import type { RecordedRequest } from "./recorder.ts";
import type { Call, createRouter, InstallationCall, Matched, Route } from "./router.ts";
import type { Simulation } from "./simulation.ts";
import type { Caller } from "./tokens.ts";

const REST_ROOT = "/api/v3";
const GRAPHQL_PATH = "/api/graphql";
const SECONDARY_LIMIT =
  "You have exceeded a secondary rate limit and have been temporarily blocked from content creation. Please retry your request again later.";

interface ApiOptions {
  simulation: Simulation;
  match: ReturnType<typeof createRouter>;
  validator: Validator | null;
}

/** Whether an address is GraphQL's; everything else on this origin is taken for REST. */
export function isGraphql(url: URL): boolean {
  return url.pathname === GRAPHQL_PATH;
}

/** REST below /api/v3, with GitHub's order of refusals: credentials, budget, reach, permission. */
export function createRestArea({ simulation, match, validator }: ApiOptions) {
  const { world, tokens, recorder } = simulation;

  function find(method: string, url: URL): { matched: Matched | null; path: string } {
    if (!url.pathname.startsWith(`${REST_ROOT}/`)) return { matched: null, path: url.pathname + url.search };
    const pathname = nameNumberedPath(url.pathname.slice(REST_ROOT.length), world);
    return { matched: match(method, pathname), path: pathname + url.search };
  }

  async function answer(
    { request, method, url, path, body }: Incoming,
    recorded: RecordedRequest,
  ): Promise<Answer> {
    const { matched } = find(method, url);
    if (!matched) throw notFound();
    requireUserAgent(request.headers["user-agent"]);
    if (typeof body === "string") throw new Refused(400, "Problems parsing JSON");
    const { params, route } = matched;
    const caller = route.by === "anyone" ? null : tokens.identify(request.headers.authorization);
    const call: Call = { params, query: url.searchParams, path, headers: request.headers, body };
    return await answerCall(matched, { call, caller, recorded });
  }

  function spend(owner: BudgetOwner, { free, method, template }: Route): void {
    if (free || simulation.budgets.spend(owner, "core", `${method} ${template}`)) return;
    throw new Refused(403, spentMessage(owner));
  }

  function countContent(installationId: number): void {
    const refused = simulation.content.admit(installationId);
    if (!refused) return;
    throw new Refused(403, SECONDARY_LIMIT, { headers: { "retry-after": String(refused.retryAfter) } });
  }

  async function answerCall(
    { route }: Matched,
    { call, caller, recorded }: { call: Call; caller: Caller | null; recorded: RecordedRequest },
  ): Promise<Answer> {
    if (route.by === "anyone") return await route.answer(call, simulation);
    if (route.by === "app") {
      if (caller?.kind !== "app") throw new Refused(401, "A JSON web token could not be decoded");
      spend(null, route);
      return await route.answer(call, simulation);
    }
    if (route.by === "user") {
      if (caller?.kind !== "user") throw new Refused(403, "Resource not accessible by integration");
      spend(caller.user.id, route);
      return await route.answer({ ...call, user: caller.user }, simulation);
    }
    const own = installationCall(call, caller);
    recorded.installation_id = own.installation.id;
    spend(own.installation.id, route);
    if (route.content) countContent(own.installation.id);
    if (route.by === "installation") return await route.answer(own, simulation);
    try {
      const entered = enterRepository(own, { world, method: route.method, needs: route.needs });
      return await route.answer(entered, simulation);
    } catch (error) {
      if (error instanceof Moved) return redirect(call, { moved: error, method: route.method, simulation });
      throw error;
    }
  }

  return {
    resource: "core" as const,
    locate(method: string, url: URL) {
      const { matched, path } = find(method, url);
      return { route: matched?.route.template ?? path, path };
    },
    check: (incoming: Incoming): Checked => checkRest(incoming, { match, validator }),
    async answer(incoming: Incoming, recorded: RecordedRequest): Promise<Answer> {
      const answered = await answer(incoming, recorded);
      const { matched } = find(incoming.method, incoming.url);
      if (!validator || !matched || !/^application\/json/.test(answered.headers["content-type"] ?? ""))
        return answered;
      const whole = await gather(answered);
      recorder.violations.push(...validator.checkAnswer(matched.route, whole));
      return whole;
    },
  };
}

/** GraphQL at /api/graphql: one query with an installation's token. */
export function createGraphqlArea(simulation: Simulation) {
  return {
    resource: "graphql" as const,
    locate: () => ({ route: "/graphql", path: "/graphql" }),
    check: ({ body }: Incoming): Checked => ({ operation: "POST /graphql", violations: checkGraphql(body) }),
    async answer({ request, body }: Incoming, recorded: RecordedRequest): Promise<Answer> {
      requireUserAgent(request.headers["user-agent"]);
      const caller = simulation.tokens.identify(request.headers.authorization);
      if (caller.kind !== "installation") throw new Refused(403, "Resource not accessible by integration");
      const { id } = caller.installation;
      recorded.installation_id = id;
      if (!simulation.budgets.spend(id, "graphql", "POST /graphql"))
        return graphqlRateLimited(spentMessage(id));
      return await answerGraphql(body, { simulation, token: caller.token });
    },
  };
}

function installationCall(call: Call, caller: Caller | null): InstallationCall {
  if (caller?.kind !== "installation") throw new Refused(403, "Resource not accessible by integration");
  return { ...call, token: caller.token, installation: caller.installation };
}

/** A renamed repository: 301 for reading, 307 for writing, to its numbered address. */
function redirect(
  call: Call,
  { moved, method, simulation }: { moved: Moved; method: string; simulation: Simulation },
): Answer {
  const url = `${simulation.links.api}${numberedPath(call, moved.repository)}`;
  const status = method === "GET" ? 301 : 307;
  const message = status === 301 ? "Moved Permanently" : "Temporary Redirect";
  return json(status, { message, url, documentation_url: "https://docs.github.com/rest" }, { location: url });
}

function requireUserAgent(userAgent: string | undefined): void {
  if (userAgent) return;
  const message =
    "Request forbidden by administrative rules. Please make sure your request has a User-Agent header";
  throw new Refused(403, message);
}
