import { sql } from "kysely";
import { beforeEach, describe, expect, test } from "vitest";
import { holdWritesFor, LEVEL, mayWrite, spendWrites } from "../../src/runs/write-allowance.ts";
import { BudgetReserved, RateLimited } from "../../src/scan/source.ts";
import { useDatabase } from "../support/database.ts";
import { seedRepository } from "../support/seed.ts";

const database = useDatabase();
beforeEach(() => seedRepository(database.db));

const PER_HOUR = 500;

/** Takes a write if there is one, as the lease of a report does. */
async function take(level: number = LEVEL.asked, perHour = PER_HOUR): Promise<boolean> {
  const { rows } = await sql`
    with due as (
      select i.id as installation_id from installations i left join write_allowances w on w.installation_id = i.id
      where i.id = 1 and ${mayWrite(perHour, sql`${level}`)}
    ),
    spent as (${spendWrites(perHour, 1)})
    select from due`.execute(database.db);
  return rows.length > 0;
}

/** Lets so many seconds go by. */
async function pass(seconds: number): Promise<void> {
  await sql`
    update write_allowances set counted_at = counted_at - make_interval(secs => ${seconds}),
      not_before = not_before - make_interval(secs => ${seconds})`.execute(database.db);
}

describe("an installation's writes", () => {
  test("are a second apart", async () => {
    const first = await take();
    const atOnce = await take();
    await pass(1);
    const later = await take();

    expect([first, atOnce, later]).toEqual([true, false, true]);
  });

  test("are at most 500 in any hour, however they come", async () => {
    const taken: number[] = [];
    for (let second = 0; second < 2 * 3_600; second += 5) {
      if (await take()) taken.push(second);
      await pass(5);
    }

    const inHour = taken.map((from) => taken.filter((at) => at >= from && at < from + 3_600).length);
    expect(Math.max(...inHour)).toBeLessThanOrEqual(500);
    expect(Math.max(...inHour)).toBeGreaterThan(450);
  });

  test("of progress end first, then those that nobody waits for, then all", async () => {
    const ended: Record<string, number> = {};
    for (let writes = 0; writes < 260; writes += 1) {
      for (const [name, level] of Object.entries(LEVEL)) {
        const { rows } = await sql<{ may: boolean }>`
          select ${mayWrite(PER_HOUR, sql`${level}`)} as may
          from installations i left join write_allowances w on w.installation_id = i.id where i.id = 1`.execute(
          database.db,
        );
        if (!rows[0]?.may) ended[name] ??= writes;
      }
      if (!(await take())) break;
      await sql`update write_allowances set not_before = '-infinity'`.execute(database.db);
    }

    expect(Object.keys(ended)).toEqual(["progress", "background", "asked"]);
    expect(ended.progress).toBeGreaterThan(70);
    expect(ended.background).toBeGreaterThan(150);
    expect(ended.asked).toBeGreaterThan(230);
  });

  test("wait where GitHub said so, and not because background work leaves its budget alone", async () => {
    const soon = new Date(Date.now() + 60_000);

    await holdWritesFor(database.db, "1", new BudgetReserved(soon));
    const kept = await take();
    await holdWritesFor(database.db, "1", new RateLimited(soon));
    await pass(30);
    const held = await take();
    await pass(31);
    const after = await take();

    expect([kept, held, after]).toEqual([true, false, true]);
  });

  test("of one do not wait for another's", async () => {
    await seedRepository(database.db, { id: "200", installation_id: "2" });
    await take();

    const { rows } = await sql<{ may: boolean }>`
      select ${mayWrite(PER_HOUR, sql`0`)} as may
      from installations i left join write_allowances w on w.installation_id = i.id where i.id = 2`.execute(
      database.db,
    );

    expect(rows).toEqual([{ may: true }]);
  });
});
