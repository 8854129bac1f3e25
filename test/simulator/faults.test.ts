import { expect, test } from "vitest";
import { createRepository } from "../support/git.ts";
import { asInstallation, startTestSimulator } from "./test-client.ts";

const LIST = "/installation/repositories";

async function serve() {
  const simulator = await startTestSimulator();
  const installation_id = simulator.addInstallation();
  return { simulator, installation_id, client: await asInstallation(simulator, installation_id) };
}

test("every answer says what is left of the installation's own budget", async () => {
  const { simulator, client } = await serve();
  const other = await asInstallation(simulator, simulator.addInstallation({ account: "other" }));

  await client.get(LIST);
  const second = await client.get(LIST);
  const first = await other.get(LIST);

  expect(second.headers.get("x-ratelimit-remaining")).toBe("4998");
  expect(second.headers.get("x-ratelimit-used")).toBe("2");
  expect(first.headers.get("x-ratelimit-remaining")).toBe("4999");
});

test("a spent budget is a 403 with nothing remaining, and asking for the limits is free", async () => {
  const { simulator, installation_id, client } = await serve();
  const reset = Math.floor(Date.now() / 1000) + 60;
  simulator.setBudget(installation_id, { limit: 5_000, remaining: 1, reset });

  const last = await client.get(LIST);
  const refused = await client.get(LIST);
  const limits = await client.get("/rate_limit");

  const message = `API rate limit exceeded for installation ID ${installation_id}.`;
  expect(last.status).toBe(200);
  expect(refused).toMatchObject({ status: 403, json: { message } });
  expect(refused.headers.get("x-ratelimit-remaining")).toBe("0");
  expect(refused.headers.get("x-ratelimit-reset")).toBe(String(reset));
  expect(limits.json).toMatchObject({ resources: { core: { remaining: 0, limit: 5_000 } } });
});

test("a budget fills again when its reset has passed", async () => {
  const { simulator, installation_id, client } = await serve();
  simulator.setBudget(installation_id, { limit: 10, remaining: 0, reset: Math.floor(Date.now() / 1000) - 1 });

  const { status, headers } = await client.get(LIST);

  expect(status).toBe(200);
  expect(headers.get("x-ratelimit-remaining")).toBe("9");
});

test("a fault answers in GitHub's place, once, after the requests it lets pass", async () => {
  const { simulator, client } = await serve();
  simulator.fault({ route: LIST, after: 1, status: 502, headers: { "retry-after": "7" } });

  const replies = [await client.get(LIST), await client.get(LIST), await client.get(LIST)];

  expect(replies.map(({ status }) => status)).toEqual([200, 502, 200]);
  expect(replies[1]?.headers.get("retry-after")).toBe("7");
});

test("a fault meets what it matches until it is removed", async () => {
  const { simulator, client } = await serve();
  const match = ({ path }: { path: string }) => path.endsWith("page=2");
  const remove = simulator.fault({ match, times: Number.POSITIVE_INFINITY, status: 500, body: "broken" });

  const other = await client.get(LIST);
  const met = [await client.get(`${LIST}?page=2`), await client.get(`${LIST}?page=2`)];
  remove();
  const after = await client.get(`${LIST}?page=2`);

  expect([other.status, ...met.map(({ status }) => status), after.status]).toEqual([200, 500, 500, 200]);
  expect(met[0]?.text).toBe("broken");
});

test("a fault changes the true answer's body and headers", async () => {
  const { simulator, client } = await serve();
  const mutate = (body: Buffer) => Buffer.from(body.toString().replace(`"total_count":0`, `"total_count":9`));
  simulator.fault({ route: LIST, headers: { "x-spoiled": "yes" }, mutate });

  const { json, headers } = await client.get(LIST);

  expect(json).toMatchObject({ total_count: 9 });
  expect(headers.get("x-spoiled")).toBe("yes");
});

test("a delayed answer comes after its delay", async () => {
  const { simulator, client } = await serve();
  simulator.fault({ route: LIST, delayMs: 60 });

  const startedAt = performance.now();
  const { status } = await client.get(LIST);

  expect(status).toBe(200);
  expect(performance.now() - startedAt).toBeGreaterThan(55);
});

test("something happens in the middle of a request, before its answer is made", async () => {
  const { simulator, installation_id, client } = await serve();
  const meanwhile = async () => simulator.setSuspended(installation_id, true);
  simulator.fault({ route: LIST, meanwhile });

  const { status } = await client.get(LIST);

  expect(status).toBe(403);
});

test("something happens while a body is sent, all of which arrives", async () => {
  const git = await createRepository({
    bare: true,
    files: { large: Buffer.alloc(2_000_000, "0123456789\n") },
  });
  const { simulator, installation_id, client } = await serve();
  const { full_name } = simulator.addRepository({ installation_id, git_dir: git.dir, name: "hello" });
  const archive = (await client.get(`/repos/${full_name}/tarball/main`)).headers.get("location") ?? "";
  const whole = await receive(archive);
  const happened: string[] = [];
  simulator.fault({
    route: "tarball",
    meanwhileAfterBytes: 1_000,
    meanwhile: async () => happened.push("once"),
  });

  const paused = await receive(archive);

  expect(happened).toEqual(["once"]);
  expect(paused).toEqual({ ...whole, failed: false });
});

test("a cut answer ends after so many bytes, archives too", async () => {
  const git = await createRepository({
    bare: true,
    files: { "a.bin": Buffer.alloc(300_000, "0123456789abcdef") },
  });
  const { simulator, installation_id, client } = await serve();
  const { full_name } = simulator.addRepository({ installation_id, git_dir: git.dir, name: "hello" });
  simulator.fault({ route: LIST, cutAfterBytes: 10 });
  simulator.fault({ route: "tarball", cutAfterBytes: 100 });

  const archive = (await client.get(`/repos/${full_name}/tarball/main`)).headers.get("location") ?? "";
  const json = await receive(`${simulator.url}/api/v3${LIST}`, client.token);
  const tarball = await receive(archive);

  expect(json).toEqual({ status: 200, bytes: 10, failed: true });
  expect(tarball).toEqual({ status: 200, bytes: 100, failed: true });
});

/** How many bytes of a body arrive, and whether it ends in an error. */
async function receive(url: string, token?: string) {
  const response = await fetch(
    url,
    token === undefined ? {} : { headers: { authorization: `token ${token}` } },
  );
  let bytes = 0;
  try {
    for await (const chunk of response.body ?? []) bytes += chunk.length;
    return { status: response.status, bytes, failed: false };
  } catch {
    return { status: response.status, bytes, failed: true };
  }
}

test("a hanging request is recorded without a status and ends when the simulator closes", async () => {
  const { simulator, client } = await serve();
  simulator.fault({ route: LIST, hang: true });

  const hanging = client.get(LIST).then(
    () => "answered",
    () => "cut off",
  );
  const request = await simulator.until(() => simulator.requests.find(({ route }) => route === LIST), {
    what: "the hanging request",
  });
  const status = request.status;
  await simulator.close();

  expect(status).toBe(0);
  expect(await hanging).toBe("cut off");
});
