import { type RawBuilder, sql } from "kysely";
import { beforeEach, describe, expect, test } from "vitest";
import {
  createSession,
  deleteOldSessions,
  deleteSession,
  findSession,
  renewSession,
} from "../../src/access/sessions.ts";
import { useDatabase } from "../support/database.ts";
import { seedUser } from "../support/seed.ts";

const database = useDatabase();
let userId: string;

beforeEach(async () => {
  userId = (await seedUser(database.db)).id;
  await database.db.deleteFrom("sessions").execute();
});

const ago = (interval: string): RawBuilder<Date> => sql<Date>`clock_timestamp() - ${interval}::interval`;

async function age(times: Partial<Record<"issued_at" | "confirmed_at" | "used_at" | "created_at", string>>) {
  const set = Object.fromEntries(Object.entries(times).map(([column, interval]) => [column, ago(interval)]));
  await database.db.updateTable("sessions").set(set).execute();
}

const find = (secret: string) => findSession(database.db, secret);

describe("a session", () => {
  test("is found by its secret alone", async () => {
    const secret = await createSession(database.db, userId);

    expect(await find(secret)).toMatchObject({ account: { id: userId, login: "octocat" }, old: false });
    expect(await find(`${secret}x`)).toBeNull();
    expect(await find("")).toBeNull();
  });

  test.each([
    ["was not used for a week", { used_at: "7 days" }, { used_at: "6 days 23 hours" }],
    ["is a month old", { created_at: "30 days" }, { created_at: "29 days 23 hours" }],
  ])("that %s is over, and cleaned away", async (_what, over, good) => {
    const secret = await createSession(database.db, userId);
    await age(good);
    expect(await find(secret)).not.toBeNull();
    expect(await deleteOldSessions(database.db)).toBe(0);
    await age(over);

    expect(await find(secret)).toBeNull();
    expect(await deleteOldSessions(database.db)).toBe(1);
  });

  test("gets a new secret after a day, once however many ask", async () => {
    const secret = await createSession(database.db, userId);
    await age({ issued_at: "25 hours" });
    const found = await find(secret);

    const renewed = await Promise.all(
      [1, 2, 3].map(() => renewSession(database.db, found?.id ?? "", secret)),
    );

    expect(found?.old).toBe(true);
    const [given = "", ...others] = renewed.filter((text) => text !== null);
    expect(others).toEqual([]);
    expect((await find(given))?.old).toBe(false);
  });

  test("is found by the secret before until the new one is used, and a minute longer by what was under way", async () => {
    const secret = await createSession(database.db, userId);
    const renewed = (await renewSession(database.db, (await find(secret))?.id ?? "", secret)) ?? "";

    const unused = await find(secret); // the answer with the new one may have been lost
    await find(renewed);
    const overlap = await find(secret);
    await age({ confirmed_at: "61 seconds" });

    expect([unused?.old, overlap?.old]).toEqual([false, false]);
    expect(await find(secret)).toBeNull();
    expect(await find(renewed)).not.toBeNull();
  });

  test("ends by either of its secrets, and no other with it", async () => {
    const other = await createSession(database.db, userId);
    for (const which of ["old", "new"]) {
      const secret = await createSession(database.db, userId);
      const renewed = (await renewSession(database.db, (await find(secret))?.id ?? "", secret)) ?? "";

      await deleteSession(database.db, which === "old" ? secret : renewed);

      expect([await find(secret), await find(renewed)]).toEqual([null, null]);
    }
    expect(await find(other)).not.toBeNull();
  });
});
