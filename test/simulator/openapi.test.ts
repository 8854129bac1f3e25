import { expect, test } from "vitest";
import { createRepository } from "../support/git.ts";
import { loadValidator } from "./openapi.ts";
import { routes } from "./routes.ts";
import { asApp, asInstallation, startTestSimulator, type TestSimulatorOptions } from "./test-client.ts";

async function serve(options: TestSimulatorOptions = {}) {
  const git = await createRepository({ bare: true, files: { "a.txt": "a\n" } });
  const simulator = await startTestSimulator(options);
  const installation_id = simulator.addInstallation();
  const { full_name } = simulator.addRepository({ installation_id, git_dir: git.dir, name: "hello" });
  const client = await asInstallation(simulator, installation_id);
  return { simulator, client, at: `/repos/${full_name}`, head_sha: await git.head() };
}

test("GitHub describes every route of the simulator but the numbered address of a repository", async () => {
  const validator = await loadValidator(routes);

  const strange = routes.filter((route) => !validator.describes(route)).map(({ template }) => template);

  expect(strange).toEqual(["/repositories/{repository_id}"]);
});

test.for([
  ["a field of the wrong type", { external_id: 7 }, /body\/external_id must be string/],
  ["a field that GitHub does not know", { external_ids: "7" }, /body\/external_ids is not described/],
  [
    "a missing field inside",
    { output: { title: "x" } },
    /body\/output must have required property 'summary'/,
  ],
] as const)("%s in a body is a violation", async ([, extra, violation]) => {
  const { simulator, client, at, head_sha } = await serve({ violationsExpected: true });

  await client.send("POST", `${at}/check-runs`, { name: "Code index", head_sha, ...extra });

  expect(simulator.violations).toEqual([expect.stringMatching(violation)]);
});

test.for([
  ["that GitHub does not know", "per_pages=3", /query parameter per_pages is not described/],
  ["of the wrong type", "per_page=many", /query parameter per_page must be integer/],
  ["outside its values", "filter=some", /query parameter filter must be equal to one of/],
] as const)("a query parameter %s is a violation", async ([, query, violation]) => {
  const { simulator, client, at, head_sha } = await serve({ violationsExpected: true });

  await client.get(`${at}/commits/${head_sha}/check-runs?${query}`);

  expect(simulator.violations).toEqual([expect.stringMatching(violation)]);
});

test("a request that a fault answers is checked all the same, and each counts for its operation", async () => {
  const { simulator, client, at } = await serve({ violationsExpected: true });
  simulator.fault({ status: 500, times: 2 });

  for (const query of ["", "?strange=1"]) await client.get(at + query);

  expect(simulator.violations).toEqual([expect.stringMatching(/query parameter strange/)]);
  expect(simulator.operations.get("GET /repos/{owner}/{repo}")).toBe(2);
});

test("an address that nothing answers is a violation, validated or not", async () => {
  const { simulator, client, at } = await serve({ validate: false, violationsExpected: true });

  const { status } = await client.get(`${at}/nowhere`);

  expect(status).toBe(404);
  expect(simulator.violations).toEqual([`GET ${at}/nowhere: the simulator has no such route.`]);
});

test("the simulator's own answers hold what GitHub's schemas require", async () => {
  const { simulator, client, at, head_sha } = await serve();
  const app = asApp(simulator);

  for (const path of ["/app", `${at}/installation`]) await app.get(path);
  await client.send("POST", `${at}/check-runs`, { name: "Code index", head_sha });
  await client.send("POST", `${at}/issues/1/comments`, { body: "Hello" });
  const paths = [
    "",
    `/commits/${head_sha}`,
    `/git/commits/${head_sha}`,
    "/git/ref/heads/main",
    "/git/trees/main",
  ];
  const others = [
    `/commits/${head_sha}/check-runs`,
    "/issues/1/comments",
    "/collaborators/octocat/permission",
  ];
  for (const path of [...paths, ...others]) await client.get(`${at}${path}`);
  for (const path of ["/installation/repositories", "/rate_limit"]) await client.get(path);

  expect(simulator.requests.filter(({ status }) => status >= 300)).toEqual([]);
  expect(simulator.violations).toEqual([]);
});
