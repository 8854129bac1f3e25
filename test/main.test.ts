import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { text } from "node:stream/consumers";
import { describe, expect, onTestFinished, test } from "vitest";
import { startAppProcess } from "./support/app-process.ts";
import { useDatabase } from "./support/database.ts";
import { startJourney } from "./support/journey.ts";
import { API_TOKEN } from "./support/repodex.ts";

const database = useDatabase();
const PROJECT = path.join(import.meta.dirname, "..");
const MAIN = [path.join(PROJECT, "src/main.ts")];

async function emptyFolder(): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), "main-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  return folder;
}

async function run(
  args: string[],
  env: Record<string, string>,
): Promise<{ code: number; stderr: string; stdout: string }> {
  const child: ChildProcess = spawn(process.execPath, args, {
    cwd: await emptyFolder(), // no .env lies there
    env: { PATH: process.env.PATH, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [stdout, stderr] = [child.stdout, child.stderr].map((stream) => (stream ? text(stream) : ""));
  const [code] = (await once(child, "exit")) as [number];
  return { code, stdout: (await stdout) ?? "", stderr: (await stderr) ?? "" };
}

describe("npm start", () => {
  test("without credentials on a host that others reach says how to get them", async () => {
    const { code, stderr, stdout } = await run(MAIN, { HOST: "0.0.0.0" });

    expect([code, stdout]).toEqual([1, ""]);
    for (const part of ["loopback HOST", "ssh -L", "APP_ID", "npm run demo", "README.md"]) {
      expect(stderr).toContain(part);
    }
  });

  test("with some credentials says which are missing, and where the demo and the steps are", async () => {
    const { code, stderr } = await run(MAIN, { APP_ID: "1" });

    expect(code).toBe(1);
    for (const name of ["PRIVATE_KEY", "WEBHOOK_SECRET", "npm run demo", "README.md"]) {
      expect(stderr).toContain(name);
    }
    expect(stderr).not.toContain("APP_ID is not set");
  });

  test("without credentials and with a folder that cannot be written says so before it asks for anything", async () => {
    const { code, stderr, stdout } = await run(MAIN, { DATA_DIR: "/dev/null/repodex" });

    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(/stored in \/dev\/null\/repodex, which cannot be written \(ENOTDIR\).*DATA_DIR/);
  });

  test("with a database that does not answer says so, and shows no password", async () => {
    const journey = await startJourney(database, { started: false });

    const { code, stderr, stdout } = await run(MAIN, {
      ...journey.simulator.environment,
      DATABASE_URL: "postgres://app:a-password-nobody-may-see@127.0.0.1:1/repodex",
    });

    expect(code).toBe(1);
    expect(stderr).toMatch(/Repodex cannot start: .*(ECONNREFUSED|database)/);
    expect(stderr + stdout).not.toContain("a-password-nobody-may-see");
  });

  test("on a port that is taken says so", async () => {
    const journey = await startJourney(database);

    const { code, stderr } = await run(MAIN, {
      ...journey.simulator.environment,
      DATABASE_URL: database.url,
      API_TOKEN,
      HOST: "127.0.0.1",
      PORT: new URL(journey.url).port,
    });

    expect(code).toBe(1);
    expect(stderr).toMatch(/Repodex cannot start: .*EADDRINUSE/);
  });

  test("stops at SIGTERM: its scan goes back to the queue at no cost", async () => {
    const journey = await startJourney(database, { started: false });
    journey.simulator.fault({ route: "/repos/{owner}/{repo}/git/trees/{tree_sha}", hang: true });
    const app = await startAppProcess({
      ...journey.simulator.environment,
      HOST: "127.0.0.1",
      PORT: "0",
      API_TOKEN,
      DATABASE_URL: database.url,
    });
    journey.simulator.webhookUrl = `${app.url}/api/github/webhooks`;
    journey.url = app.url;
    await journey.simulator.deliverInstallationCreated(journey.installationId);
    await journey.untilStatus("the scan", ({ running }) => running?.stage === "listing files");

    await app.stop();

    expect(app.child.exitCode).toBe(0);
    const row = await database.db.selectFrom("runs").selectAll().executeTakeFirstOrThrow();
    expect(row).toMatchObject({ state: "queued", failures: 0, wait_reason: "The server was restarted." });
  });
});
