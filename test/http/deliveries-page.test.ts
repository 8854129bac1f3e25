import { expect, test } from "vitest";
import { useDatabase } from "../support/database.ts";
import { request, seedRepository, seedUser } from "../support/seed.ts";
import { signInAccess } from "../support/sign-in.ts";
import { linksOf, readPage, wordsOf } from "./page.ts";
import { seedDelivery, updateRepository } from "./seed.ts";
import { serve } from "./server.ts";

const database = useDatabase();

test("operators see what came, to which repository, and what it led to", async () => {
  await seedRepository(database.db);
  const server = await serve(database);
  await seedDelivery(database.db, "first", {
    repository_id: "100",
    outcome: "A scan was queued.",
    attempts: 2,
  });
  const { run_id } = await request(database.connection, { delivery_guid: "first" });
  await seedDelivery(database.db, "second", {
    event: "installation",
    action: "created",
    repository_id: "999",
    state: "failed",
    error: "It broke.",
  });
  await seedDelivery(database.db, "third", {
    state: "pending",
    payload: '"a secret of the payload"',
    error: "GitHub was away.",
    not_before: new Date(Date.now() + 7_230_000),
  });

  const page = await readPage(server, "/deliveries");

  const words = wordsOf(page);
  expect(words.indexOf("third")).toBeLessThan(words.indexOf("second"));
  expect(words).toContain(
    `push Handled account-1/repository-100 A scan was queued. 2 attempts run ${run_id}`,
  );
  expect(words).toContain("installation.created Failed 999 It broke. 1 attempt");
  expect(words).toContain("push Pending GitHub was away. 1 attempt · due in 2 hours");
  expect(linksOf(page, /repository-100/)).toEqual(["/repositories/100"]);
  expect(linksOf(page, /^run/)).toEqual([`/runs/${run_id}`]);
  expect(page).not.toContain("secret");
  await updateRepository(database.db, { removed_at: new Date() });
  expect(linksOf(await readPage(server, "/deliveries"), /repository-100/)).toEqual([]);
});

test("the list can be narrowed to a state, and leads from page to page within it", async () => {
  const server = await serve(database);
  for (let i = 0; i < 60; i += 1) await seedDelivery(database.db, `handled-${i}`);
  for (let i = 0; i < 55; i += 1)
    await seedDelivery(database.db, `failed-${i}`, { state: "failed", error: "It broke." });

  const shown: string[] = [];
  let address: string | undefined = "/deliveries?state=failed";
  for (let pages = 0; address !== undefined && pages < 5; pages += 1) {
    const page: string = await readPage(server, address);
    shown.push(...[...page.matchAll(/id="delivery-([\w-]+)"/g)].map(([, guid = ""]) => guid));
    address = linksOf(page, /^Older$/)[0];
  }

  expect(shown).toEqual(Array.from({ length: 55 }, (_, i) => `failed-${54 - i}`));
  await readPage(server, "/deliveries?state=nonsense", { status: 400 });
  await readPage(server, "/deliveries?cursor=nonsense", { status: 400 });
});

test("says so where there is none, and where none is in a state", async () => {
  const server = await serve(database);

  expect(wordsOf(await readPage(server, "/deliveries"))).toContain(
    "No delivery yet. GitHub sends one for each",
  );
  expect(wordsOf(await readPage(server, "/deliveries?state=failed"))).toContain(
    "No delivery is in this state.",
  );
});

test("is not there for others", async () => {
  const server = await serve(database, { access: signInAccess(database) });
  server.token = (await seedUser(database.db)).token;

  const page = await readPage(server, "/deliveries", { status: 404 });

  expect(linksOf(page, /Deliveries/)).toEqual([]);
});
