import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import type { Readable } from "node:stream";
import { type CatFile, type FoundObject, openCatFile } from "./cat-file.ts";

/** Two a repository: with hundreds of them, those that were asked last keep theirs. */
const MAX_READERS = 64;
const MAX_OUTPUT_BYTES = 256 * 1024 * 1024;
/** Settings of the person who runs the tests must not change what an archive holds. */
const SETTINGS = ["-c", "core.autocrlf=false", "-c", "core.eol=lf", "-c", "core.quotepath=false"];

/** Git's commands on the simulated repositories; every process it starts ends with `close`. */
export interface Git {
  /** What a command prints; rejects when git fails. */
  run(gitDir: string, args: string[]): Promise<Buffer>;
  /** A command's output as a stream that fails when git does. */
  stream(gitDir: string, args: string[]): Readable;
  /** The object a revision expression names, without its content; null when there is none. */
  find(gitDir: string, expression: string): Promise<FoundObject | null>;
  /** An object with its content, whole in memory. */
  read(gitDir: string, expression: string): Promise<(FoundObject & { content: Buffer }) | null>;
  /** Resolves once every process is gone. */
  close(): Promise<void>;
}

/** Opens the way to git; long-lived readers start with the first question about a repository. */
export function openGit(): Git {
  const children = new Set<ChildProcess>();
  const readers = new Map<string, CatFile>();

  function track<T extends ChildProcess>(child: T): T {
    children.add(child);
    child.once("close", () => children.delete(child));
    return child;
  }

  function reader(gitDir: string, mode: "--batch" | "--batch-check"): CatFile {
    const key = `${mode} ${gitDir}`;
    const known = readers.get(key);
    readers.delete(key);
    if (known && !known.ended()) {
      readers.set(key, known);
      return known;
    }
    if (readers.size >= MAX_READERS) closeOldest();
    const args = [...SETTINGS, `--git-dir=${locate(gitDir)}`, "cat-file", mode];
    const opened = openCatFile(
      track(spawn("git", args, { env: environment(), stdio: ["pipe", "pipe", "ignore"] })),
      {
        content: mode === "--batch",
      },
    );
    readers.set(key, opened);
    return opened;
  }

  function closeOldest(): void {
    const [[key, oldest] = []] = readers;
    if (key === undefined) return;
    oldest?.close();
    readers.delete(key);
  }

  return {
    run: (gitDir, args) =>
      new Promise((resolve, reject) => {
        const whole = [...SETTINGS, `--git-dir=${locate(gitDir)}`, ...args];
        const options = { env: environment(), encoding: "buffer" as const, maxBuffer: MAX_OUTPUT_BYTES };
        const child = execFile("git", whole, options, (error, stdout) =>
          error ? reject(error) : resolve(stdout),
        );
        track(child);
      }),
    stream(gitDir, args) {
      const whole = [...SETTINGS, `--git-dir=${locate(gitDir)}`, ...args];
      const child = track(spawn("git", whole, { env: environment(), stdio: ["ignore", "pipe", "ignore"] }));
      const { stdout } = child;
      stdout.once("close", () => child.kill());
      stdout.on("error", () => {}); // for whoever reads; a client that has gone leaves nobody who does
      child.once("error", (error) => stdout.destroy(error));
      child.once("exit", (code) => {
        if (code) stdout.destroy(new Error(`git ${args[0]} ended with ${code}.`));
      });
      return stdout;
    },
    find: (gitDir, expression) => reader(gitDir, "--batch-check").ask(expression),
    async read(gitDir, expression) {
      const found = await reader(gitDir, "--batch").ask(expression);
      return found?.content ? { ...found, content: found.content } : null;
    },
    async close() {
      const ended = [...children].map((child) => once(child, "close"));
      for (const child of children) child.kill("SIGKILL");
      await Promise.all(ended);
    },
  };
}

/** The branch that a repository's HEAD names, whether or not it has commits. */
export function readSymbolicHead(gitDir: string): string {
  const head = readFileSync(path.join(resolveGitFile(locate(gitDir)), "HEAD"), "utf8").trim();
  return /^ref: refs\/heads\/(.+)$/.exec(head)?.[1] ?? "main";
}

/** A bare repository's own folder, or the `.git` of a work tree. */
function locate(gitDir: string): string {
  const inside = path.join(gitDir, ".git");
  return existsSync(inside) ? inside : gitDir;
}

/** Linked work trees and submodules have a file in place of `.git` that names the folder. */
function resolveGitFile(located: string): string {
  if (existsSync(path.join(located, "HEAD"))) return located;
  const target = /^gitdir: (.+)$/m.exec(readFileSync(located, "utf8"))?.[1] ?? ".";
  return path.resolve(path.dirname(located), target);
}

function environment(): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("GIT_"));
  return {
    ...Object.fromEntries(inherited),
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_NO_LAZY_FETCH: "1",
    LC_ALL: "C",
  };
}
