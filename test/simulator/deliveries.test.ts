import { Webhooks } from "@octokit/webhooks";
import { expect, test } from "vitest";
import { createRepository } from "../support/git.ts";
import { startReceiver } from "./receiver.ts";
import { asInstallation, startTestSimulator } from "./test-client.ts";

async function serve() {
  const { received, url } = await startReceiver();
  const git = await createRepository({ bare: true, files: { "a.txt": "a\n" } });
  const simulator = await startTestSimulator({ webhookUrl: url });
  const installation_id = simulator.addInstallation();
  const repository = simulator.addRepository({ installation_id, git_dir: git.dir, name: "hello" });
  return { simulator, received, git, installation_id, repository };
}

test("a delivery is signed as the receiver verifies it and answers what the receiver said", async () => {
  const { simulator, received } = await serve();

  const delivered = await simulator.deliverPing();

  const [ping] = received;
  const webhooks = new Webhooks({ secret: simulator.webhookSecret });
  expect(delivered).toMatchObject({ status: 202, body: "Stored." });
  expect(await webhooks.verify(ping?.text ?? "", String(ping?.headers["x-hub-signature-256"]))).toBe(true);
  expect(ping?.headers).toMatchObject({
    "x-github-event": "ping",
    "x-github-delivery": delivered.guid,
    "content-type": "application/json",
    "user-agent": expect.stringMatching(/^GitHub-Hookshot\//),
  });
});

test("guid, secret, signature, headers and body can be chosen", async () => {
  const { simulator, received } = await serve();
  const secret = "another secret";

  await simulator.deliver(
    "push",
    { a: 1 },
    { guid: "g-1", secret, headers: { "content-type": "text/plain" } },
  );
  await simulator.deliver("push", {}, { signature: null, rawBody: "not json" });

  const [first, second] = received;
  expect(first?.headers).toMatchObject({ "x-github-delivery": "g-1", "content-type": "text/plain" });
  const verified = new Webhooks({ secret }).verify(
    first?.text ?? "",
    String(first?.headers["x-hub-signature-256"]),
  );
  expect(await verified).toBe(true);
  expect(second).toMatchObject({ text: "not json" });
  expect(second?.headers).not.toHaveProperty("x-hub-signature-256");
});

test("a push tells of the branch's newest commit on top of its parent", async () => {
  const { simulator, received, git, repository, installation_id } = await serve();
  const before = await git.head();
  const after = await git.commit({ "b.txt": "b\n" });

  await simulator.deliverPush(repository.id, { guid: "g-2" });

  expect(received[0]?.payload).toMatchObject({
    ref: "refs/heads/main",
    before,
    after,
    created: false,
    forced: false,
    commits: [{ id: after, message: "Commit 2" }],
    head_commit: { id: after },
    repository: { id: repository.id, full_name: "octo-org/hello", default_branch: "main" },
    installation: { id: installation_id },
    sender: { login: "octocat", type: "User" },
  });
});

test("a new tag is told as created, with the commit it leads to", async () => {
  const { simulator, received, git, repository } = await serve();
  await git.git("tag", "-a", "v1", "-m", "One");

  await simulator.deliverPush(repository.id, { ref: "refs/tags/v1", created: true });

  expect(received[0]?.payload).toMatchObject({
    ref: "refs/tags/v1",
    created: true,
    before: "0".repeat(40),
    after: await git.git("rev-parse", "refs/tags/v1"),
    head_commit: { id: await git.head() },
  });
});

test("a deleted branch is told with zeros", async () => {
  const { simulator, received, repository } = await serve();

  await simulator.deliverPush(repository.id, {
    ref: "refs/heads/old",
    before: "1".repeat(40),
    deleted: true,
  });

  expect(received[0]?.payload).toMatchObject({ deleted: true, after: "0".repeat(40), head_commit: null });
});

test("installations and their repositories are told, also of what is gone", async () => {
  const { simulator, received, installation_id, repository } = await serve();
  const { id } = repository;

  await simulator.deliverInstallationCreated(installation_id);
  await simulator.deliverRepositoriesAdded(installation_id, [id]);
  simulator.removeInstallation(installation_id);
  await simulator.deliverRepositoriesRemoved(installation_id, [id]);
  await simulator.deliverInstallationDeleted(installation_id);

  const names = [{ id, full_name: "octo-org/hello" }];
  expect(received.map(({ payload }) => payload)).toMatchObject([
    {
      action: "created",
      installation: { id: installation_id, account: { login: "octo-org" } },
      repositories: names,
    },
    { action: "added", repositories_added: names, repositories_removed: [] },
    { action: "removed", repositories_added: [], repositories_removed: names },
    { action: "deleted", installation: { id: installation_id } },
  ]);
});

test("a comment is told with its issue, its author as the sender", async () => {
  const { simulator, received, repository } = await serve();
  const comment = simulator.addComment({
    repository_id: repository.id,
    issue_number: 7,
    body: "/rescan",
    login: "mona",
  });

  await simulator.deliverComment(comment);

  expect(received[0]?.payload).toMatchObject({
    action: "created",
    issue: { number: 7 },
    comment: { id: comment.id, body: "/rescan", user: { login: "mona", type: "User" } },
    sender: { login: "mona" },
  });
});

test("a bot's comment is told as a bot's, whatever its login", async () => {
  const { simulator, received, repository } = await serve();
  const comment = simulator.addComment({
    repository_id: repository.id,
    issue_number: 7,
    body: "/rescan",
    bot: true,
  });
  await simulator.deliverPush(repository.id);

  await simulator.deliverComment(comment);

  expect(received[1]?.payload).toMatchObject({ comment: { user: { type: "Bot" } }, sender: { type: "Bot" } });
});

test("a check run's buttons are told with its App and commit", async () => {
  const { simulator, received, git, installation_id, repository } = await serve();
  const client = await asInstallation(simulator, installation_id);
  const head_sha = await git.head();
  await client.send("POST", `/repos/${repository.full_name}/check-runs`, { name: "Code index", head_sha });
  const id = simulator.checkRuns[0]?.id ?? 0;

  await simulator.deliverCheckRunRerequested(id);
  await simulator.deliverCheckRunRequestedAction(id, "rescan_full", { login: "mona" });

  const check_run = { id, head_sha, app: { id: simulator.appId } };
  expect(received.map(({ payload }) => payload)).toMatchObject([
    { action: "rerequested", check_run, sender: { login: "octocat" } },
    {
      action: "requested_action",
      check_run,
      requested_action: { identifier: "rescan_full" },
      sender: { login: "mona" },
    },
  ]);
});

test("other events take their origin from the simulator", async () => {
  const { simulator, received, repository } = await serve();

  await simulator.deliver("repository", { action: "renamed", ...simulator.origin(repository.id) });

  expect(received[0]?.payload).toMatchObject({ action: "renamed", repository: { id: repository.id } });
});

test("delivering without an address, or where nobody listens, fails with the reason", async () => {
  const { simulator } = await serve();

  simulator.webhookUrl = null;
  await expect(simulator.deliverPing()).rejects.toThrow(/webhookUrl/);
  simulator.webhookUrl = "http://127.0.0.1:9/";
  await expect(simulator.deliverPing()).rejects.toThrow(/ECONNREFUSED/);
});
