import { expect, test } from "vitest";
import { createRepository } from "../support/git.ts";
import type { Simulator } from "./simulator.ts";
import { asApp, asInstallation, startTestSimulator } from "./test-client.ts";

async function install(simulator: Simulator, name = "hello") {
  const { dir, ...git } = await createRepository({ files: { "a.txt": "a\n" } });
  const installation_id = simulator.addInstallation();
  const repository = simulator.addRepository({ installation_id, git_dir: dir, name });
  return {
    ...git,
    dir,
    repository,
    installation_id,
    client: await asInstallation(simulator, installation_id),
  };
}

test("the repositories of an installation come in pages of thirty with links to the others", async () => {
  const simulator = await startTestSimulator();
  const { installation_id, dir, client } = await install(simulator, "hello-0");
  for (let i = 1; i < 65; i++) simulator.addRepository({ installation_id, git_dir: dir, name: `hello-${i}` });

  const first = await client.get("/installation/repositories");
  const last = await client.get<{ repositories: unknown[] }>("/installation/repositories?page=3");

  expect(first.json).toMatchObject({ total_count: 65, repositories: { length: 30 } });
  expect(first.headers.get("link")).toMatch(/page=2>; rel="next", <.*page=3>; rel="last"/);
  expect(last.json.repositories).toHaveLength(5);
  expect(last.headers.get("link")).not.toMatch(/rel="next"/);
  expect(simulator.violations).toEqual([]);
});

test("a larger page than the maximum is cut to it", async () => {
  const simulator = await startTestSimulator({ pageSizeMax: 2 });
  const { installation_id, dir, client } = await install(simulator);
  for (const name of ["b", "c"]) simulator.addRepository({ installation_id, git_dir: dir, name });

  const { json } = await client.get<{ repositories: unknown[] }>("/installation/repositories?per_page=100");

  expect(json.repositories).toHaveLength(2);
});

test("a repository of another installation is not found", async () => {
  const simulator = await startTestSimulator();
  const { repository } = await install(simulator);
  const stranger = await asInstallation(simulator, simulator.addInstallation({ account: "other" }));

  const reply = await stranger.get(`/repos/${repository.full_name}`);

  expect(reply).toMatchObject({ status: 404, json: { message: "Not Found", status: "404" } });
});

test("a token for some repositories does not reach the others", async () => {
  const simulator = await startTestSimulator();
  const { repository, installation_id, dir } = await install(simulator);
  const other = simulator.addRepository({ installation_id, git_dir: dir, name: "other" });
  const client = await asInstallation(simulator, installation_id, { repository_ids: [other.id] });

  const reached = await client.get(`/repos/${other.full_name}`);
  const refused = await client.get(`/repos/${repository.full_name}`);
  const list = await client.get<{ repositories: { id: number }[] }>("/installation/repositories");

  expect(reached.status).toBe(200);
  expect(refused.status).toBe(404);
  expect(list.json.repositories.map(({ id }) => id)).toEqual([other.id]);
});

test("a token is refused for repositories and permissions that the installation lacks", async () => {
  const simulator = await startTestSimulator();
  const { installation_id } = await install(simulator);
  const path = `/app/installations/${installation_id}/access_tokens`;

  const strange = await asApp(simulator).send("POST", path, { repository_ids: [1] });
  const greedy = await asApp(simulator).send("POST", path, { permissions: { contents: "write" } });

  expect(strange.status).toBe(422);
  expect(greedy.status).toBe(422);
});

test("a token with read permission cannot write", async () => {
  const simulator = await startTestSimulator();
  const { repository, installation_id, head } = await install(simulator);
  const client = await asInstallation(simulator, installation_id, { permissions: { checks: "read" } });

  const body = { name: "Code index", head_sha: await head() };
  const reply = await client.send("POST", `/repos/${repository.full_name}/check-runs`, body);

  expect(reply).toMatchObject({ status: 403, json: { message: "Resource not accessible by integration" } });
});

test("an old name redirects to the repository's number, also deep inside, until another takes it", async () => {
  const simulator = await startTestSimulator();
  const { repository, installation_id, dir, client } = await install(simulator, "old");
  repository.name = "new";

  const moved = await client.get("/repos/octo-org/old/git/ref/heads/main");
  const followed = await fetch(`${simulator.url}/api/v3/repos/octo-org/old`, {
    headers: { authorization: `token ${client.token}` },
  });
  const successor = simulator.addRepository({ installation_id, git_dir: dir, name: "old" });
  const taken = await client.get("/repos/octo-org/old");

  expect(moved.status).toBe(301);
  expect(moved.headers.get("location")).toBe(
    `${simulator.url}/api/v3/repositories/${repository.id}/git/ref/heads/main`,
  );
  expect(await followed.json()).toMatchObject({ id: repository.id, full_name: "octo-org/new" });
  expect(taken.json).toMatchObject({ id: successor.id });
  expect(simulator.violations).toEqual([]);
});

test("the numbered address answers below itself too", async () => {
  const simulator = await startTestSimulator();
  const { repository, client } = await install(simulator);

  const reply = await client.get(`/repositories/${repository.id}/git/ref/heads/main`);

  expect(reply.json).toMatchObject({ ref: "refs/heads/main" });
  expect(simulator.requests.at(-1)?.route).toBe("/repos/{owner}/{repo}/git/ref/{ref}");
});

test("an archived repository is read-only", async () => {
  const simulator = await startTestSimulator();
  const { repository, client } = await install(simulator);
  repository.archived = true;

  const read = await client.get(`/repos/${repository.full_name}`);
  const written = await client.send("POST", `/repos/${repository.full_name}/issues/1/comments`, {
    body: "Hello",
  });

  expect(read.json).toMatchObject({ archived: true });
  expect(written).toMatchObject({
    status: 403,
    json: { message: "Repository was archived so is read-only." },
  });
});

test("the default branch is git's until it is set", async () => {
  const simulator = await startTestSimulator();
  const { repository, client, git } = await install(simulator);
  await git("symbolic-ref", "HEAD", "refs/heads/trunk");
  const followed = await client.get(`/repos/${repository.full_name}`);

  repository.default_branch = "develop";
  const set = await client.get(`/repos/${repository.full_name}`);

  expect(followed.json).toMatchObject({ default_branch: "trunk" });
  expect(set.json).toMatchObject({ default_branch: "develop" });
});

test("the installation of a repository is found by its name, and not after its removal", async () => {
  const simulator = await startTestSimulator();
  const { repository, installation_id } = await install(simulator);
  const path = `/repos/${repository.full_name}/installation`;

  const before = await asApp(simulator).get(path);
  simulator.removeRepository(repository.id);
  const after = await asApp(simulator).get(path);

  expect(before.json).toMatchObject({ id: installation_id });
  expect(after.status).toBe(404);
  expect(simulator.violations).toEqual([]);
});

test("octocat writes, everyone else reads, unless it is set", async () => {
  const simulator = await startTestSimulator();
  const { repository, client } = await install(simulator);
  simulator.setPermission(repository.id, "mona", "admin");
  const permission = async (login: string) => {
    const path = `/repos/${repository.full_name}/collaborators/${login}/permission`;
    return (await client.get<{ permission: string }>(path)).json.permission;
  };

  const found = await Promise.all(["octocat", "stranger", "Mona"].map(permission));

  expect(found).toEqual(["write", "read", "admin"]);
  expect(simulator.violations).toEqual([]);
});
