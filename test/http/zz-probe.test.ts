import { sql } from "kysely";
import { test } from "vitest";
import { listFiles } from "../../src/scan/read.ts";
import { OPERATOR } from "../../src/database/viewer.ts";
import { useDatabase } from "../support/database.ts";
import { seedRepository } from "../support/seed.ts";
const database = useDatabase();
test("probe", async () => {
  await seedRepository(database.db);
  await sql`insert into files (repository_id, path, mode, sha, state) select 100, 'src/'||repeat('a',100)||'/'||i||repeat('ab/',60), '100644', decode(repeat('ab',20),'hex'), 'indexed' from generate_series(1,5000) i`.execute(database.db);
  for (const [name, g] of Object.entries({ all: "**/*", a: "**a".repeat(20), b: "**/a".repeat(20), f: ("**"+"a".repeat(48)).repeat(20),  m: "**a"+"?".repeat(19), n: ("**a"+"?????????").repeat(2), o: "**"+"a".repeat(990), p: ("**ab").repeat(20)+"x".repeat(900) , q: "**/"+"a?".repeat(19)})) {
    const t = Date.now();
    try {
      const r = await listFiles(database.db, OPERATOR, { repository_id: "100", state: null, language: null, path: g, after: null, limit: 51 });
      console.log(name, r.length, Date.now() - t);
    } catch (e) { console.log(name, String(e).slice(0,200), Date.now() - t); }
  }
}, 600000);
