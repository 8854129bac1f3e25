import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { createRepository } from "../support/git.ts";
import type { SimulatorOptions } from "./servers.ts";
import { asInstallation, startTestSimulator } from "./test-client.ts";

interface Tree {
  truncated: boolean;
  tree: { path: string; type: string; sha: string; size?: number }[];
}

async function serve(git: { dir: string }, options: SimulatorOptions = {}) {
  const simulator = await startTestSimulator(options);
  const installation_id = simulator.addInstallation();
  const { full_name } = simulator.addRepository({ installation_id, git_dir: git.dir, name: "hello" });
  return { simulator, client: await asInstallation(simulator, installation_id), at: `/repos/${full_name}` };
}

function shaOf(content: Buffer): string {
  return createHash("sha1").update(`blob ${content.length}\0`).update(content).digest("hex");
}

test("a branch leads through its commit to its tree", async () => {
  const git = await createRepository({ bare: true, files: { "a.txt": "a\n" } });
  const { simulator, client, at } = await serve(git);

  const ref = await client.get<{ object: { sha: string } }>(`${at}/git/ref/heads%2Fmain`);
  const commit = await client.get(`${at}/git/commits/${ref.json.object.sha}`);
  const seen = await client.get(`${at}/commits/main`);

  const head = await git.head();
  expect(ref.json).toMatchObject({ ref: "refs/heads/main", object: { sha: head, type: "commit" } });
  const tree = { sha: await git.git("rev-parse", "HEAD^{tree}") };
  expect(commit.json).toMatchObject({ sha: head, tree, message: "Commit 1", parents: [] });
  expect(seen.json).toMatchObject({ sha: head, commit: { author: { name: "Octo Cat" }, tree } });
  expect(simulator.violations).toEqual([]);
});

test("unknown refs, commits, trees and blobs are not found", async () => {
  const { client, at } = await serve(await createRepository({ files: { "a.txt": "a\n" } }));
  const unknown = "1".repeat(40);
  const paths = [
    "git/ref/heads/nope",
    ...["commits", "trees", "blobs"].map((kind) => `git/${kind}/${unknown}`),
  ];

  const replies = await Promise.all(paths.map((path) => client.get(`${at}/${path}`)));
  const byRef = await client.get(`${at}/commits/nope`);

  expect(replies.map(({ status }) => status)).toEqual([404, 404, 404, 404]);
  expect(byRef).toMatchObject({ status: 422, json: { message: "No commit found for SHA: nope" } });
});

test("an empty repository answers 409", async () => {
  const { client, at } = await serve(await createRepository());
  const paths = ["git/ref/heads/main", "commits/main", "git/trees/main"];

  const replies = await Promise.all(paths.map((path) => client.get(`${at}/${path}`)));

  for (const reply of replies) {
    expect(reply).toMatchObject({ status: 409, json: { message: "Git Repository is empty." } });
  }
});

test("a commit made behind the simulator's back is seen at once", async () => {
  const git = await createRepository({ files: { "a.txt": "a\n" } });
  const { client, at } = await serve(git);
  await client.get(`${at}/git/ref/heads/main`);

  const sha = await git.commit({ "b.txt": "b\n" });

  expect((await client.get(`${at}/git/ref/heads/main`)).json).toMatchObject({ object: { sha } });
  expect((await client.get(`${at}/git/blobs/${shaOf(Buffer.from("b\n"))}`)).status).toBe(200);
});

test("a recursive tree lists everything in git's order, with sizes of blobs alone", async () => {
  const git = await createRepository({ files: { "a.txt": "a\n", "a/b": "bb", a0: "" } });
  await git.git("update-index", "--add", "--cacheinfo", `160000,${"1".repeat(40)},module`);
  await git.git("commit", "--quiet", "--message=Add a submodule");
  const { simulator, client, at } = await serve(git);

  const { json } = await client.get<Tree>(`${at}/git/trees/${await git.head()}?recursive=1`);

  expect(json.tree.map(({ path, type, size }) => [path, type, size])).toEqual([
    ["a.txt", "blob", 2],
    ["a", "tree", undefined],
    ["a/b", "blob", 2],
    ["a0", "blob", 0],
    ["module", "commit", undefined],
  ]);
  expect(json.truncated).toBe(false);
  expect(simulator.violations).toEqual([]);
});

test.for([
  ["entries", { entries: 3, bytes: 1_000_000 }],
  ["bytes", { entries: 1_000, bytes: 800 }],
] as const)(
  "a recursive tree is truncated beyond its limit of %s, a single level never",
  async ([, treeLimit]) => {
    const files = Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`file-${i}`, `${i}`]));
    const git = await createRepository({ files });
    const { client, at } = await serve(git, { treeLimit });

    const whole = await client.get<Tree>(`${at}/git/trees/main?recursive=1`);
    const level = await client.get<Tree>(`${at}/git/trees/main`);

    expect(whole.json.truncated).toBe(true);
    expect(whole.json.tree).toHaveLength(3);
    expect(level.json).toMatchObject({ truncated: false, tree: { length: 9 } });
  },
);

test("a name that is not UTF-8 comes with replacement characters", async () => {
  const git = await createRepository({ bare: true });
  const blob = await git.git("hash-object", "-w", "--stdin", { input: "x" });
  const entry = Buffer.concat([
    Buffer.from(`100644 blob ${blob}\tcaf`),
    Buffer.from([0xe9]),
    Buffer.from("\n"),
  ]);
  const tree = await git.git("mktree", { input: entry });
  await git.git("update-ref", "refs/heads/main", await git.git("commit-tree", "-m", "Latin", tree));
  const { client, at } = await serve(git);

  const { json } = await client.get<Tree>(`${at}/git/trees/${tree}?recursive=1`);

  expect(json.tree.map(({ path }) => path)).toEqual(["caf\u{fffd}"]);
});

test("a tree of fifteen thousand files is answered well within a second", async () => {
  const files = Object.fromEntries(
    Array.from({ length: 15_000 }, (_, i) => [`src/${i % 100}/${i}.ts`, `${i}\n`]),
  );
  const { client, at } = await serve(await createRepository({ bare: true, files }), { validate: false });
  await client.get(at);

  const startedAt = performance.now();
  const { json } = await client.get<Tree>(`${at}/git/trees/main?recursive=1`);
  const milliseconds = performance.now() - startedAt;

  expect(json.tree).toHaveLength(15_101);
  expect(milliseconds).toBeLessThan(1_000);
});

test("a blob comes as base64 or raw, whatever its size", async () => {
  const small = Buffer.from([0, 255, 10, 13]);
  const large = Buffer.alloc(6_000_000, "0123456789\n");
  const git = await createRepository({ files: { small, large } });
  const { simulator, client, at } = await serve(git);
  const raw = async (sha: string) => {
    const response = await fetch(`${simulator.url}/api/v3${at}/git/blobs/${sha}`, {
      headers: { authorization: `token ${client.token}`, accept: "application/vnd.github.raw+json" },
    });
    return Buffer.from(await response.arrayBuffer());
  };

  const { json } = await client.get<{ content: string; size: number }>(`${at}/git/blobs/${shaOf(small)}`);
  const [rawSmall, rawLarge] = await Promise.all([raw(shaOf(small)), raw(shaOf(large))]);

  expect(json).toMatchObject({ size: 4, encoding: "base64" });
  expect(Buffer.from(json.content, "base64").equals(small)).toBe(true);
  expect(rawSmall.equals(small)).toBe(true);
  expect(rawLarge.equals(large)).toBe(true);
  expect(simulator.violations).toEqual([]);
});
