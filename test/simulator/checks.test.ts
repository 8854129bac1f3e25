import { expect, test } from "vitest";
import { createRepository } from "../support/git.ts";
import type { SimulatorEvent } from "./recorder.ts";
import { asInstallation, startTestSimulator, type TestSimulatorOptions } from "./test-client.ts";

interface Created {
  id: number;
}

async function serve(options: TestSimulatorOptions = {}) {
  const git = await createRepository({ bare: true, files: { "a.txt": "a\n" } });
  const head_sha = await git.head();
  const simulator = await startTestSimulator(options);
  const installation_id = simulator.addInstallation();
  const { full_name } = simulator.addRepository({ installation_id, git_dir: git.dir, name: "hello" });
  const client = await asInstallation(simulator, installation_id);
  const at = `/repos/${full_name}`;
  const create = (body: object) =>
    client.send<Created>("POST", `${at}/check-runs`, { name: "Code index", head_sha, ...body });
  const update = (id: number, body: object) => client.send("PATCH", `${at}/check-runs/${id}`, body);
  return { simulator, client, at, head_sha, create, update };
}

const output = { title: "Scanning", summary: "Under way." };
const annotation = {
  path: "a.txt",
  start_line: 1,
  end_line: 1,
  annotation_level: "notice",
  message: "Look.",
};

test("a check run remembers what it said after each request, and tells listeners", async () => {
  const { simulator, client, at, create, update } = await serve();
  const events: SimulatorEvent["kind"][] = [];
  simulator.on((event) => void (event.kind === "check_run" && events.push(event.kind)));

  const { status, json } = await create({ status: "in_progress", external_id: "7", output });
  await update(json.id, { conclusion: "success", output: { title: "Indexed", summary: "Done." } });
  const read = await client.get(`${at}/check-runs/${json.id}`);

  expect(status).toBe(201);
  expect(read.json).toMatchObject({
    status: "completed",
    conclusion: "success",
    output: { title: "Indexed" },
  });
  expect(simulator.checkRuns).toMatchObject([
    {
      external_id: "7",
      history: [
        { status: "in_progress", conclusion: null, title: "Scanning" },
        { status: "completed", conclusion: "success", title: "Indexed" },
      ],
    },
  ]);
  expect(events).toHaveLength(2);
  expect(simulator.violations).toEqual([]);
});

test("annotations are appended over updates and listed at their own address", async () => {
  const { client, at, create, update } = await serve();
  const annotations = Array.from({ length: 50 }, () => annotation);

  const { json } = await create({ output: { ...output, annotations } });
  await update(json.id, { output: { ...output, annotations: [annotation] } });

  const read = await client.get(`${at}/check-runs/${json.id}`);
  const listed = await client.get(`${at}/check-runs/${json.id}/annotations?per_page=100`);
  expect(read.json).toMatchObject({ output: { annotations_count: 51 } });
  expect(listed.json).toHaveLength(51);
});

const action = { label: "Rescan", description: "Scan it again", identifier: "rescan" };

test.for([
  ["a title of 256 characters", { output: { ...output, title: "x".repeat(256) } }, /only 255 characters/],
  ["a summary of 65,536 characters", { output: { ...output, summary: "x".repeat(65_536) } }, /only 65535/],
  ["an output without a summary", { output: { title: "x" } }, /"summary" wasn't supplied/],
  ["51 annotations", { output: { ...output, annotations: Array(51).fill(annotation) } }, /no more than 50/],
  ["four actions", { actions: Array(4).fill(action) }, /no more than 3/],
  ["a label of 21 characters", { actions: [{ ...action, label: "x".repeat(21) }] }, /only 20/],
  ["a description of 41 characters", { actions: [{ ...action, description: "x".repeat(41) }] }, /only 40/],
  ["an identifier of 21 characters", { actions: [{ ...action, identifier: "x".repeat(21) }] }, /only 20/],
  ["a completion without a conclusion", { status: "completed" }, /"conclusion" wasn't supplied/],
  ["a conclusion that only GitHub sets", { conclusion: "stale" }, /not a member of the enum/],
  ["a commit that git does not have", { head_sha: "1".repeat(40) }, /No commit found for SHA: 1{40}/],
] as const)("%s is refused with 422", async ([, body, message]) => {
  const { simulator, create } = await serve({ violationsExpected: true });

  const { status, json } = await create(body);

  expect(status).toBe(422);
  expect(json).toMatchObject({ message: expect.stringMatching(message), status: "422" });
  expect(simulator.checkRuns).toEqual([]);
});

test("a refused update leaves the check run as it was", async () => {
  const { simulator, create, update } = await serve();
  const { json } = await create({ output });

  const refused = await update(json.id, {
    conclusion: "success",
    output: { title: "x".repeat(256), summary: "" },
  });

  expect(refused.status).toBe(422);
  expect(simulator.checkRuns).toMatchObject([{ status: "queued", conclusion: null, history: { length: 1 } }]);
});

test("the check runs of a commit are listed newest first, one of a name unless all are asked for", async () => {
  const { client, at, head_sha, create } = await serve();
  const first = await create({});
  const second = await create({});
  const other = await create({ name: "Other" });
  const list = async (query: string) => {
    const path = `${at}/commits/${head_sha}/check-runs${query}`;
    return (await client.get<{ check_runs: Created[] }>(path)).json.check_runs.map(({ id }) => id);
  };

  expect(await list("")).toEqual([other.json.id, second.json.id]);
  expect(await list("?filter=all")).toEqual([other.json.id, second.json.id, first.json.id]);
  expect(await list("?check_name=Other")).toEqual([other.json.id]);
  expect(await list("?status=completed")).toEqual([]);
});
