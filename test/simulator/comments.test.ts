import { expect, test } from "vitest";
import { createRepository } from "../support/git.ts";
import { asInstallation, startTestSimulator } from "./test-client.ts";

async function serve() {
  const git = await createRepository({ bare: true });
  const simulator = await startTestSimulator();
  const installation_id = simulator.addInstallation();
  const { id, full_name } = simulator.addRepository({ installation_id, git_dir: git.dir, name: "hello" });
  const client = await asInstallation(simulator, installation_id);
  return { simulator, client, repository_id: id, at: `/repos/${full_name}/issues` };
}

test("a comment is written, edited and read, and its bodies are remembered", async () => {
  const { simulator, client, at } = await serve();

  const { status, json } = await client.send<{ id: number }>("POST", `${at}/7/comments`, { body: "Queued." });
  await client.send("PATCH", `${at}/comments/${json.id}`, { body: "Indexed." });
  const read = await client.get(`${at}/comments/${json.id}`);

  expect(status).toBe(201);
  expect(read.json).toMatchObject({ body: "Indexed.", user: { login: "repodex[bot]", type: "Bot" } });
  expect(simulator.comments).toMatchObject([{ issue_number: 7, history: ["Queued.", "Indexed."] }]);
  expect(simulator.violations).toEqual([]);
});

test("the comments of an issue are those of its number, since a time", async () => {
  const { simulator, client, at, repository_id } = await serve();
  const comment = simulator.addComment({ repository_id, issue_number: 7, body: "/rescan" });
  simulator.addComment({ repository_id, issue_number: 8, body: "Elsewhere" });

  const all = await client.get(`${at}/7/comments?since=${comment.updated_at}`);
  const later = await client.get(`${at}/7/comments?since=2100-01-01T00:00:00Z`);

  expect(all.json).toMatchObject([{ id: comment.id, user: { login: "octocat", type: "User" } }]);
  expect(later.json).toEqual([]);
  expect(simulator.violations).toEqual([]);
});

test("a reaction is new once, there already after that, and can be taken back", async () => {
  const { simulator, client, at, repository_id } = await serve();
  const { id } = simulator.addComment({ repository_id, issue_number: 7, body: "/rescan" });
  const path = `${at}/comments/${id}/reactions`;

  const first = await client.send<{ id: number }>("POST", path, { content: "eyes" });
  const second = await client.send("POST", path, { content: "eyes" });
  const there = simulator.reactions.map(({ comment_id, content }) => [comment_id, content]);
  const removed = await client.send("DELETE", `${path}/${first.json.id}`);

  expect([first.status, second.status, removed.status]).toEqual([201, 200, 204]);
  expect(there).toEqual([[id, "eyes"]]);
  expect(simulator.reactions).toEqual([]);
  expect(simulator.violations).toEqual([]);
});

test("comments of other repositories are not found", async () => {
  const { client, at } = await serve();

  const reply = await client.send("POST", `${at}/comments/1/reactions`, { content: "eyes" });

  expect(reply.status).toBe(404);
});
