import type { HttpBindings } from "@hono/node-server";
import type { Context, MiddlewareHandler } from "hono";
import { RateLimiterMemory, RateLimiterRes } from "rate-limiter-flexible";
import type { Caller } from "./access.ts";
import { Problem } from "./problem.ts";

export interface RateLimitOptions {
  /** What a person may ask in a minute; a search counts as five. */
  perMinute: number;
  /** Event streams that a person may have open. */
  streams?: number;
}

const SEARCH_POINTS = 5;
const STREAMS = 20;
/** The operator's one token is of scripts and dashboards, and of all who know it. */
const OPERATOR_FACTOR = 10;

/** Ends what a caller asks beyond its share with a 429 that says when to come back. Each replica counts its own. */
export function rateLimit({ perMinute, streams = STREAMS }: RateLimitOptions): MiddlewareHandler {
  const ofPersons = createBudget(perMinute);
  const ofOperator = createBudget(perMinute * OPERATOR_FACTOR);
  const open = new Map<string, number>();
  return async (c, next) => {
    const { caller } = c.var;
    const key = keyOf(caller);
    const headers = await spend(caller.user ? ofPersons : ofOperator, key, pointsOf(c));
    if (isStream(c)) holdStream(c, { open, key, most: streams * (caller.user ? 1 : OPERATOR_FACTOR) });
    await next();
    for (const [name, value] of Object.entries(headers)) c.header(name, value);
  };
}

function createBudget(points: number): RateLimiterMemory {
  return new RateLimiterMemory({ points: Math.max(points, SEARCH_POINTS), duration: 60 });
}

function keyOf({ user, actor }: Caller): string {
  return user ? `user ${user.id}` : actor;
}

function pointsOf(c: Context): number {
  return /^(\/api\/v1)?\/search\/?$/.test(c.req.path) ? SEARCH_POINTS : 1;
}

function isStream(c: Context): boolean {
  return c.req.method === "GET" && /^\/api\/v1\/.*events\/?$/.test(c.req.path);
}

/** Takes points from what is left of a caller's minute; answers the headers that tell of it. */
async function spend(
  budget: RateLimiterMemory,
  key: string,
  points: number,
): Promise<Record<string, string>> {
  try {
    return headersOf(budget.points, await budget.consume(key, points));
  } catch (error) {
    if (!(error instanceof RateLimiterRes)) throw error;
    await budget.reward(key, points); // what is refused costs nothing
    const headers = headersOf(budget.points, error);
    const seconds = headers["ratelimit-reset"] ?? "1";
    throw new Problem(429, "Too many requests", {
      detail:
        `That is more than ${budget.points} requests within a minute, of which a search counts as ` +
        `${SEARCH_POINTS}. Go on in ${seconds} s.`,
      headers: { ...headers, "retry-after": seconds },
    });
  }
}

/** draft-ietf-httpapi-ratelimit-headers-05: times in seconds from now. */
function headersOf(limit: number, { remainingPoints, msBeforeNext }: RateLimiterRes): Record<string, string> {
  return {
    "ratelimit-limit": String(limit),
    "ratelimit-remaining": String(remainingPoints),
    "ratelimit-reset": String(Math.max(1, Math.ceil(msBeforeNext / 1000))),
  };
}

/** Counts a stream for as long as its connection answers it. */
function holdStream(
  c: Context,
  { open, key, most }: { open: Map<string, number>; key: string; most: number },
): void {
  const { outgoing } = (c.env ?? {}) as Partial<HttpBindings>;
  if (!outgoing) return;
  const count = open.get(key) ?? 0;
  if (count >= most) {
    throw new Problem(429, "Too many streams", {
      detail: `${most} event streams are open, which is the most: close one that is not needed.`,
      headers: { "retry-after": "5" },
    });
  }
  open.set(key, count + 1);
  outgoing.once("close", () => {
    const left = (open.get(key) ?? 1) - 1;
    if (left > 0) open.set(key, left);
    else open.delete(key);
  });
}
