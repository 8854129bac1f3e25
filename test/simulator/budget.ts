/** docs.github.com, "Rate limits for the REST API": an installation's hourly floor. */
const HOURLY_REQUESTS = 5_000;
const HOUR_SECONDS = 3_600;

/** An hour's allowance, and what is left of it. */
export interface Budget {
  limit: number;
  remaining: number;
  /** Epoch seconds. */
  reset: number;
}

/** Counts each caller's requests; a spent budget fills again when its reset has passed. */
export interface Budgets {
  set(installationId: number, budget: Budget): void;
  read(installationId: number | null): Budget;
  /** Takes one request; false when none is left. */
  spend(installationId: number): boolean;
}

/** Budgets that are full until told otherwise. */
export function createBudgets(): Budgets {
  const budgets = new Map<number | null, Budget>();

  function read(installationId: number | null): Budget {
    const now = Math.floor(Date.now() / 1000);
    const known = budgets.get(installationId);
    if (known && known.reset > now) return known;
    const limit = known?.limit ?? HOURLY_REQUESTS;
    const fresh = { limit, remaining: limit, reset: now + HOUR_SECONDS };
    budgets.set(installationId, fresh);
    return fresh;
  }

  return {
    read,
    set: (installationId, budget) => void budgets.set(installationId, { ...budget }),
    spend(installationId) {
      const budget = read(installationId);
      if (budget.remaining <= 0) return false;
      budget.remaining--;
      return true;
    },
  };
}

/** GitHub's message, in a 403 of REST and in an error of GraphQL. */
export function spentMessage(installationId: number): string {
  return `API rate limit exceeded for installation ID ${installationId}.`;
}

/** The headers that GitHub puts on every answer. */
export function budgetHeaders({ limit, remaining, reset }: Budget, resource: string): Record<string, string> {
  return {
    "x-ratelimit-limit": String(limit),
    "x-ratelimit-remaining": String(remaining),
    "x-ratelimit-reset": String(reset),
    "x-ratelimit-used": String(Math.max(0, limit - remaining)),
    "x-ratelimit-resource": resource,
  };
}
