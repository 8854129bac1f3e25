import { expect, test } from "vitest";
import { asApp, asInstallation, startTestSimulator } from "./test-client.ts";

interface Listed {
  id: number;
  suspended_at: string | null;
}

test("the App's installations come in pages with links to the others, suspended ones among them", async () => {
  const simulator = await startTestSimulator({ pageSizeMax: 2 });
  const ids = ["a", "b", "c"].map((account) => simulator.addInstallation({ account }));
  simulator.setSuspended(ids[2] ?? 0, true);

  const first = await asApp(simulator).get<Listed[]>("/app/installations?per_page=100");
  const next = /<([^>]+)>; rel="next"/.exec(first.headers.get("link") ?? "")?.[1] ?? "";
  const second = await asApp(simulator).get<Listed[]>(next.slice(`${simulator.url}/api/v3`.length));

  expect([...first.json, ...second.json].map(({ id }) => id)).toEqual(ids);
  expect(first.json.map(({ suspended_at }) => suspended_at)).toEqual([null, null]);
  expect(second.json[0]?.suspended_at).toMatch(/^\d{4}-/);
  expect(second.headers.get("link")).not.toMatch(/rel="next"/);
  expect(simulator.violations).toEqual([]);
});

test("an installation's token does not list the installations", async () => {
  const simulator = await startTestSimulator();
  const client = await asInstallation(simulator, simulator.addInstallation());

  expect(await client.get("/app/installations")).toMatchObject({ status: 401 });
});
