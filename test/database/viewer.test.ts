import { beforeEach, expect, test } from "vitest";
import { OPERATOR, type Viewer, visibleTo } from "../../src/database/viewer.ts";
import { useDatabase } from "../support/database.ts";

const database = useDatabase();

beforeEach(async () => {
  await database.db.insertInto("installations").values({ id: "1" }).execute();
  const repositories = ["10", "11", "12"].map((id) => ({
    id,
    installation_id: "1",
    owner: "octo",
    name: `n${id}`,
  }));
  await database.db.insertInto("repositories").values(repositories).execute();
  await database.db
    .updateTable("repositories")
    .set({ removed_at: new Date() })
    .where("id", "=", "12")
    .execute();
});

test.each<{ who: string; viewer: Viewer; sees: string[] }>([
  { who: "the operator", viewer: OPERATOR, sees: ["10", "11"] },
  { who: "a reader of one repository", viewer: { repositories: ["11"] }, sees: ["11"] },
  { who: "a reader of a removed repository", viewer: { repositories: ["12"] }, sees: [] },
  { who: "a reader of none", viewer: { repositories: [] }, sees: [] },
])("$who sees $sees", async ({ viewer, sees }) => {
  const rows = await database.db
    .selectFrom("repositories")
    .select("id")
    .where(visibleTo(viewer))
    .orderBy("id")
    .execute();

  expect(rows.map(({ id }) => id)).toEqual(sees);
});
