import { expect, test } from "vitest";
import { createRepository } from "../support/git.ts";
import { asInstallation, startTestSimulator } from "./test-client.ts";

const HEAD = `databaseId nameWithOwner isPrivate isArchived isDisabled isEmpty
  defaultBranchRef { name prefix target { oid ... on Commit { tree { oid } } } }`;

interface Answered {
  data: Record<string, unknown>;
  errors?: unknown[];
}

async function serve() {
  const git = await createRepository({ bare: true, files: { "a.txt": "a\n" } });
  const empty = await createRepository({ bare: true });
  const simulator = await startTestSimulator();
  const installation_id = simulator.addInstallation();
  const client = await asInstallation(simulator, installation_id);
  return { simulator, git, empty, installation_id, client };
}

const named = (name: string, fields: string) =>
  `repository(owner: "octo-org", name: "${name}") { ${fields} }`;

test("the heads of a hundred repositories are one query of one point", async () => {
  const { simulator, git, installation_id, client } = await serve();
  const names = Array.from({ length: 100 }, (_, i) => `hello-${i}`);
  for (const name of names) simulator.addRepository({ installation_id, git_dir: git.dir, name });

  const query = `{ ${names.map((name, i) => `r${i}: ${named(name, HEAD)}`).join("\n")} }`;
  const { json, headers } = await client.graphql<Answered>(query);

  expect(Object.keys(json.data)).toHaveLength(100);
  const target = { oid: await git.head(), tree: { oid: await git.git("rev-parse", "HEAD^{tree}") } };
  expect(json.data.r99).toEqual({
    databaseId: expect.any(Number),
    nameWithOwner: "octo-org/hello-99",
    isPrivate: true,
    isArchived: false,
    isDisabled: false,
    isEmpty: false,
    defaultBranchRef: { name: "main", prefix: "refs/heads/", target },
  });
  expect(headers.get("x-ratelimit-used")).toBe("1");
  expect(simulator.violations).toEqual([]);
});

test("a missing repository is null, with an error that names its alias, and the others are answered", async () => {
  const { simulator, git, installation_id, client } = await serve();
  simulator.addRepository({ installation_id, git_dir: git.dir, name: "hello" });

  const query = `{ here: ${named("hello", "isPrivate")} gone: ${named("gone", "isPrivate")} }`;
  const { status, json } = await client.graphql<Answered>(query);

  expect(status).toBe(200);
  expect(json).toEqual({
    data: { here: { isPrivate: true }, gone: null },
    errors: [
      {
        type: "NOT_FOUND",
        path: ["gone"],
        message: "Could not resolve to a Repository with the name 'octo-org/gone'.",
      },
    ],
  });
});

test("an empty repository has no default branch, nor has one whose default branch is gone", async () => {
  const { simulator, git, empty, installation_id, client } = await serve();
  simulator.addRepository({ installation_id, git_dir: empty.dir, name: "empty" });
  const moved = simulator.addRepository({ installation_id, git_dir: git.dir, name: "moved" });
  moved.default_branch = "gone";

  const fields = "isEmpty defaultBranchRef { name }";
  const { json } = await client.graphql<Answered>(
    `{ e: ${named("empty", fields)} m: ${named("moved", fields)} }`,
  );

  expect(json.data).toEqual({
    e: { isEmpty: true, defaultBranchRef: null },
    m: { isEmpty: false, defaultBranchRef: null },
  });
});

test("a ref is found by its full name and by its short one, a missing one is null", async () => {
  const { simulator, git, installation_id, client } = await serve();
  simulator.addRepository({ installation_id, git_dir: git.dir, name: "hello" });
  await git.git("tag", "v1");
  const ref = (name: string) => `ref(qualifiedName: "${name}") { name target { oid } }`;

  const names = ["refs/heads/main", "heads/main", "main", "refs/tags/v1", "refs/heads/gone"];
  const fields = names.map((name, i) => `r${i}: ${ref(name)}`).join(" ");
  const { json } = await client.graphql<Answered>(`{ repository: ${named("hello", fields)} }`);

  const target = { oid: await git.head() };
  const main = { name: "main", target };
  const expected = { r0: main, r1: main, r2: main, r3: { name: "v1", target }, r4: null };
  expect(json.data.repository).toEqual(expected);
  expect(simulator.violations).toEqual([]);
});

test("git's side of a repository is for tokens that may read contents", async () => {
  const { simulator, git, installation_id } = await serve();
  simulator.addRepository({ installation_id, git_dir: git.dir, name: "hello" });
  const client = await asInstallation(simulator, installation_id, { permissions: { checks: "write" } });

  const fields = "isPrivate defaultBranchRef { name }";
  const { json } = await client.graphql<Answered>(`{ r: ${named("hello", fields)} }`);

  expect(json).toMatchObject({
    data: { r: { isPrivate: true, defaultBranchRef: null } },
    errors: [{ type: "FORBIDDEN", path: ["r", "defaultBranchRef"] }],
  });
});
