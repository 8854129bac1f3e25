import { describe, expect, test } from "vitest";
import { escapeMarkdown } from "../../src/github/markdown.ts";
import type { Fault } from "../simulator/faults.ts";
import { useDatabase } from "../support/database.ts";
import { type Journey, startJourney } from "../support/journey.ts";
import { until } from "../support/wait.ts";

/** Each way GitHub can refuse, met by a scan that somebody asked for with a comment. */
const database = useDatabase();

const TREE = { route: "/repos/{owner}/{repo}/git/trees/{tree_sha}" };
const TOKEN = { route: "/app/installations/{installation_id}/access_tokens" };
const message = (text: string) => ({ body: { message: text } });

interface LogEvent {
  kind: string;
  error: { code: string; message: string } | null;
}

/** Indexed once, then asked to scan while GitHub answers with a fault. */
async function rescanAgainst(fault: Fault, { expired = false } = {}): Promise<Journey> {
  const journey = await startJourney(database);
  await journey.install();
  await journey.git.commit({ new: "1\n" });
  journey.simulator.fault(fault);
  if (expired) journey.simulator.expireTokens();
  const comment = journey.simulator.addComment({
    repository_id: journey.repositoryId,
    issue_number: 1,
    body: "/rescan",
  });
  await journey.simulator.deliverComment(comment);
  return journey;
}

async function logOf(journey: Journey): Promise<LogEvent[]> {
  const { data } = await journey.get<{ data: { id: string }[] }>(
    `/api/v1/repositories/${journey.repositoryId}/runs`,
  );
  return (await journey.get<{ data: LogEvent[] }>(`/api/v1/runs/${data[0]?.id}/log`)).data;
}

function replyOf({ simulator }: Journey): string {
  return simulator.comments.find(({ user }) => user.type === "Bot")?.body ?? "";
}

interface Lasting {
  refusal: string;
  fault: Fault;
  code: string;
  sentence: RegExp;
  /** The tokens in use are not good any more. */
  expired?: boolean;
}

const LASTING: Lasting[] = [
  {
    refusal: "403 for want of a permission",
    fault: { ...TREE, status: 403, ...message("Resource not accessible by integration") },
    code: "forbidden",
    sentence: /permissions of app\.yml, and that the owner has accepted them/,
  },
  {
    refusal: "422 for a token with a permission that was not granted",
    fault: {
      ...TOKEN,
      match: ({ body }) => JSON.stringify(body).includes('"contents"'),
      status: 422,
      ...message("The permissions requested are not granted to this installation."),
    },
    code: "forbidden",
    sentence: /has not accepted all permissions/,
    expired: true,
  },
  {
    refusal: "410",
    fault: { ...TREE, status: 410, ...message("This is gone") },
    code: "gone",
    sentence: /switched off or deleted/,
  },
  {
    refusal: "422",
    fault: { ...TREE, status: 422, ...message("Validation Failed") },
    code: "unprocessable",
    sentence: /did not accept the request/,
  },
  {
    refusal: "451",
    fault: { ...TREE, status: 451, ...message("Repository access blocked") },
    code: "blocked",
    sentence: /for legal reasons/,
  },
  {
    refusal: "400",
    fault: { ...TREE, status: 400, ...message("Bad request") },
    code: "refused",
    sentence: /refused to list the files \(400\)/,
  },
];

describe("a refusal that lasts", () => {
  test.for(LASTING)("$refusal is told in the check run, the log and the reply", async (row) => {
    const journey = await rescanAgainst({ times: Number.POSITIVE_INFINITY, ...row.fault }, row);

    await journey.untilStill();

    const { last_finished } = await journey.status();
    expect(last_finished).toMatchObject({ state: "failed", reason_code: row.code });
    const sentence = last_finished?.reason ?? "";
    expect(sentence).toMatch(row.sentence);
    expect((await logOf(journey)).at(-1)).toMatchObject({
      kind: "run.completed",
      error: { code: row.code, message: sentence },
    });
    expect(replyOf(journey)).toContain(`The scan failed: ${escapeMarkdown(sentence)}`);
    const check = journey.simulator.checkRuns.at(-1);
    expect(check).toMatchObject({ status: "completed", conclusion: "failure" });
    expect(check?.output.summary).toContain(escapeMarkdown(sentence));
  });
});

interface Passing {
  refusal: string;
  fault: Fault;
  code: string;
  sentence: RegExp;
  /** Attempts of the run that it costs. */
  costs: number;
}

