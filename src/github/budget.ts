import { BudgetReserved } from "../scan/source.ts";
import { type AnswerHeaders, resetOf } from "./limits.ts";

/** The share of an hour's requests that background work leaves to pushes and people. */
const RESERVED_SHARE = 0.2;
/** Below this share nothing is told that can wait: what a check run says in between is dropped first of all. */
const SCARCE_SHARE = 0.4;

/** What an installation has of one of GitHub's hourly budgets, as its last answer said. */
interface Balance {
  limit: number;
  remaining: number;
  resetAt: Date;
  /** Asked and not answered yet. */
  underWay: number;
}

export type Resource = "core" | "graphql";

/** Knows what is left of every installation's hourly requests, from the headers of GitHub's answers. */
export interface Budgets {
  /** Counts a request as under way. Throws BudgetReserved where it is background work and must leave what is left. */
  begin(request: { installationId: string; resource: Resource; background: boolean }): void;
  end(request: { installationId: string; resource: Resource }, headers: AnswerHeaders | null): void;
  /** Whether so little is left that only what matters should be sent. */
  isScarce(installationId: string): boolean;
  /** What is known to be left, of each. */
  list(): { installationId: string; resource: Resource; remaining: number }[];
}

/** Budgets that are unknown, and taken for plenty, until GitHub's first answer. */
export function createBudgets(): Budgets {
  const balances = new Map<string, Balance>();
  const keyOf = (installationId: string, resource: Resource) => `${installationId} ${resource}`;

  function read(installationId: string, resource: Resource): Balance {
    const key = keyOf(installationId, resource);
    const known = balances.get(key);
    if (known && known.resetAt.getTime() > Date.now()) return known;
    const fresh = {
      limit: 0,
      remaining: Number.POSITIVE_INFINITY,
      resetAt: FAR_AHEAD,
      underWay: known?.underWay ?? 0,
    };
    balances.set(key, fresh);
    return fresh;
  }

  return {
    begin({ installationId, resource, background }) {
      const balance = read(installationId, resource);
      if (background && leftOf(balance) <= balance.limit * RESERVED_SHARE)
        throw new BudgetReserved(balance.resetAt);
      balance.underWay += 1;
    },
    end({ installationId, resource }, headers) {
      const balance = read(installationId, resource);
      balance.underWay = Math.max(0, balance.underWay - 1);
      const limit = Number(headers?.["x-ratelimit-limit"]);
      const remaining = Number(headers?.["x-ratelimit-remaining"]);
      if (!headers || !Number.isFinite(limit) || !Number.isFinite(remaining)) return;
      const resetAt = resetOf(headers);
      const later = resetAt.getTime() - balance.resetAt.getTime();
      // Answers overtake each other: within one window the least that was said counts, and an old one no more.
      if (balance.limit > 0 && later < -SAME_WINDOW_MS) return;
      const sameWindow = Math.abs(later) <= SAME_WINDOW_MS;
      balance.remaining = sameWindow ? Math.min(balance.remaining, remaining) : remaining;
      balance.limit = limit;
      balance.resetAt = resetAt;
    },
    isScarce(installationId) {
      const balance = read(installationId, "core");
      return leftOf(balance) <= balance.limit * SCARCE_SHARE;
    },
    list: () =>
      [...balances].flatMap(([key, balance]) => {
        const [installationId = "", resource = "core"] = key.split(" ") as [string, Resource];
        const isKnown = Number.isFinite(balance.remaining) && balance.resetAt.getTime() > Date.now();
        return isKnown ? [{ installationId, resource, remaining: balance.remaining }] : [];
      }),
  };
}

const FAR_AHEAD = new Date(8.64e15);
/** GitHub tells resets in whole seconds, and our clocks differ by the way between us. */
const SAME_WINDOW_MS = 5_000;

function leftOf({ remaining, underWay }: Balance): number {
  return remaining - underWay;
}
