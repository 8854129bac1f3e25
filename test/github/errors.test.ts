import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import nock from "nock";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createGitHub, type Octokit } from "../../src/github/client.ts";
import { translateError } from "../../src/github/errors.ts";
import { createSource } from "../../src/github/source.ts";
import { createLogger } from "../../src/log.ts";
import { HeadMoved, RateLimited, type Source, SourceError } from "../../src/scan/source.ts";
import { checkRequestsTo } from "../support/checked-fetch.ts";

/** Answers of GitHub that no well-behaved server gives, or that cannot be had on demand. */
const GITHUB = "https://github.example";
const API = "/api/v3";
const SHA = "a".repeat(40);
const signal = new AbortController().signal;
const privateKey = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({
  type: "pkcs8",
  format: "pem",
});

checkRequestsTo(GITHUB);
beforeEach(() => {
  nock.disableNetConnect();
  nock(GITHUB)
    .post(`${API}/app/installations/1/access_tokens`)
    .reply(201, {
      token: "ghs_test",
      expires_at: new Date(Date.now() + 3_600_000).toISOString(),
      permissions: {},
    })
    .persist();
});
afterEach(() => {
  nock.cleanAll();
  nock.enableNetConnect();
});

function createOctokit(): Octokit {
  const github = createGitHub(
    {
      appId: "1",
      privateKey: privateKey.toString(),
      webhookSecret: "s".repeat(16),
      baseUrl: `${GITHUB}${API}`,
    },
    createLogger("silent"),
  );
  return github.as({
    installationId: "1",
    repositoryId: "7",
    permissions: { contents: "read" },
    background: false,
  });
}

async function createTestSource(): Promise<Source> {
  return createSource({
    octokit: createOctokit(),
    repository: { id: "7", owner: "o", name: "r" },
    limits: { maxFileBytes: 1_000, maxRepositoryBytes: 1_000_000 },
    onSeen: async () => {},
  });
}

const listing = () => nock(GITHUB).get(`${API}/repos/o/r/git/trees/${SHA}`).query({ recursive: "1" });
const repository = (status = 200, body: object = REPOSITORY) =>
  nock(GITHUB).get(`${API}/repos/o/r`).reply(status, body);
const REPOSITORY = {
  id: 7,
  name: "r",
  owner: { login: "o" },
  private: false,
  archived: false,
  default_branch: "main",
};

async function allOf<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

async function readTree(): Promise<unknown> {
  const source = await createTestSource();
  return await source.listTree(SHA, signal).catch((error: unknown) => error);
}

