import { sql } from "kysely";
import { expect, onTestFinished, test, vi } from "vitest";
import { useDatabase } from "../support/database.ts";
import { type Journey, startJourney } from "../support/journey.ts";
import { captureLog } from "../support/log.ts";
import { API_TOKEN } from "../support/repodex.ts";
import { until } from "../support/wait.ts";

/** Secrets are fed through every path that GitHub, a person or a failure can take; none may come out anywhere. */
const database = useDatabase();

const FILE_TEXT = "only-the-index-may-hold-this-text";
const COMMIT_MESSAGE = "a-payload-quotes-this-message";
const COMMENT = "a-payload-quotes-this-comment";
/** What a GitHub that means well might quote in an error, as one never knows. */
const QUOTED_TOKEN = `ghs_${"quoted0".repeat(6)}`;
const LONG_TOKEN = `ghs_1234567_eyJ${"abc".repeat(20)}.${"def".repeat(20)}.${"ghi".repeat(20)}`;
const QUOTED_ADDRESS = "https://codeload.example/x.tar.gz?token=QUOTEDARCHIVETOKEN";

/** So many that an archive is asked for, whose address is a secret. */
function manyFiles(name: string): Record<string, string> {
  return Object.fromEntries(
    Array.from({ length: 30 }, (_, i) => [`${name}/${i}.txt`, `${FILE_TEXT} ${name} ${i}\n`]),
  );
}

/** Everything printed to the terminal beside the log. */
function watchTerminal(): () => string {
  const written: string[] = [];
  for (const stream of [process.stdout, process.stderr]) {
    const write = stream.write.bind(stream);
    const spy = vi.spyOn(stream, "write").mockImplementation(((
      chunk: string | Uint8Array,
      ...rest: never[]
    ) => {
      written.push(String(chunk));
      return write(chunk, ...rest);
    }) as typeof stream.write);
    onTestFinished(() => spy.mockRestore());
  }
  return () => written.join("");
}

/** The tokens that GitHub gives out, as it does. */
function collectTokens({ simulator }: Journey): Set<string> {
  const tokens = new Set<string>();
  simulator.fault({
    route: "/app/installations/{installation_id}/access_tokens",
    times: Number.POSITIVE_INFINITY,
    mutate(body) {
      const { token } = JSON.parse(body.toString());
      if (typeof token === "string") tokens.add(token);
      return body;
    },
  });
  return tokens;
}

/** Every text of every table but those whose business are the files' contents and unhandled payloads. */
async function readDatabase(): Promise<string> {
  const { rows: tables } = await sql<{ name: string }>`
    select tablename as name from pg_tables where schemaname = 'public' and tablename <> 'chunks'`.execute(
    database.db,
  );
  const texts: string[] = [];
  for (const { name } of tables) {
    const { rows } = await sql<{ text: string }>`select t::text as text from ${sql.table(name)} t`.execute(
      database.db,
    );
    texts.push(...rows.map(({ text }) => text));
  }
  return texts.join("\n");
}

/** What people see: check runs and our comments. */
function readGitHub({ simulator }: Journey): string {
  const comments = simulator.comments.filter(({ user }) => user.type === "Bot");
  return JSON.stringify([simulator.checkRuns, comments]);
}

const ROUTES = [
  "/repos/{owner}/{repo}",
  "/repos/{owner}/{repo}/git/ref/{ref}",
  "/repos/{owner}/{repo}/git/trees/{tree_sha}",
  "/repos/{owner}/{repo}/tarball/{ref}",
  "tarball",
  "/graphql",
  "/repos/{owner}/{repo}/check-runs",
  "/repos/{owner}/{repo}/issues/{issue_number}/comments",
  "/repos/{owner}/{repo}/collaborators/{username}/permission",
  "/app/installations/{installation_id}/access_tokens",
  "/installation/repositories",
];

