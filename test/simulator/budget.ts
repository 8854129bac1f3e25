/** docs.github.com, "Rate limits for the REST API": an installation's hourly floor, and the App's own. */
const HOURLY_REQUESTS = 5_000;
const HOUR_SECONDS = 3_600;

/** What GitHub counts apart. */
export type Resource = "core" | "graphql";

/** Whose requests are counted together: an installation's, or with null those of the App itself. */
export type BudgetOwner = number | null;

/** A window's allowance, and what is left of it. */
export interface Budget {
  limit: number;
  remaining: number;
  /** Epoch seconds. */
  reset: number;
}

/** What was asked in one window; refused requests are not in it. */
export interface BudgetUse {
  readonly resource: Resource;
  /** Epoch seconds. */
  readonly windowStart: number;
  readonly limit: number;
  used: number;
  /** By the route's method and template. */
  readonly byRoute: Record<string, number>;
}

/** Counts each caller's requests; a spent budget fills again when its reset has passed. */
export interface Budgets {
  set(owner: BudgetOwner, budget: Budget, resource?: Resource): void;
  /**
   * From now on every budget fills each so many seconds, all at the same time, and an installation's has this limit.
   * What was set before is forgotten.
   */
  setWindow(window: { limit: number; seconds: number }): void;
  read(owner: BudgetOwner, resource: Resource): Budget;
  /** Takes one request of this route; false when none is left. */
  spend(owner: BudgetOwner, resource: Resource, route: string): boolean;
  /** The windows in which something was asked or set, oldest first. */
  uses(owner: BudgetOwner): BudgetUse[];
}

interface Window {
  budget: Budget;
  use: BudgetUse;
}

/** Budgets of an hour that are full until told otherwise. */
export function createBudgets(): Budgets {
  const windows = new Map<string, Window>();
  const uses = new Map<BudgetOwner, BudgetUse[]>();
  let shared: { limit: number; seconds: number; start: number } | null = null;

  function open(
    owner: BudgetOwner,
    resource: Resource,
    { budget, start }: { budget: Budget; start: number },
  ): Window {
    const use = { resource, windowStart: start, limit: budget.limit, used: 0, byRoute: {} };
    uses.set(owner, [...(uses.get(owner) ?? []), use]);
    const opened = { budget, use };
    windows.set(`${owner} ${resource}`, opened);
    return opened;
  }

  function current(owner: BudgetOwner, resource: Resource): Window {
    const now = Math.floor(Date.now() / 1000);
    const known = windows.get(`${owner} ${resource}`);
    if (known && known.budget.reset > now) return known;
    const own = owner !== null && shared ? shared.limit : HOURLY_REQUESTS;
    const limit = known?.budget.limit ?? own;
    const seconds = shared?.seconds ?? HOUR_SECONDS;
    const start = shared ? now - ((now - shared.start) % seconds) : now;
    const budget = { limit, remaining: limit, reset: start + seconds };
    return open(owner, resource, { budget, start });
  }

  return {
    read: (owner, resource) => current(owner, resource).budget,
    set(owner, budget, resource = "core") {
      open(owner, resource, { budget: { ...budget }, start: Math.floor(Date.now() / 1000) });
    },
    setWindow(window) {
      shared = { ...window, start: Math.floor(Date.now() / 1000) };
      windows.clear();
    },
    spend(owner, resource, route) {
      const { budget, use } = current(owner, resource);
      if (budget.remaining <= 0) return false;
      budget.remaining--;
      use.used++;
      use.byRoute[route] = (use.byRoute[route] ?? 0) + 1;
      return true;
    },
    uses: (owner) => uses.get(owner) ?? [],
  };
}

/** GitHub's message, in a 403 of REST and in an error of GraphQL. */
export function spentMessage(owner: BudgetOwner): string {
  return owner === null
    ? "API rate limit exceeded for this GitHub App."
    : `API rate limit exceeded for installation ID ${owner}.`;
}

/** The headers that GitHub puts on every answer. */
export function budgetHeaders(
  { limit, remaining, reset }: Budget,
  resource: Resource,
): Record<string, string> {
  return {
    "x-ratelimit-limit": String(limit),
    "x-ratelimit-remaining": String(remaining),
    "x-ratelimit-reset": String(reset),
    "x-ratelimit-used": String(Math.max(0, limit - remaining)),
    "x-ratelimit-resource": resource,
  };
}