const PASSING: Passing[] = [
  {
    refusal: "401",
    fault: { ...TREE, status: 401, times: 2, ...message("Bad credentials") }, // a new token is asked for in between
    code: "unauthorized",
    sentence: /did not accept the App's credentials/,
    costs: 0,
  },
  {
    refusal: "403 of a secondary limit",
    fault: {
      ...TREE,
      status: 403,
      headers: { "retry-after": "1" },
      ...message("You have exceeded a secondary rate limit."),
    },
    code: "rate_limited",
    sentence: /rate limit is used up until/,
    costs: 0,
  },
  {
    refusal: "404 with access intact",
    fault: { ...TREE, status: 404, ...message("Not Found") },
    code: "commit_incomplete",
    sentence: /did not find the files of the commit/,
    costs: 1,
  },
  {
    refusal: "404 of the repository itself with access intact",
    fault: { route: "/repos/{owner}/{repo}", status: 404, ...message("Not Found") },
    code: "not_found",
    sentence: /the repository is gone, or Repodex may not read it any more/,
    costs: 1,
  },
  {
    refusal: "409",
    fault: { ...TREE, status: 409, ...message("Git Repository is being changed.") },
    code: "conflict",
    sentence: /is empty, or is being changed/,
    costs: 1,
  },
  {
    refusal: "502",
    fault: { ...TREE, status: 502, times: 3, body: "<html>Bad gateway</html>" }, // Octokit asks again by itself
    code: "github_error",
    sentence: /answered 502 when asked to list the files/,
    costs: 0,
  },
  {
    refusal: "an answer that is cut off",
    fault: { ...TREE, cutAfterBytes: 20, times: 3 },
    code: "github_unreachable",
    sentence: /could not be reached to list the files/,
    costs: 0,
  },
];

describe("a refusal that passes", () => {
  test.for(PASSING)("$refusal costs $costs attempts, and the scan goes on", async (row) => {
    const journey = await rescanAgainst(row.fault);

    await journey.untilStill();

    expect((await journey.status()).last_finished).toMatchObject({ state: "succeeded", failures: row.costs });
    const waited = (await logOf(journey)).find(
      ({ kind }) => kind === "run.waiting" || kind === "run.retrying",
    );
    expect(JSON.stringify(waited)).toMatch(row.sentence);
    expect(waited?.error?.code ?? "rate_limited").toBe(row.code);
    expect(replyOf(journey)).toMatch(/^Indexed /);
    await journey.expectTruth();
  });

  test("a new name, told by a redirect, costs nothing", async () => {
    const journey = await startJourney(database);
    await journey.install();
    await journey.git.commit({ new: "1\n" });
    journey.repository.name = "renamed";

    await journey.post(`/api/v1/repositories/${journey.repositoryId}/rescan`);
    await journey.untilStill();

    expect((await journey.status()).last_finished).toMatchObject({ state: "succeeded", failures: 0 });
    expect(await journey.get(`/api/v1/repositories/${journey.repositoryId}`)).toMatchObject({
      name: "renamed",
    });
  });
});

describe("lost access that no webhook told of", () => {
  test("to the repository hides it, once GitHub's own list has said so", async () => {
    const journey = await startJourney(database);
    await journey.install();
    journey.simulator.removeRepository(journey.repositoryId);

    await journey.post(`/api/v1/repositories/${journey.repositoryId}/rescan`);

    await until(async () => (await shown(journey)).length === 0, { what: "it to be hidden" });
    await journey.untilStill();
    const log = await database.db.selectFrom("run_events").select(["kind", "message"]).execute();
    expect(log).toContainEqual({
      kind: "access.lost",
      message: "GitHub says that Repodex may not read this repository any more: it is hidden.",
    });
  });

  test("to the installation hides all of it", async () => {
    const journey = await startJourney(database);
    await journey.install();
    journey.simulator.removeInstallation(journey.installationId);

    await journey.post(`/api/v1/repositories/${journey.repositoryId}/rescan`);

    await until(async () => (await shown(journey)).length === 0, { what: "it to be hidden" });
    await journey.untilStill();
  });

  test("is not believed while GitHub gives no whole list", async () => {
    const journey = await startJourney(database);
    await journey.install();
    journey.simulator.removeRepository(journey.repositoryId);
    journey.simulator.fault({
      route: "/installation/repositories",
      times: 100,
      mutate: (body) => Buffer.from(JSON.stringify({ ...JSON.parse(body.toString()), total_count: 7 })),
    });

    await journey.post(`/api/v1/repositories/${journey.repositoryId}/rescan`);
    await until(async () => (await logOf(journey)).some(({ kind }) => kind === "run.retrying"), {
      what: "the attempt to fail",
    });

    expect(await shown(journey)).toHaveLength(1);
  });
});

async function shown(journey: Journey): Promise<unknown[]> {
  return (await journey.get<{ data: unknown[] }>("/api/v1/repositories")).data;
}

test("what was refused for want of a permission is done once the owner grants it", async () => {
  const journey = await startJourney(database);
  const { simulator, installationId, repositoryId } = journey;
  await journey.install();
  await journey.git.commit({ new: "1\n" });
  simulator.setPermissions(installationId, { metadata: "read", issues: "write", pull_requests: "write" });
  await simulator.deliverPush(repositoryId);
  await journey.untilStill();
  const refused = (await journey.status()).last_finished;
  const unreported = simulator.checkRuns.length;

  await simulator.acceptPermissions(installationId);
  await journey.untilStatus("another run", ({ last_finished }) => last_finished?.id !== refused?.id);
  await journey.untilStill();

  expect(refused).toMatchObject({ state: "failed", reason_code: "forbidden" });
  expect((await journey.status()).last_finished).toMatchObject({ state: "succeeded" });
  expect(unreported).toBe(1);
  expect(simulator.checkRuns.map(({ conclusion }) => conclusion)).toEqual(
    expect.arrayContaining(["success", "failure", "success"]),
  );
  await journey.expectTruth();
});
