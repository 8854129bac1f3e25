import { describe, expect, test } from "vitest";
import { createBudgets } from "../../src/github/budget.ts";
import { BudgetReserved } from "../../src/scan/source.ts";

const core = { installationId: "1", resource: "core" as const };
const background = { ...core, background: true };
const asked = { ...core, background: false };

function answered(remaining: number, { limit = 100, inSeconds = 60 } = {}) {
  return {
    "x-ratelimit-limit": String(limit),
    "x-ratelimit-remaining": String(remaining),
    "x-ratelimit-reset": String(Math.ceil(Date.now() / 1000) + inSeconds),
  };
}

describe("an hour's budget", () => {
  test("is taken for plenty until GitHub says otherwise", () => {
    const budgets = createBudgets();

    expect(() => budgets.begin(background)).not.toThrow();
    expect(budgets.isScarce("1")).toBe(false);
  });

  test("leaves its last fifth to pushes and people", () => {
    const budgets = createBudgets();
    budgets.begin(background);
    budgets.end(core, answered(21));

    expect(() => budgets.begin(background)).not.toThrow();
    budgets.end(core, answered(20));

    expect(() => budgets.begin(background)).toThrow(BudgetReserved);
    expect(() => budgets.begin(asked)).not.toThrow();
  });

  test("counts what is under way as spent", () => {
    const budgets = createBudgets();
    budgets.begin(background);
    budgets.end(core, answered(23));

    const begun = Array.from({ length: 5 }, () => {
      try {
        budgets.begin(background);
        return true;
      } catch {
        return false;
      }
    });

    expect(begun).toEqual([true, true, true, false, false]);
  });

  test("is not made larger by an answer that was overtaken", () => {
    const budgets = createBudgets();
    budgets.begin(asked);
    budgets.begin(asked);
    budgets.end(core, answered(20));
    budgets.end(core, answered(21));

    expect(() => budgets.begin(background)).toThrow(BudgetReserved);
  });

  test("is full again in the next window, whatever a late answer of the last one says", () => {
    const budgets = createBudgets();
    budgets.begin(asked);
    budgets.begin(asked);
    budgets.begin(asked);
    budgets.end(core, answered(20));
    budgets.end(core, answered(99, { inSeconds: 3_600 }));
    budgets.end(core, answered(19));

    expect(() => budgets.begin(background)).not.toThrow();
  });

  test("of one installation says nothing of another's, nor REST's of GraphQL's", () => {
    const budgets = createBudgets();
    budgets.begin(asked);
    budgets.end(core, answered(0));

    expect(() => budgets.begin({ ...background, installationId: "2" })).not.toThrow();
    expect(() => budgets.begin({ ...background, resource: "graphql" })).not.toThrow();
    expect(budgets.isScarce("2")).toBe(false);
    expect(budgets.isScarce("1")).toBe(true);
  });
});
