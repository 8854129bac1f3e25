import { expect, test } from "vitest";
import { createRepository } from "../support/git.ts";
import { until } from "../support/wait.ts";
import { asInstallation, startTestSimulator } from "./test-client.ts";

test("requests are recorded with GitHub's template, the path, the status and the installation", async () => {
  const simulator = await startTestSimulator();
  const installation_id = simulator.addInstallation();
  const client = await asInstallation(simulator, installation_id);

  await client.get("/repos/octo-org/nope/git/trees/main?recursive=1");

  expect(simulator.requests.at(-1)).toMatchObject({
    method: "GET",
    route: "/repos/{owner}/{repo}/git/trees/{tree_sha}",
    path: "/repos/octo-org/nope/git/trees/main?recursive=1",
    status: 404,
    installation_id,
    at: expect.any(Date),
  });
});

test("until answers what its probe finds, by an event or by itself", async () => {
  const simulator = await startTestSimulator();
  const client = await asInstallation(simulator, simulator.addInstallation());
  let found: string | null = null;

  const request = simulator.until(() => simulator.requests.find(({ route }) => route === "/rate_limit"));
  const later = simulator.until(() => found);
  await client.get("/rate_limit");
  found = "set without an event";

  expect(await request).toMatchObject({ route: "/rate_limit" });
  expect(await later).toBe("set without an event");
});

test("until names what it waited for in vain, and fails with its probe and with the simulator", async () => {
  const simulator = await startTestSimulator();

  const late = simulator.until(() => null, { timeoutMs: 20, what: "the second run" });
  await expect(late).rejects.toThrow("Waited 20 ms in vain for the second run.");
  const broken = simulator.until(() => JSON.parse("{"));
  await expect(broken).rejects.toThrow(SyntaxError);
  const abandoned = simulator.until(() => null, { what: "nothing" });
  await Promise.all([
    expect(abandoned).rejects.toThrow("closed while waiting for nothing"),
    simulator.close(),
  ]);
});

test("closing ends git's long-lived readers, and may be done twice", async () => {
  const git = await createRepository({ bare: true, files: { "a.txt": "a\n" } });
  const simulator = await startTestSimulator();
  const installation_id = simulator.addInstallation();
  const { full_name } = simulator.addRepository({ installation_id, git_dir: git.dir, name: "hello" });
  const client = await asInstallation(simulator, installation_id);
  await client.get(`/repos/${full_name}/git/commits/${await git.head()}`);
  const running = () => process.getActiveResourcesInfo().filter((kind) => kind === "ProcessWrap").length;
  const before = running();

  await simulator.close();
  await simulator.close();

  expect(before).toBeGreaterThan(0);
  await until(() => running() === 0, { what: "git's processes to be gone" }); // Node lets go of them a little later
});
