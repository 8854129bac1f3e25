import { expect, test } from "vitest";
import { createRepository } from "../support/git.ts";
import { loadWebhookValidator } from "./openapi-webhooks.ts";
import { startReceiver } from "./receiver.ts";
import { asInstallation, startTestSimulator } from "./test-client.ts";
import { ASKED } from "./world.ts";

async function serve() {
  const { received, url } = await startReceiver();
  const git = await createRepository({ bare: true, files: { "a.txt": "a\n" } });
  const simulator = await startTestSimulator({ webhookUrl: url });
  const installation_id = simulator.addInstallation();
  const { id } = simulator.addRepository({ installation_id, git_dir: git.dir, name: "hello" });
  const other = simulator.addInstallation({ account: "mona" });
  const client = await asInstallation(simulator, installation_id);
  const checkRun = async () => {
    const body = { name: "x", head_sha: await git.head(), conclusion: "success" };
    await client.send("POST", "/repos/octo-org/hello/check-runs", body);
    return simulator.checkRuns.at(-1)?.id ?? 0;
  };
  const comment = simulator.addComment({ repository_id: id, issue_number: 7, body: "/rescan" });
  return { simulator, received, git, id, installation_id, other, checkRun, comment, client };
}

type Served = Awaited<ReturnType<typeof serve>>;
type Deed = (served: Served) => Promise<unknown>;

/** Everything the simulator tells, by the names that GitHub's description gives the webhooks. */
const told: [webhooks: string[], deed: Deed][] = [
  [["installation-created"], (s) => s.simulator.deliverInstallationCreated(s.installation_id)],
  [["installation-deleted"], (s) => s.simulator.deliverInstallationDeleted(s.installation_id)],
  [["installation-suspend"], (s) => s.simulator.suspendInstallation(s.installation_id)],
  [["installation-unsuspend"], (s) => s.simulator.unsuspendInstallation(s.installation_id)],
  [["installation-new-permissions-accepted"], (s) => s.simulator.acceptPermissions(s.installation_id)],
  [
    ["installation-repositories-added"],
    (s) => s.simulator.deliverRepositoriesAdded(s.installation_id, [s.id]),
  ],
  [
    ["installation-repositories-removed"],
    (s) => s.simulator.deliverRepositoriesRemoved(s.installation_id, [s.id]),
  ],
  [["installation-target-renamed"], (s) => s.simulator.renameAccount(s.installation_id, "octo-corp")],
  [["repository-renamed"], (s) => s.simulator.renameRepository(s.id, "bye")],
  [
    ["repository-transferred", "installation-repositories-removed"],
    (s) => s.simulator.transferRepository(s.id, s.other),
  ],
  [["repository-deleted", "installation-repositories-removed"], (s) => s.simulator.deleteRepository(s.id)],
  [["repository-archived"], (s) => s.simulator.archiveRepository(s.id)],
  [["repository-unarchived"], (s) => s.simulator.unarchiveRepository(s.id)],
  [["repository-privatized"], (s) => s.simulator.privatizeRepository(s.id)],
  [["repository-publicized", "public"], (s) => s.simulator.publicizeRepository(s.id)],
  [["repository-edited"], (s) => s.simulator.changeDefaultBranch(s.id, "develop")],
  [["push"], (s) => s.simulator.deliverPush(s.id)],
  [["push"], (s) => s.simulator.deliverPush(s.id, { ref: "refs/heads/old", deleted: true })],
  [["issue-comment-created"], (s) => s.simulator.deliverComment(s.comment)],
  [["issue-comment-edited"], (s) => s.simulator.deliverComment(s.comment, { action: "edited" })],
  [["issue-comment-deleted"], (s) => s.simulator.deliverComment(s.comment, { action: "deleted" })],
  [["check-suite-requested"], (s) => s.simulator.deliverCheckSuite(s.id, "requested")],
  [["check-suite-rerequested"], (s) => s.simulator.deliverCheckSuite(s.id, "rerequested")],
  [["check-suite-completed"], (s) => s.simulator.deliverCheckSuite(s.id, "completed")],
  [["check-run-created"], async (s) => s.simulator.deliverCheckRun(await s.checkRun(), "created")],
  [["check-run-completed"], async (s) => s.simulator.deliverCheckRun(await s.checkRun(), "completed")],
  [["check-run-rerequested"], async (s) => s.simulator.deliverCheckRunRerequested(await s.checkRun())],
  [
    ["check-run-requested-action"],
    async (s) => s.simulator.deliverCheckRunRequestedAction(await s.checkRun(), "rescan"),
  ],
  [["ping"], (s) => s.simulator.deliverPing()],
];
/** GitHub's list of the events that an App can have lacks installation_target. */
const INCOMPLETE = /^check-suite-\w+: \/check_suite\/app\/events\/6 /;
const names = [...new Set(told.flatMap(([webhooks]) => webhooks))].toSorted();

