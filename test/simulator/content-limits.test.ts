import { afterEach, expect, test, vi } from "vitest";
import { createRepository } from "../support/git.ts";
import { asInstallation, startTestSimulator } from "./test-client.ts";

afterEach(() => void vi.restoreAllMocks());

async function serve() {
  const git = await createRepository({ bare: true, files: { "a.txt": "a\n" } });
  const simulator = await startTestSimulator();
  const id = simulator.addInstallation();
  const repository = simulator.addRepository({ installation_id: id, git_dir: git.dir, name: "hello" });
  const at = `/repos/${repository.full_name}`;
  const client = await asInstallation(simulator, id);
  const comment = async () => await client.send("POST", `${at}/issues/1/comments`, { body: "Hello" });
  return { simulator, id, at, client, comment, head_sha: await git.head() };
}

test("the eighty-first comment in a minute is refused with the time to wait", async () => {
  const { simulator, id, client, at, comment } = await serve();
  for (let i = 0; i < 80; i++) expect(await comment()).toMatchObject({ status: 201 });

  const refused = await comment();

  expect(refused).toMatchObject({ status: 403, json: { message: expect.stringMatching(/secondary rate/) } });
  expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(30);
  expect(refused.headers.get("x-ratelimit-remaining")).not.toBe("0");
  expect(await client.get(at)).toMatchObject({ status: 200 });
  expect(simulator.contentUse(id)).toEqual({ minute: 80, hour: 80, total: 80, refused: 1 });
  expect(simulator.comments).toHaveLength(80);
  expect(simulator.violations).toEqual([]);
});

test("there is room again once the oldest is a minute old, but for the limit of the hour", async () => {
  const { simulator, id, comment } = await serve();
  simulator.setContentLimits({ minute: 2, hour: 3 });
  const start = Date.now();
  const at = (seconds: number) => void vi.spyOn(Date, "now").mockReturnValue(start + seconds * 1000);
  at(0);
  const first = [await comment(), await comment(), await comment()];

  at(59);
  const early = await comment();
  at(61);
  const second = [await comment(), await comment()];

  expect(first.map(({ status }) => status)).toEqual([201, 201, 403]);
  expect(first.map(({ headers }) => headers.get("retry-after"))).toEqual([null, null, "60"]);
  expect(early.headers.get("retry-after")).toBe("1");
  expect(second.map(({ status }) => status)).toEqual([201, 403]);
  expect(second.map(({ headers }) => headers.get("retry-after"))).toEqual([null, "3539"]);
  expect(simulator.contentUse(id)).toMatchObject({ minute: 1, hour: 3, refused: 3 });
});

test("check runs, comments and reactions count, made or changed, each installation by itself", async () => {
  const { simulator, id, client, at, comment, head_sha } = await serve();
  const { json: run } = await client.send<{ id: number }>("POST", `${at}/check-runs`, {
    name: "x",
    head_sha,
  });
  await client.send("PATCH", `${at}/check-runs/${run.id}`, { status: "in_progress" });
  await comment();
  const commentId = simulator.comments[0]?.id;
  await client.send("PATCH", `${at}/issues/comments/${commentId}`, { body: "Bye" });
  await client.send("POST", `${at}/issues/comments/${commentId}/reactions`, { content: "eyes" });
  await client.get(`${at}/issues/1/comments`);

  expect(simulator.requests.filter(({ status }) => status >= 300)).toEqual([]);
  expect(simulator.contentUse(id)).toMatchObject({ total: 5, refused: 0 });
  expect(simulator.contentUse(id + 1)).toMatchObject({ total: 0 });
});

test("the limits can be lifted", async () => {
  const { simulator, comment } = await serve();
  simulator.setContentLimits(null);

  for (let i = 0; i < 85; i++) expect(await comment()).toMatchObject({ status: 201 });
});