describe("an answer of GitHub", () => {
  test.each<[string, number, Record<string, string>, object, string, boolean]>([
    [
      "403 of a suspended installation",
      403,
      {},
      { message: "This installation has been suspended" },
      "suspended",
      true,
    ],
    [
      "403 of an archived repository",
      403,
      {},
      { message: "Repository was archived so is read-only." },
      "archived",
      false,
    ],
    [
      "403 for want of a permission",
      403,
      {},
      { message: "Resource not accessible by integration" },
      "forbidden",
      false,
    ],
    ["401", 401, {}, { message: "Bad credentials" }, "unauthorized", true],
    ["451", 451, {}, { message: "Repository access blocked" }, "blocked", false],
    ["400", 400, {}, { message: "Bad request" }, "refused", false],
  ])("%s becomes a typed error with a sentence", async (_, status, headers, body, code, retryable) => {
    listing().reply(status, body, headers).persist();

    const error = await readTree();

    expect(error).toBeInstanceOf(SourceError);
    expect(error).toMatchObject({ code, retryable });
    expect((error as Error).message).toMatch(/^[A-Z].*\.$/);
  });

  test("500 is asked again, and then worth another attempt", async () => {
    listing().times(3).reply(500, { message: "Server Error" });

    expect(await readTree()).toMatchObject({ code: "github_error", retryable: true });
  });

  test.each<[string, number, Record<string, string>, object, number]>([
    [
      "403 with no budget left",
      403,
      { "x-ratelimit-remaining": "0", "x-ratelimit-reset": "4102444800" },
      {},
      4_102_444_800_000,
    ],
    ["429 with retry-after", 429, { "retry-after": "90" }, {}, 90_000],
    [
      "403 of the secondary limit, without a word of when",
      403,
      {},
      { message: "You have exceeded a secondary rate limit" },
      60_000,
    ],
    ["429 without a word of when", 429, {}, {}, 60_000],
    ["403 with no budget left, and no reset", 403, { "x-ratelimit-remaining": "0" }, {}, 60_000],
    [
      "403 whose reset is past by our clock",
      403,
      { "x-ratelimit-remaining": "0", "x-ratelimit-reset": "1000" },
      {},
      2_000,
    ],
    [
      "403 by a clock that is not ours",
      403,
      { "x-ratelimit-remaining": "0", "x-ratelimit-reset": "1000", date: "Thu, 01 Jan 1970 00:16:00 GMT" },
      {},
      40_000,
    ],
  ])("%s says when to come back", async (_, status, headers, body, resetAt) => {
    listing().reply(status, body, headers);
    const before = Date.now();

    const error = await readTree();

    expect(error).toBeInstanceOf(RateLimited);
    const at = (error as RateLimited).resetAt.getTime();
    if (resetAt > 1e12) expect(at).toBe(resetAt);
    else expect(at - before).toBeGreaterThanOrEqual(resetAt);
  });

  test("404 on a tree whose commit is still the head is worth another attempt", async () => {
    listing().reply(404, { message: "Not Found" });
    repository();
    nock(GITHUB)
      .get(`${API}/repos/o/r/git/ref/heads%2Fmain`)
      .reply(200, { object: { sha: SHA } });
    nock(GITHUB)
      .get(`${API}/repos/o/r/git/commits/${SHA}`)
      .reply(200, { tree: { sha: SHA } });

    expect(await readTree()).toMatchObject({ code: "commit_incomplete", retryable: true });
  });

  test("404 on a tree whose commit was replaced means that the head moved", async () => {
    const other = "b".repeat(40);
    listing().reply(404, { message: "Not Found" });
    repository();
    nock(GITHUB)
      .get(`${API}/repos/o/r/git/ref/heads%2Fmain`)
      .reply(200, { object: { sha: other } });
    nock(GITHUB)
      .get(`${API}/repos/o/r/git/commits/${other}`)
      .reply(200, { tree: { sha: other } });

    expect(await readTree()).toBeInstanceOf(HeadMoved);
  });

  test("of a spent GraphQL budget, which comes as 200, says when to come back", async () => {
    nock(GITHUB)
      .post("/api/graphql")
      .reply(200, { data: null, errors: [{ type: "RATE_LIMITED", message: "API rate limit exceeded" }] });
    const source = await createTestSource();

    const reading = allOf(source.readBlobs([{ sha: SHA, size: 5 }], signal));

    await expect(reading).rejects.toThrow(RateLimited);
  });

  test("that is a repository of another id means that ours was renamed away", async () => {
    repository(200, { ...REPOSITORY, id: 8 });
    const source = await createTestSource();

    await expect(source.readHead(signal)).rejects.toMatchObject({ code: "renamed_away", retryable: true });
  });

  test("without the branch that it calls the default is asked again, and then worth another attempt", async () => {
    for (let round = 0; round < 3; round += 1) {
      repository();
      nock(GITHUB).get(`${API}/repos/o/r/git/ref/heads%2Fmain`).reply(404, { message: "Not Found" });
    }
    const source = await createTestSource();

    await expect(source.readHead(signal)).rejects.toMatchObject({ code: "branch_missing", retryable: true });
  });

  test("that breaks off is worth another attempt", async () => {
    listing()
      .times(3)
      .replyWithError(Object.assign(new Error("socket hang up"), { code: "ECONNRESET" }));

    expect(await readTree()).toMatchObject({ code: "github_unreachable", retryable: true });
  });

  test("that takes too long is worth another attempt, and says so", async () => {
    const octokit = createOctokit();
    const spent = AbortSignal.timeout(1);
    await once(spent, "abort");

    const error = await octokit.rest.git
      .getTree({ owner: "o", repo: "r", tree_sha: SHA, request: { signal: spent, retries: 0 } })
      .catch((thrown: unknown) => thrown);

    expect(translateError(error, "list the files")).toMatchObject({
      code: "github_timeout",
      message: "GitHub took too long to list the files.",
      retryable: true,
    });
  });

  test("without the archive's address is worth another attempt", async () => {
    nock(GITHUB).get(`${API}/repos/o/r/tarball/${SHA}`).reply(200, "");
    const source = await createTestSource();

    const reading = allOf(source.streamFiles(SHA, { wanted: () => true, signal }));

    await expect(reading).rejects.toMatchObject({ code: "no_archive", retryable: true });
  });
});
