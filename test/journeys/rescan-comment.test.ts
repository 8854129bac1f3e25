import { describe, expect, test } from "vitest";
import { useDatabase } from "../support/database.ts";
import { type Journey, startJourney } from "../support/journey.ts";
import { until } from "../support/wait.ts";

const database = useDatabase();

async function comment(journey: Journey, body: string, more: { login?: string; bot?: boolean } = {}) {
  const made = journey.simulator.addComment({
    repository_id: journey.repositoryId,
    issue_number: 1,
    body,
    ...more,
  });
  const { status } = await journey.simulator.deliverComment(made);
  expect(status).toBe(202);
  return made;
}

/** The app's own comments. */
function replies({ simulator }: Journey) {
  return simulator.comments.filter(
    (candidate) => candidate.user.type === "Bot" && candidate.body.includes("repodex-request"),
  );
}

function reactionsTo(journey: Journey, id: number): string[] {
  return journey.simulator.reactions
    .filter(({ comment_id }) => comment_id === id)
    .map(({ content }) => content);
}

describe("a /rescan comment", () => {
  test("is answered at once, and its one reply edited at the end", async () => {
    const journey = await startJourney(database);
    await journey.install();
    journey.simulator.fault({ route: "/repos/{owner}/{repo}/git/trees/{tree_sha}", delayMs: 3_000 });

    const asked = await comment(journey, "Please index this again.\n/rescan full");
    await until(() => replies(journey).length > 0, { what: "a reply" });
    const first = replies(journey)[0]?.body;
    const early = reactionsTo(journey, asked.id);
    await journey.untilStill();

    expect(early).toEqual(["eyes"]);
    expect(first).toMatch(/^(A scan is queued, first in line\.|The scan is running)/);
    expect(reactionsTo(journey, asked.id)).toEqual(["eyes", "rocket"]);
    expect(replies(journey)).toHaveLength(1);
    expect(replies(journey)[0]?.body).toMatch(/^Indexed `[0-9a-f]{7}`: 4 files listed\. \[Details\]\(http/);
    const { last_finished } = await journey.status();
    expect(last_finished).toMatchObject({ trigger: "rescan", mode: "full", requested_by: "octocat" });
    await journey.expectTruth();
    expect(journey.simulator.violations).toEqual([]);
  });

  test("is answered after all when its repository was removed before the answer, and returns", async () => {
    const journey = await startJourney(database);
    await journey.install();
    const { simulator, installationId, repositoryId: id, git } = journey;
    simulator.fault({
      route: "/repos/{owner}/{repo}/issues/comments/{comment_id}/reactions",
      delayMs: 1_000,
    });
    const asked = await comment(journey, "/rescan full");
    await journey.untilStatus("the scan to begin", ({ running }) => running?.mode === "full");
    simulator.removeRepository(id);
    await simulator.deliverRepositoriesRemoved(installationId, [id]);
    await journey.untilStill();
    const unanswered = replies(journey);

    simulator.addRepository({ id, installation_id: installationId, git_dir: git.dir, name: "hello" });
    await simulator.deliverRepositoriesAdded(installationId, [id]);
    await journey.untilStill();

    expect(unanswered).toEqual([]);
    expect(replies(journey)).toHaveLength(1);
    expect(replies(journey)[0]?.body).toMatch(/^(Cancelled\.|The scan failed: .* the repository is gone)/);
    expect(reactionsTo(journey, asked.id)).toEqual(["confused"]);
  });

  test("is not refused because GitHub hides the repository for a moment", async () => {
    const journey = await startJourney(database);
    await journey.install();
    journey.simulator.fault({
      route: "/repos/{owner}/{repo}/collaborators/{username}/permission",
      status: 404,
    });

    await comment(journey, "/rescan");
    await journey.untilStill();

    expect(replies(journey).map(({ body }) => body.split(" ")[0])).toEqual(["Indexed"]);
  });

  test("during a scan is told of it, and followed by one more on the newest commit", async () => {
    const journey = await startJourney(database);
    await journey.install();
    const lift = journey.simulator.fault({
      route: "/repos/{owner}/{repo}/git/trees/{tree_sha}",
      delayMs: 8_000,
    });
    await journey.git.commit({ new: "1" });
    await journey.simulator.deliverPush(journey.repositoryId, {});
    await journey.simulator.until(
      () =>
        journey.simulator.requests.some(({ route, status }) => route.includes("git/trees") && status === 0),
      { what: "the push's scan to list its files" },
    );
    lift();

    await comment(journey, "/rescan");
    await until(() => replies(journey).length > 0, { what: "a reply" });
    const first = replies(journey)[0]?.body;
    await journey.untilStill();

    expect(first).toMatch(/^A scan is running.*; one more follows on the newest commit\./);
    await journey.expectTruth();
  });

  test("after too many is answered with the latest run and a sentence, and starts none", async () => {
    const journey = await startJourney(database);
    await journey.install();
    const run = {
      repository_id: String(journey.repositoryId),
      installation_id: String(journey.installationId),
    };
    for (let n = 0; n < 10; n += 1)
      await database.db
        .insertInto("runs")
        .values({ ...run, trigger: "rescan", state: "succeeded", finished_at: new Date() })
        .execute();

    const asked = await comment(journey, "/rescan");
    await journey.untilStill();

    expect(replies(journey)).toHaveLength(1);
    expect(replies(journey)[0]?.body).toMatch(/People started 10 scans of this repository .* \[Details\]/);
    expect(reactionsTo(journey, asked.id)).toEqual(["rocket"]);
    expect(await database.db.selectFrom("runs").select("id").execute()).toHaveLength(11);
  });

  test("on a pull request is answered there", async () => {
    const journey = await startJourney(database);
    await journey.install();
    const made = journey.simulator.addComment({
      repository_id: journey.repositoryId,
      issue_number: 7,
      body: "/rescan",
    });
    const { repository, installation, sender } = journey.simulator.origin(journey.repositoryId);
    const url = "https://api.github.com/repos/octocat/hello/pulls/7";

    await journey.simulator.deliver("issue_comment", {
      action: "created",
      issue: { number: 7, pull_request: { url } },
      comment: { id: made.id, body: made.body, user: { login: "octocat", type: "User" } },
      repository,
      installation,
      sender,
    });
    await journey.untilStill();

    expect(replies(journey).map(({ issue_number }) => issue_number)).toEqual([7]);
    expect(reactionsTo(journey, made.id)).toEqual(["eyes", "rocket"]);
  });

  test("of many people during one scan is answered to each of them", async () => {
    const journey = await startJourney(database);
    await journey.install();
    const people = ["ann", "bob", "cleo"];
    for (const login of people) journey.simulator.setPermission(journey.repositoryId, login, "write");
    journey.simulator.fault({ route: "/repos/{owner}/{repo}/git/trees/{tree_sha}", delayMs: 1_500 });
    await journey.git.commit({ new: "1\n" });
    await journey.simulator.deliverPush(journey.repositoryId);
    await journey.untilStatus("the push's scan", ({ running }) => running !== null);

    const asked = [];
    for (const login of people) asked.push(await comment(journey, "/rescan", { login }));
    await journey.untilStill();

    expect(replies(journey).map(({ body }) => body.split(" ")[0])).toEqual(people.map(() => "Indexed"));
    for (const { id } of asked) expect(reactionsTo(journey, id)).toContain("rocket");
  });

  test.each([
    [
      "by somebody who may not write",
      "/rescan",
      { login: "stranger" },
      "-1",
      /Only people with write access/,
    ],
    [
      "with an option that there is not",
      "/rescan everything",
      {},
      "confused",
      /I do not know the option `everything`\. Usage:/,
    ],
  ])("%s is refused with a sentence and a reaction", async (_, body, who, reaction, sentence) => {
    const journey = await startJourney(database);
    await journey.install();

    const asked = await comment(journey, body, who);
    await journey.untilStill();

    expect(reactionsTo(journey, asked.id)).toEqual([reaction]);
    expect(replies(journey)).toHaveLength(1);
    expect(replies(journey)[0]?.body).toMatch(sentence);
    const { data } = await journey.get<{ data: unknown[] }>(
      `/api/v1/repositories/${journey.repositoryId}/runs`,
    );
    expect(data).toHaveLength(1);
  });

  test.each([
    ["by a bot", "/rescan", { login: "helper[bot]", bot: true }],
    ["in a quote", "> /rescan", {}],
    ["in a sentence", "You can use /rescan here.", {}],
  ])("%s is met with silence", async (_, body, who) => {
    const journey = await startJourney(database);
    await journey.install();

    const asked = await comment(journey, body, who);
    await journey.untilStill();

    expect(reactionsTo(journey, asked.id)).toEqual([]);
    expect(replies(journey)).toEqual([]);
  });

  test("that is edited or deleted asks for nothing more", async () => {
    const journey = await startJourney(database);
    await journey.install();
    const made = journey.simulator.addComment({
      repository_id: journey.repositoryId,
      issue_number: 1,
      body: "/rescan",
    });

    await journey.simulator.deliverComment(made, { action: "edited" });
    await journey.simulator.deliverComment(made, { action: "deleted" });
    await journey.untilStill();

    expect(replies(journey)).toEqual([]);
  });

  test("whose reply was written but not recorded is answered once all the same", async () => {
    const journey = await startJourney(database);
    await journey.install();
    journey.simulator.fault({
      route: "/repos/{owner}/{repo}/issues/{issue_number}/comments",
      method: "POST",
      cutAfterBytes: 10,
    });

    await comment(journey, "/rescan");
    await journey.untilStill(30_000);

    expect(replies(journey)).toHaveLength(1);
  });
});