test("no token, key, secret, signed address or payload comes out anywhere", async () => {
  const terminal = watchTerminal();
  const { log, text: logged } = captureLog("trace");
  const journey = await startJourney(database, { log, files: manyFiles("first") });
  const { simulator, repositoryId, installationId, git } = journey;
  const tokens = collectTokens(journey);
  await journey.install();

  const quoting = {
    message: `No: ${QUOTED_TOKEN} ${LONG_TOKEN} ${QUOTED_ADDRESS} ${simulator.environment.PRIVATE_KEY}`,
  };
  for (const status of [400, 401, 403, 404, 422, 500]) {
    for (const route of ROUTES) simulator.fault({ route, status, times: 2, body: quoting });
    await git.commit(manyFiles(`${status}`), COMMIT_MESSAGE);
    await simulator.deliverPush(repositoryId);
    const comment = {
      repository_id: repositoryId,
      issue_number: 1,
      body: `${COMMENT}\n/rescan ${QUOTED_TOKEN}`,
    };
    await simulator.deliverComment(simulator.addComment(comment));
    await simulator.deliverComment(simulator.addComment({ ...comment, body: `${COMMENT}\n/rescan full` }));
    await untilQuiet();
  }
  simulator.fault({ route: "tarball", cutAfterBytes: 10, times: 2 });
  simulator.expireTokens();
  await simulator.deliverInstallationCreated(installationId);
  await untilQuiet();
  // What is signed and no use, what is no JSON, and what is not signed at all.
  await simulator.deliver("push", {
    ref: COMMIT_MESSAGE,
    repository: { id: COMMENT },
    installation: { id: 1 },
  });
  await simulator.deliver("push", {}, { rawBody: `{"broken": "${COMMIT_MESSAGE}` });
  await simulator.deliver("push", { message: COMMIT_MESSAGE }, { secret: "another secret of somebody" });
  await untilQuiet();
  await fetch(`${journey.url}/api/v1/repositories`, { headers: { authorization: `Bearer ${API_TOKEN}x` } });

  const key = (simulator.environment.PRIVATE_KEY ?? "").split("\n").filter((line) => line.length > 40);
  const archives = simulator.requests.flatMap(({ path }) => /[?&]token=([^&]+)/.exec(path)?.[1] ?? []);
  const places = {
    log: logged(),
    terminal: terminal(),
    database: await readDatabase(),
    github: readGitHub(journey),
  };
  const secrets = {
    tokens: [...tokens, QUOTED_TOKEN, LONG_TOKEN],
    keys: key,
    archives: [...archives, "QUOTEDARCHIVETOKEN"],
    "webhook secret": [simulator.webhookSecret],
    "API token": [API_TOKEN],
    payloads: [COMMIT_MESSAGE, COMMENT],
    "file texts": [FILE_TEXT],
  };
  const found = Object.entries(secrets).flatMap(([what, values]) =>
    Object.entries(places).flatMap(([where, text]) =>
      values.some((value) => text.includes(value)) ? [`${what} in the ${where}`] : [],
    ),
  );
  expect(found).toEqual([]);
  expect(tokens.size).toBeGreaterThan(3);
  expect(archives.length).toBeGreaterThan(0);
  expect(key.length).toBeGreaterThan(10);
  expect(places.log.length).toBeGreaterThan(10_000);
}, 120_000);

/** Waits until nothing is left to do; what was put off is due at once. */
async function untilQuiet(): Promise<void> {
  const now = sql<Date>`clock_timestamp()`;
  await until(
    async () => {
      const { db } = database;
      await db.updateTable("installations").set({ paused_until: now }).execute();
      await db.updateTable("runs").set({ not_before: now }).where("state", "=", "queued").execute();
      await db.updateTable("check_reports").set({ not_before: now }).where("state", "=", "open").execute();
      await db.updateTable("deliveries").set({ not_before: now }).where("state", "=", "pending").execute();
      await sql`update run_requests set reply_not_before = clock_timestamp() where reply_state = 'open'`.execute(
        db,
      );
      await sql`select pg_notify('deliveries', ''), pg_notify('runs_due', ''), pg_notify('runs_changed', '')`.execute(
        db,
      );
      const { rows } = await sql`
        select from deliveries where state = 'pending' union all
        select from runs where state in ('queued', 'running') union all
        select from run_requests where reply_state = 'open' union all
        select from check_reports where state = 'open'`.execute(db);
      return rows.length === 0;
    },
    { what: "everything to be quiet", timeoutMs: 60_000 },
  );
}
