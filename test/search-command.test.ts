import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { text } from "node:stream/consumers";
import { describe, expect, onTestFinished, test } from "vitest";
import { connect } from "../src/database/connect.ts";
import { startEmbedded } from "../src/database/embedded.ts";
import { processIdentity } from "../src/database/embedded-process.ts";
import { createLogger } from "../src/log.ts";
import { useDatabase } from "./support/database.ts";
import { startJourney } from "./support/journey.ts";

const database = useDatabase();
const COMMAND = path.join(import.meta.dirname, "../src/search-command.ts");
const ESCAPE = "\u001b";
/** util-linux's, which gives a program a terminal. */
const HAS_SCRIPT = spawnSync("script", ["--version"], { encoding: "utf8" }).stdout?.includes("util-linux");

const FILES = {
  "src/server.ts": "// first\n// second\nexport function createServer() {\n  return 1;\n}\n",
  "a:b.txt": "one\ntwo createServer\r\n",
  "hidden.txt": `a\u202eb${ESCAPE}[31mneedle${ESCAPE}]0;title\u0007\r\n`,
  "options.txt": "use --force here\n",
  ...Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`page/${i}.txt`, `paged number ${i}\n`])),
};

async function folder(): Promise<string> {
  const made = await mkdtemp(path.join(tmpdir(), "search-"));
  await chmod(made, 0o755); // the embedded database may run as another user
  onTestFinished(() => rm(made, { recursive: true, force: true }));
  return made;
}

interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

