import { expect, test } from "vitest";
import { createRepository } from "../support/git.ts";
import type { Route } from "./router.ts";
import { routes } from "./routes.ts";
import type { Simulator } from "./simulator.ts";
import { asApp, asInstallation, startTestSimulator } from "./test-client.ts";
import { ASKED } from "./world.ts";

const NOT_FOUND = { status: 404, json: { message: "Not Found" } };
const INACCESSIBLE = { status: 403, json: { message: "Resource not accessible by integration" } };
const UNGRANTED = "The permissions requested are not granted to this installation.";
const inRepository = routes.filter((route) => route.by === "repository");

async function serve() {
  const git = await createRepository({ bare: true, files: { "a.txt": "a\n" } });
  const simulator = await startTestSimulator({ violationsExpected: true });
  const id = simulator.addInstallation();
  const add = (name: string) => simulator.addRepository({ installation_id: id, git_dir: git.dir, name });
  return { simulator, id, hello: add("hello"), other: add("other"), sha: await git.head() };
}

/** Asks for a route of a repository, with something harmless for its other parameters. */
async function ask(
  { simulator, sha }: { simulator: Simulator; sha: string },
  route: Route,
  { fullName, id, scope }: { fullName: string; id: number; scope: Parameters<typeof asInstallation>[2] },
) {
  const client = await asInstallation(simulator, id, scope);
  const path = route.template
    .replace("{owner}/{repo}", fullName)
    .replace("{ref}", "heads/main")
    .replaceAll(/\{\w*sha\}/g, sha)
    .replace("{username}", "octocat")
    .replaceAll(/\{\w+\}/g, "1");
  return await client.send(route.method, path);
}

test.for(inRepository.map((route) => [`${route.method} ${route.template}`, route] as const))(
  "%s needs its permission, and a token that reaches the repository",
  async ([, route]) => {
    const { simulator, id, hello, other, sha } = await serve();
    const needed = Object.keys(route.needs);
    const lesser = Object.entries(ASKED).filter(([name]) => !needed.includes(name));
    const one = { repository_ids: [hello.id] };
    const permissions = Object.fromEntries(lesser);

    const elsewhere = await ask({ simulator, sha }, route, { fullName: other.full_name, id, scope: one });
    const lacking = await ask({ simulator, sha }, route, {
      fullName: hello.full_name,
      id,
      scope: { ...one, permissions },
    });
    const enough = await ask({ simulator, sha }, route, { fullName: hello.full_name, id, scope: one });

    expect(elsewhere).toMatchObject(NOT_FOUND);
    if (!needed.includes("metadata")) expect(lacking).toMatchObject(INACCESSIBLE); // every token has that one
    expect([401, 403]).not.toContain(enough.status);
  },
);

test("a token for reading contents writes no checks", async () => {
  const { simulator, id, hello, sha } = await serve();
  const scope = { repository_ids: [hello.id], permissions: { contents: "read" } };
  const client = await asInstallation(simulator, id, scope);

  const at = `/repos/${hello.full_name}`;
  const read = await client.get(`${at}/git/trees/${sha}`);
  const written = await client.send("POST", `${at}/check-runs`, { name: "x", head_sha: sha });

  expect(read.status).toBe(200);
  expect(written).toMatchObject(INACCESSIBLE);
});

test("what an installation does not grant is refused to new tokens and to old ones, until it does", async () => {
  const { simulator, id, hello, sha } = await serve();
  const old = await asInstallation(simulator, id);
  const path = `/app/installations/${id}/access_tokens`;
  const write = async () =>
    await old.send("POST", `/repos/${hello.full_name}/check-runs`, { name: "x", head_sha: sha });

  simulator.setPermissions(id, { metadata: "read", contents: "read" });
  const refused = await asApp(simulator).send("POST", path, { permissions: { checks: "write" } });
  const given = await asApp(simulator).send("POST", path);
  const before = await write();
  simulator.setPermissions(id, ASKED);
  const after = await write();

  expect(refused).toMatchObject({ status: 422, json: { message: UNGRANTED } });
  expect(given).toMatchObject({ status: 201, json: { permissions: { metadata: "read", contents: "read" } } });
  expect(before).toMatchObject(INACCESSIBLE);
  expect(after.status).toBe(201);
  const { json } = await asApp(simulator).get(`/app/installations/${id}`);
  expect(json).toMatchObject({ permissions: ASKED });
});
