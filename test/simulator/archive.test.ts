import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { createGunzip } from "node:zlib";
import { extract } from "tar-stream";
import { expect, test, vi } from "vitest";
import { createRepository, type Files } from "../support/git.ts";
import { asInstallation, startTestSimulator, type TestSimulatorOptions } from "./test-client.ts";

async function serve(files: Files, options: TestSimulatorOptions = {}) {
  const git = await createRepository({ bare: true });
  const head = await git.commit(files);
  const simulator = await startTestSimulator(options);
  const installation_id = simulator.addInstallation();
  const { full_name } = simulator.addRepository({ installation_id, git_dir: git.dir, name: "hello" });
  const client = await asInstallation(simulator, installation_id);
  const locate = async (ref: string) => {
    const reply = await client.get(`/repos/${full_name}/tarball/${ref}`);
    return { status: reply.status, location: reply.headers.get("location") ?? "" };
  };
  return { simulator, client, head, locate };
}

async function unpack(response: Response): Promise<Record<string, string>> {
  const files: Record<string, string> = {};
  const entries = Readable.from(response.body ?? [])
    .pipe(createGunzip())
    .pipe(extract());
  for await (const entry of entries) {
    const content = await buffer(entry);
    if (entry.header.type === "file") files[entry.header.name] = content.toString();
  }
  return files;
}

test("a tarball is a redirect to another origin, where the link alone opens it", async () => {
  const { simulator, head, locate } = await serve({ "a.txt": "a\n", "docs/b.md": "b\n" });

  const { status, location } = await locate(head);
  const response = await fetch(location);

  const prefix = `octo-org-hello-${head.slice(0, 7)}`;
  expect(status).toBe(302);
  expect(new URL(location).origin).not.toBe(simulator.url);
  expect(await unpack(response)).toEqual({ [`${prefix}/a.txt`]: "a\n", [`${prefix}/docs/b.md`]: "b\n" });
  expect(simulator.requests.at(-1)).toMatchObject({ route: "tarball", status: 200 });
  expect(simulator.violations).toEqual([]);
});

test("export attributes take effect", async () => {
  const { head, locate } = await serve({
    ".gitattributes": "secret export-ignore\nversion export-subst\n",
    secret: "x",
    version: "$Format:%H$",
  });

  const files = await unpack(await fetch((await locate(head)).location));

  const prefix = `octo-org-hello-${head.slice(0, 7)}`;
  expect(files[`${prefix}/version`]).toBe(head);
  expect(Object.keys(files)).not.toContain(`${prefix}/secret`);
});

test("a link without its token, for another path, or after five minutes is not found", async () => {
  const { head, locate } = await serve({ "a.txt": "a\n" });
  const { location } = await locate(head);
  const elsewhere = location.replace(head, "1".repeat(40));

  const bare = await fetch(location.replace(/\?.*/, ""));
  const moved = await fetch(elsewhere);
  vi.spyOn(Date, "now").mockReturnValue(Date.now() + 301_000);
  const late = await fetch(location).finally(() => vi.restoreAllMocks());

  expect([bare.status, moved.status, late.status]).toEqual([404, 404, 404]);
});

test("sending the installation's token to the archive host is a violation", async () => {
  const { simulator, client, head, locate } = await serve({ "a.txt": "a\n" }, { violationsExpected: true });
  const { location } = await locate(head);

  const response = await fetch(location, { headers: { authorization: `token ${client.token}` } });
  await response.arrayBuffer();

  expect(simulator.violations).toEqual([expect.stringMatching(/token was sent to the archive host/)]);
});

test("an unknown commit has no archive", async () => {
  const { locate } = await serve({ "a.txt": "a\n" });

  expect(await locate("1".repeat(40))).toMatchObject({ status: 404, location: "" });
});
