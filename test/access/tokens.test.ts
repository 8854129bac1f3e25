import { sql } from "kysely";
import { beforeEach, describe, expect, test } from "vitest";
import {
  createToken,
  deleteOldTokens,
  deleteToken,
  findToken,
  listTokens,
  MAX_TOKENS,
} from "../../src/access/tokens.ts";
import { deleteIdleUsers } from "../../src/access/users.ts";
import { useDatabase } from "../support/database.ts";
import { seedUser } from "../support/seed.ts";

const database = useDatabase();

beforeEach(async () => {
  await seedUser(database.db);
  await seedUser(database.db, { id: "2", login: "hubot" });
  await database.db.deleteFrom("api_tokens").execute();
});

const create = async (options: { userId?: string; scope?: "read" | "write"; days?: number } = {}) => {
  const asked = { userId: "583231", name: "ci", scope: "read" as const, days: 7, ...options };
  return (await createToken(database.db, asked)) ?? "";
};

const expire = (interval: string) =>
  database.db
    .updateTable("api_tokens")
    .set({ expires_at: sql<Date>`clock_timestamp() - ${interval}::interval` })
    .execute();

describe("an API token", () => {
  test("tells whose it is and what it may, and is kept as a hash alone", async () => {
    const token = await create({ scope: "write" });

    expect(token).toMatch(/^rdx_[\w-]{43}$/);
    expect(await findToken(database.db, token)).toMatchObject({
      scope: "write",
      account: { login: "octocat" },
    });
    for (const other of ["", "rdx_", token.slice(4), `${token}x`, token.toUpperCase()]) {
      expect(await findToken(database.db, other), other).toBeNull();
    }
    const { rows } = await sql`select api_tokens::text as text from api_tokens`.execute(database.db);
    expect(JSON.stringify(rows)).not.toContain(token.slice(4));
  });

  test("notes when it was used last, as its owner sees", async () => {
    const token = await create();
    const [before] = await listTokens(database.db, "583231");

    await findToken(database.db, token);

    const [after] = await listTokens(database.db, "583231");
    expect([before?.last_used_at, after?.last_used_at]).toEqual([null, expect.any(Date)]);
  });

  test("is none once its days are over, and is shown for a month after that", async () => {
    const token = await create();
    await expire("1 second");
    expect(await findToken(database.db, token)).toBeNull();
    expect(await deleteOldTokens(database.db)).toBe(0);
    expect(await listTokens(database.db, "583231")).toHaveLength(1);

    await expire("31 days");

    expect(await deleteOldTokens(database.db)).toBe(1);
  });

  test("is revoked by its owner or an operator, and by nobody else", async () => {
    const [first, second] = [await create(), await create()];
    const [{ id: idOfSecond = "" } = {}, { id: idOfFirst = "" } = {}] = await listTokens(database.db, null);

    expect(await deleteToken(database.db, idOfFirst, "2")).toBe(false);
    expect(await findToken(database.db, first)).not.toBeNull();
    expect(await deleteToken(database.db, idOfFirst, "583231")).toBe(true);
    expect(await deleteToken(database.db, idOfSecond, null)).toBe(true);
    expect([await findToken(database.db, first), await findToken(database.db, second)]).toEqual([null, null]);
  });

  test("is one of at most so many of a person", async () => {
    for (let i = 1; i <= MAX_TOKENS; i += 1) await create();

    expect(await create()).toBe("");
    expect(await create({ userId: "2" })).not.toBe("");
  });
});

test("who has neither a browser nor a token is forgotten, and nobody else", async () => {
  await create();
  await seedUser(database.db, { id: "3", login: "gone" });
  await database.db.deleteFrom("sessions").where("user_id", "<>", "2").execute();
  await database.db.deleteFrom("api_tokens").where("user_id", "=", "3").execute();
  const before = await deleteIdleUsers(database.db);
  await database.db
    .updateTable("users")
    .set({ created_at: sql<Date>`clock_timestamp() - interval '2 hours'` })
    .execute();

  const deleted = await deleteIdleUsers(database.db);

  const left = await database.db.selectFrom("users").select("login").orderBy("login").execute();
  expect([before, deleted, left]).toEqual([0, 1, [{ login: "hubot" }, { login: "octocat" }]]);
});