async function run(file: string, args: string[], env: Record<string, string>): Promise<Ended> {
  const child = spawn(file, args, {
    cwd: await folder(), // no .env lies there
    env: { PATH: process.env.PATH, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [exit, stdout, stderr] = await Promise.all([
    once(child, "close") as Promise<[number]>,
    text(child.stdout),
    text(child.stderr),
  ]);
  return { code: exit[0], stdout, stderr };
}

const command = (args: string[], env: Record<string, string> = {}) =>
  run(process.execPath, [COMMAND, ...args], { DATABASE_URL: database.url, ...env });

/** The same at a terminal. */
async function atTerminal(args: string[], env: Record<string, string> = {}): Promise<string> {
  const words = [process.execPath, COMMAND, ...args].map((word) => `'${word}'`).join(" ");
  const { stdout } = await run("script", ["-qec", words, "/dev/null"], {
    DATABASE_URL: database.url,
    TERM: "xterm-256color",
    ...env,
  });
  return stdout.replaceAll("\r\n", "\n");
}

async function setUp(): Promise<void> {
  const journey = await startJourney(database, { files: FILES });
  await journey.install();
}

describe("the search command", () => {
  test("prints each line with where it is, and nothing else", async () => {
    await setUp();

    expect(await command(['"createserver"'])).toEqual({
      code: 0,
      stdout:
        "octocat/hello:a:b.txt:2:two createServer\noctocat/hello:src/server.ts:3:export function createServer() {\n",
      stderr: "",
    });
    expect(await command(["-C", "1", '"createServer"', "path:src"])).toMatchObject({
      stdout: [
        "octocat/hello:src/server.ts-2-// second",
        "octocat/hello:src/server.ts:3:export function createServer() {",
        "octocat/hello:src/server.ts-4-  return 1;\n",
      ].join("\n"),
    });
    expect((await command(["path:*.ts"])).stdout).toBe("octocat/hello:src/server.ts\n");
  });

  test("prints files up to the limit, however many pages of the answer they take", async () => {
    await setUp();
    const query = '"paged number"';

    const all = await command([query]);
    const some = await command(["--limit", "55", query]);

    expect([all.code, all.stderr]).toEqual([0, ""]);
    expect(new Set(all.stdout.trim().split("\n")).size).toBe(60);
    expect([some.code, some.stdout.trim().split("\n").length]).toEqual([0, 55]);
    expect(some.stderr).toBe("There may be more files than these 55: see --limit.\n");
  });

  test("ends with 1 where nothing is found, and says what may be missing", async () => {
    await setUp();
    expect(await command(['"nowhere at all"'])).toEqual({ code: 1, stdout: "", stderr: "" });

    await database.db.updateTable("repositories").set({ path_lines: null }).execute();

    expect(await command(['"nowhere at all"'])).toEqual({
      code: 1,
      stdout: "",
      stderr: "Incomplete: One repository is not indexed whole yet.\n",
    });
  });

  test("takes a query that begins with - after --", async () => {
    await setUp();

    expect(await command(["--", "--force"])).toMatchObject({
      code: 0,
      stdout: "octocat/hello:options.txt:1:use --force here\n",
    });
    expect(await command(["--force"])).toMatchObject({ code: 2, stdout: "" });
  });

  test("never prints what a terminal would obey", async () => {
    await setUp();

    const { stdout } = await command(['"needle"']);

    expect(stdout).toBe("octocat/hello:hidden.txt:1:a⟨U+202E⟩b␛[31mneedle␛]0;title␇\n");
    const { stderr } = await command([`(${ESCAPE}[31m`]);
    expect(stderr).toContain("␛[31m");
    expect(stderr).not.toContain(ESCAPE);
  });

  test("says what is wrong with a query, and where", async () => {
    expect(await command(["foo", "lang:nolanguage", "bar"])).toEqual({
      code: 2,
      stdout: "",
      stderr: expect.stringMatching(/^No language .*\n {2}foo lang:nolanguage bar\n {11}\^{10}\n$/),
    });
    expect(await command([" "])).toMatchObject({ code: 2, stderr: expect.stringContaining("empty") });
  });

  test.each(["", "--limit 0 a", "--limit x a", "-C 1000 a", "--nothing a"])('refuses "%s"', async (words) => {
    const { code, stdout, stderr } = await command(words === "" ? [] : words.split(" "));

    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(/Usage|must be a whole number from/);
  });

  test("says how to use it", async () => {
    expect(await command(["--help"])).toMatchObject({
      code: 0,
      stderr: "",
      stdout: expect.stringMatching(/^Usage/),
    });
  });

  test("with a database that does not answer says so, and shows no password", async () => {
    const { code, stdout, stderr } = await command(["a"], {
      DATABASE_URL: "postgres://app:a-password-nobody-may-see@127.0.0.1:1/repodex",
    });

    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(/^The search failed: .*ECONNREFUSED.*\n$/);
    expect(stderr).not.toContain("a-password-nobody-may-see");
  });

  test.skipIf(!HAS_SCRIPT)("at a terminal groups lines below their file, in colours", async () => {
    await setUp();
    const args = ['"createserver"', "path:src", "-C", "1"];

    expect(await atTerminal(args, { NO_COLOR: "1" })).toBe(
      "octocat/hello:src/server.ts\n2-// second\n3:export function createServer() {\n4-  return 1;\n",
    );
    const colored = await atTerminal(args);
    expect(colored).toContain(
      `export function ${ESCAPE}[31m${ESCAPE}[1mcreateServer${ESCAPE}[22m${ESCAPE}[39m() {`,
    );
    expect(await atTerminal(['"needle"'], { NO_COLOR: "1" })).not.toContain(ESCAPE);
  });
});

describe("without DATABASE_URL", () => {
  test("asks the embedded database of the Repodex that runs, and leaves it alone", async () => {
    const dataDir = await folder();
    const log = createLogger("silent");
    const here = { DATABASE_URL: "", DATA_DIR: dataDir };
    const server = await startEmbedded({ dataDir, log, volatile: true });
    onTestFinished(() => server.stop());
    const connection = connect({ connection: server.connection, log });
    const ended = { db: connection.db, url: "" };
    const journey = await startJourney(ended, { files: FILES, started: false });
    const app = await journey.start(here);
    await journey.install();

    expect(await command(["--", "--force"], here)).toEqual({
      code: 0,
      stdout: "octocat/hello:options.txt:1:use --force here\n",
      stderr: "",
    });

    expect(processIdentity(server.pid)).not.toBeNull();
    await app.close();
    await connection.close();
    await server.stop();
    expect(processIdentity(server.pid)).toBeNull();
    expect(await command(["force"], here)).toEqual({
      code: 2,
      stdout: "",
      stderr: `No Repodex runs on ${dataDir}: start it, or set DATABASE_URL or DATA_DIR.\n`,
    });
    expect(await command(["force"], { ...here, DATA_DIR: path.join(dataDir, "none") })).toMatchObject({
      code: 2,
    });
  });
});
