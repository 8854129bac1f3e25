import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { startSimulator } from "../simulator/simulator.ts";
import { type AppProcess, startAppProcess } from "../support/app-process.ts";
import { DemoError, type DemoOptions, git, headOf, readOptions, USAGE } from "./options.ts";
import { followRun } from "./progress.ts";

const WATCH_MS = 1_000;
const FIRST_RUN_TIMEOUT_MS = 10 * 60_000;

type Simulator = Awaited<ReturnType<typeof startSimulator>>;

interface Demo {
  options: DemoOptions;
  simulator: Simulator;
  app: AppProcess;
  repositoryId: number;
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

async function main(): Promise<number> {
  const options = await readOptions(process.argv.slice(2));
  if (!options) {
    say(USAGE);
    return 0;
  }
  const interrupted = Promise.withResolvers<number>();
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => interrupted.resolve(0));
  try {
    return await Promise.race([run(options), interrupted.promise]);
  } finally {
    for (const step of undo.splice(0).reverse()) await step();
  }
}

/** What must be undone at the end, the last thing first, however the demo ends. */
const undo: (() => Promise<unknown>)[] = [];

async function run(options: DemoOptions): Promise<number> {
  const startedAt = performance.now();
  const dataDir = await mkdtemp(path.join(tmpdir(), "repodex-demo-"));
  undo.push(() => rm(dataDir, { recursive: true, force: true }));
  await chmod(dataDir, 0o755); // the database's own account must reach it when root runs this
  const simulator = await startSimulator();
  undo.push(() => simulator.close());
  const app = await startAppProcess({
    ...simulator.environment,
    HOST: "127.0.0.1",
    PORT: "0",
    ACCESS: "open",
    DATA_DIR: dataDir,
    LOG_LEVEL: "info",
  });
  undo.push(() => app.stop());
  simulator.webhookUrl = `${app.url}/api/github/webhooks`;
  const demo = await install(options, { simulator, app });
  const code = await firstRun(demo, startedAt);
  if (options.once) return code;
  return await watch(demo);
}

/** Adds the repository to a new installation, and lets GitHub's word of it go out. */
async function install(
  options: DemoOptions,
  { simulator, app }: { simulator: Simulator; app: AppProcess },
): Promise<Demo> {
  const installation = simulator.addInstallation({ account: "octocat" });
  const repository = simulator.addRepository({
    installation_id: installation,
    git_dir: options.gitDir,
    name: options.name,
    default_branch: options.branch,
  });
  say(`GitHub's stand-in  ${simulator.url}  serves ${options.gitDir} as ${repository.full_name}`);
  say(`Repodex            ${app.url}`);
  simulator.on((event) => {
    if (event.kind === "check_run") showCheckRun(event.check_run);
    if (event.kind === "comment" && event.comment.user.type === "Bot") {
      say(`  comment     ${event.comment.body.split("\n")[0]}`);
    }
    if (event.kind === "reaction") say(`  reaction    :${event.reaction.content}:`);
  });
  const { status } = await simulator.deliverInstallationCreated(installation);
  say(`  webhook     installation.created, signed: answered ${status}`);
  return { options, simulator, app, repositoryId: repository.id };
}

let shownCheckRun = "";

function showCheckRun(check: Simulator["checkRuns"][number]): void {
  const line = `${check.status}${check.conclusion ? ` · ${check.conclusion}` : ""} · ${check.output.title}`;
  if (line !== shownCheckRun) say(`  check run   ${line}`);
  shownCheckRun = line;
}

/** Follows the installation's own run to its end; 0 when its check run is a success and its tree the commit's. */
async function firstRun(demo: Demo, startedAt: number): Promise<number> {
  const { app, simulator, options, repositoryId } = demo;
  const run = await followRun(`${app.url}/api/v1`, String(repositoryId));
  if (run.head_sha === null) {
    say(
      run.state === "succeeded"
        ? "  nothing to index yet: make a commit"
        : `  the run ${run.state}: ${run.reason}`,
    );
    return 1;
  }
  const check = await simulator.until(
    () => simulator.checkRuns.find((c) => c.head_sha === run.head_sha && c.status === "completed"),
    { timeoutMs: FIRST_RUN_TIMEOUT_MS, what: "the finished check run" },
  );
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  const tree = await git(options.gitDir, "rev-parse", `${run.head_sha}^{tree}`);
  const verified = run.verified === true && run.tree_sha === tree;
  say(
    `  index       ${verified ? `tree ${tree} verified with git: it is this commit, whole` : "NOT the commit's tree"}`,
  );
  say(`  run's page  ${app.url}/runs/${run.id}`);
  say(`  finished    ${seconds} s after the start of the demo`);
  const good = check.conclusion === "success" && verified;
  if (!good) say(`  the check run ended ${check.conclusion}: ${check.output.summary}`);
  return good ? 0 : 1;
}

/** Turns commits into pushes and typed lines into comments. Never returns. */
async function watch(demo: Demo): Promise<never> {
  const { simulator, options, repositoryId } = demo;
  say(`\nWatching ${options.branch}: commit something, or type /rescan or /rescan full. Ctrl-C ends.`);
  const input = createInterface({ input: process.stdin });
  input.on("line", (line) => {
    if (line.trim() === "") return;
    const comment = simulator.addComment({ repository_id: repositoryId, issue_number: 1, body: line });
    simulator.deliverComment(comment).then(
      () => say("  webhook     issue_comment.created"),
      (error) => say(`  webhook     not delivered: ${error}`),
    );
  });
  let before = await headOf(options.gitDir, options.branch);
  let looking = false;
  const timer = setInterval(() => {
    if (looking) return;
    looking = true;
    void pushIfMoved(demo, before)
      .then((head) => {
        before = head;
      })
      .catch((error) => say(`  the branch could not be read: ${error}`))
      .finally(() => {
        looking = false;
      });
  }, WATCH_MS);
  undo.push(async () => {
    clearInterval(timer);
    input.close();
  });
  return await new Promise<never>(() => {}); // a signal ends it
}

async function pushIfMoved(
  { options, simulator, repositoryId }: Demo,
  before: string | null,
): Promise<string | null> {
  const after = await headOf(options.gitDir, options.branch);
  if (after === before || after === null) return before;
  await simulator.deliverPush(repositoryId, { after, ...(before && { before }) });
  say(`  webhook     push of ${after.slice(0, 7)}`);
  return after;
}

main().then(
  (code) => process.exit(code), // an interrupted demo may still be waiting for something
  (error: unknown) => {
    console.error(error instanceof DemoError ? error.message : error);
    process.exit(1);
  },
);