test.for(told)("%j is told as GitHub describes it", async ([webhooks, deed]) => {
  const served = await serve();
  const check = await loadWebhookValidator(names);

  await deed(served);

  const { received } = served;
  const violations = received.flatMap(({ headers, payload }) => {
    const name = [headers["x-github-event"], payload.action].filter(Boolean).join("-").replaceAll("_", "-");
    return webhooks.includes(name) ? check(name, payload) : [`${name} was not expected.`];
  });
  expect(violations.filter((violation) => !INCOMPLETE.test(violation))).toEqual([]);
  expect(received).toHaveLength(webhooks.length);
});

const payloadOf = ({ received }: Served, event: string) =>
  received.find(({ headers }) => headers["x-github-event"] === event)?.payload;

test("a suspended installation's tokens are refused, and good again afterwards", async () => {
  const served = await serve();
  const { simulator, installation_id, client } = served;

  await simulator.suspendInstallation(installation_id);
  const refused = await client.get("/installation/repositories");
  await simulator.unsuspendInstallation(installation_id);
  const answered = await client.get("/installation/repositories");

  expect([refused.status, answered.status]).toEqual([403, 200]);
  const [suspended] = served.received;
  expect(suspended?.payload).toMatchObject({
    installation: { suspended_at: expect.stringMatching(/^\d{4}/) },
  });
});

test("permissions that are accepted are granted", async () => {
  const served = await serve();
  const { simulator, installation_id, git, client } = served;
  simulator.setPermissions(installation_id, { metadata: "read", contents: "read" });
  const body = { name: "x", head_sha: await git.head() };
  const refused = await client.send("POST", "/repos/octo-org/hello/check-runs", body);

  await simulator.acceptPermissions(installation_id);

  const accepted = await client.send("POST", "/repos/octo-org/hello/check-runs", body);
  expect(payloadOf(served, "installation")).toMatchObject({ installation: { permissions: ASKED } });
  expect([refused.status, accepted.status]).toEqual([403, 201]);
});

test("an account's new login is its repositories' owner, and the old one leads there", async () => {
  const served = await serve();
  const { simulator, installation_id, client } = served;

  await simulator.renameAccount(installation_id, "octo-corp");

  expect(payloadOf(served, "installation_target")).toMatchObject({
    account: { login: "octo-corp" },
    changes: { login: { from: "octo-org" } },
    installation: { id: installation_id },
  });
  expect((await client.get("/repos/octo-org/hello")).status).toBe(301);
  expect(await client.get("/repos/octo-corp/hello")).toMatchObject({
    json: { owner: { login: "octo-corp" } },
  });
});

test("a transferred repository is another installation's, and each is told its side of it", async () => {
  const served = await serve();
  const { simulator, installation_id, other, client, id } = served;
  const fresh = await asInstallation(simulator, other);

  await simulator.transferRepository(id, other);

  expect(payloadOf(served, "repository")).toMatchObject({
    action: "transferred",
    changes: { owner: { from: { organization: { login: "octo-org" } } } },
    repository: { id, full_name: "mona/hello" },
    installation: { id: other },
  });
  expect(payloadOf(served, "installation_repositories")).toMatchObject({
    action: "removed",
    installation: { id: installation_id },
    repositories_removed: [{ id, full_name: "octo-org/hello" }],
  });
  expect((await client.get("/repos/octo-org/hello")).status).toBe(404);
  expect((await fresh.get("/repos/mona/hello")).status).toBe(200);
});

test("a deleted repository is gone, and told of with what it was", async () => {
  const served = await serve();
  const { simulator, client, id, installation_id } = served;

  await simulator.deleteRepository(id);

  expect(payloadOf(served, "repository")).toMatchObject({
    action: "deleted",
    repository: { id, full_name: "octo-org/hello" },
    installation: { id: installation_id },
  });
  expect((await client.get("/repos/octo-org/hello")).status).toBe(404);
});

test.for([
  ["archived", (s: Served) => s.simulator.archiveRepository(s.id), { archived: true }],
  ["unarchived", (s: Served) => s.simulator.unarchiveRepository(s.id), { archived: false }],
  [
    "privatized",
    (s: Served) => s.simulator.privatizeRepository(s.id),
    { private: true, visibility: "private" },
  ],
  [
    "publicized",
    (s: Served) => s.simulator.publicizeRepository(s.id),
    { private: false, visibility: "public" },
  ],
  ["renamed", (s: Served) => s.simulator.renameRepository(s.id, "bye"), { name: "bye" }],
  ["edited", (s: Served) => s.simulator.changeDefaultBranch(s.id, "dev"), { default_branch: "dev" }],
] as const)("a repository that is %s is so to those who look, too", async ([action, deed, facts]) => {
  const served = await serve();

  await deed(served);

  expect(payloadOf(served, "repository")).toMatchObject({ action, repository: facts });
  const full_name = `octo-org/${"name" in facts ? facts.name : "hello"}`;
  expect((await served.client.get(`/repos/${full_name}`)).json).toMatchObject(facts);
});
