import { expect, test } from "vitest";
import { createRepository } from "../support/git.ts";
import { asInstallation, startTestSimulator, type TestSimulatorOptions } from "./test-client.ts";

const OBJECTS = `query ($owner: String!, $name: String!, $sha: String!) {
  repository(owner: $owner, name: $name) { one: object(oid: $sha) { ...text ... on Tree { entries { nameRaw mode oid size } } } }
}
fragment text on Blob { isBinary isTruncated text }`;

interface One<T> {
  data: { repository: { one: T } };
}

async function serve(files: Record<string, string | Buffer>, options: TestSimulatorOptions = {}) {
  const git = await createRepository({ files });
  const simulator = await startTestSimulator(options);
  const installation_id = simulator.addInstallation();
  simulator.addRepository({ installation_id, git_dir: git.dir, name: "hello" });
  const client = await asInstallation(simulator, installation_id);
  const ask = async <T>(expression: string) => {
    const variables = { owner: "octo-org", name: "hello", sha: await git.git("rev-parse", expression) };
    return (await client.graphql<One<T>>(OBJECTS, variables)).json.data.repository.one;
  };
  return { simulator, client, ask, installation_id };
}

test("several blobs are read under aliases in one query, a missing one is null", async () => {
  const { simulator, client, ask } = await serve({ "a.txt": "a\n" });
  const { oid } = (await ask<{ entries: [{ oid: string }] }>("HEAD^{tree}")).entries[0];

  const { json } = await client.graphql(`{ repository(owner: "octo-org", name: "hello") {
    nameWithOwner
    b0: object(oid: "${oid}") { ...on Blob { isBinary isTruncated text byteSize } __typename }
    b1: object(oid: "${"1".repeat(40)}") { ...on Blob { text } }
    defaultBranchRef { name target { oid } }
  } }`);

  const b0 = { isBinary: false, isTruncated: false, text: "a\n", byteSize: 2, __typename: "Blob" };
  const defaultBranchRef = { name: "main", target: { oid: expect.stringMatching(/^[0-9a-f]{40}$/) } };
  const repository = { nameWithOwner: "octo-org/hello", b0, b1: null, defaultBranchRef };
  expect(json).toEqual({ data: { repository } });
  expect(simulator.violations).toEqual([]);
});

test.for([
  [512_000, false],
  [512_001, true],
] as const)("the text of %d bytes is cut at 512,000 bytes: %s", async ([size, isTruncated]) => {
  const { ask } = await serve({ large: Buffer.alloc(size, "x") });

  const blob = await ask<{ text: string }>("HEAD:large");

  expect(blob).toMatchObject({ isTruncated, isBinary: false });
  expect(blob.text).toHaveLength(512_000);
});

test("a binary file has no text", async () => {
  const { ask } = await serve({ "a.bin": Buffer.from([1, 0, 2]) });

  expect(await ask("HEAD:a.bin")).toEqual({ isBinary: true, isTruncated: false, text: null });
});

test("a tree's entries carry the bytes of their names, modes as numbers, and sizes", async () => {
  const { ask } = await serve({ "é.txt": "abc", "docs/b": "b" });

  const { entries } = await ask<{ entries: { nameRaw: string; mode: number; size: number }[] }>(
    "HEAD^{tree}",
  );

  expect(
    entries.map(({ nameRaw, mode, size }) => [Buffer.from(nameRaw, "base64").toString(), mode, size]),
  ).toEqual([
    ["docs", 0o040000, 0],
    ["é.txt", 0o100644, 3],
  ]);
});

test("a repository out of reach is an error beside null data, with HTTP 200", async () => {
  const { client } = await serve({ "a.txt": "a\n" });

  const { status, json } = await client.graphql(`{ repository(owner: "octo-org", name: "nope") { name } }`);

  expect(status).toBe(200);
  expect(json).toMatchObject({ data: { repository: null }, errors: [{ type: "NOT_FOUND" }] });
});

test("a field that GitHub does not have, and a broken query, are errors and violations", async () => {
  const { simulator, client } = await serve({ "a.txt": "a\n" }, { violationsExpected: true });

  const strange = await client.graphql(`{ repository(owner: "octo-org", name: "hello") { nmae } }`);
  const broken = await client.graphql("{ repository(");

  expect(strange.json).toMatchObject({
    errors: [{ extensions: { code: "undefinedField", fieldName: "nmae" } }],
  });
  expect(broken.json).toMatchObject({ errors: [{ message: expect.stringMatching(/Parse error/) }] });
  expect(simulator.violations).toHaveLength(2);
});

test.for([
  ["a field below what is not there", "n: nmae", /Field 'nmae' doesn't exist on type 'Repository'/],
  [
    "a field of another type",
    `object(expression: "HEAD") { ... on Blob { entries { oid } } }`,
    /on type 'Blob'/,
  ],
  ["an argument", `object(sha: "1") { oid }`, /Field 'object' doesn't accept argument 'sha'/],
  ["a type", 'object(oid: "1") { ... on File { oid } }', /No such type File/],
  ["an object without its fields", "owner", /Field 'owner' of type 'Repository' must have selections/],
  ["fields of a plain value", "name { length }", /Field 'name' of type 'Repository' has no fields/],
] as const)("%s that GitHub does not have is a violation, answered or not", async ([, fields, violation]) => {
  const { simulator, client } = await serve({ "a.txt": "a\n" }, { violationsExpected: true });
  simulator.fault({ route: "/graphql", status: 502 });

  await client.graphql(`{ repository(owner: "octo-org", name: "gone") { ${fields} } }`);

  expect(simulator.violations).toEqual([expect.stringMatching(violation)]);
});

test("a spent budget is an error of type RATE_LIMITED with HTTP 200", async () => {
  const { simulator, client, installation_id } = await serve({ "a.txt": "a\n" });
  const reset = Math.floor(Date.now() / 1000) + 60;
  simulator.setBudget(installation_id, { limit: 5_000, remaining: 0, reset }, "graphql");

  const { status, headers, json } = await client.graphql("{ rateLimit { remaining } }");

  expect(status).toBe(200);
  expect(json).toMatchObject({ errors: [{ type: "RATE_LIMITED" }] });
  expect(headers.get("x-ratelimit-remaining")).toBe("0");
});
