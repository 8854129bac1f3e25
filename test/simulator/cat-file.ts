import type { ChildProcessByStdio } from "node:child_process";
import type { Readable, Writable } from "node:stream";

/** A git object without its content; `size` is in bytes. */
export interface FoundObject {
  sha: string;
  type: string;
  size: number;
}

type Answered = (FoundObject & { content: Buffer | null }) | null;

/** One long-lived `git cat-file --batch` or `--batch-check`. */
export interface CatFile {
  ask(expression: string): Promise<Answered>;
  /** Whether the process is gone, so that a new one is needed. */
  ended(): boolean;
  /** Lets the process go once it has answered what it was asked. */
  close(): void;
}

interface Waiting {
  resolve: (answer: Answered) => void;
  reject: (error: Error) => void;
}

/** Reads the process's answers in the order of the questions; they may be asked without waiting. */
export function openCatFile(
  child: ChildProcessByStdio<Writable, Readable, null>,
  { content }: { content: boolean },
): CatFile {
  const waiting: Waiting[] = [];
  let chunks: Buffer[] = [];
  let buffered = 0;
  /** How many bytes are needed before it is worth looking again. */
  let needed = 1;
  let header: FoundObject | null = null;
  let ended = false;

  child.stdout.on("data", (chunk: Buffer) => {
    chunks.push(chunk);
    buffered += chunk.length;
    while (buffered >= needed && step());
  });
  child.stdin.on("error", () => {});
  child.once("error", end);
  child.once("close", () => end(new Error("git cat-file ended.")));

  /** Takes one header or one content off the buffer; false when more must arrive first. */
  function step(): boolean {
    const data = chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks);
    chunks = [data];
    if (header) {
      const { size } = header;
      settle({ ...header, content: data.subarray(0, size) });
      header = null;
      return advance(data, size + 1);
    }
    const newline = data.indexOf(10);
    if (newline < 0) {
      needed = buffered + 1;
      return false;
    }
    const [sha = "", type = "", size] = data.toString("latin1", 0, newline).split(" ");
    const found =
      /^[0-9a-f]{40,64}$/.test(sha) && size !== undefined ? { sha, type, size: Number(size) } : null;
    if (!found || !content) settle(found && { ...found, content: null });
    else header = found;
    return advance(data, newline + 1);
  }

  function advance(data: Buffer, by: number): boolean {
    const rest = data.subarray(by);
    chunks = rest.length > 0 ? [rest] : [];
    buffered = rest.length;
    needed = header ? header.size + 1 : 1;
    return true;
  }

  function settle(answer: Answered): void {
    waiting.shift()?.resolve(answer);
  }

  function end(error: Error): void {
    ended = true;
    for (const { reject } of waiting.splice(0)) reject(error);
  }

  return {
    ended: () => ended,
    close: () => void child.stdin.end(),
    ask: (expression) =>
      new Promise((resolve, reject) => {
        if (ended) return reject(new Error("git cat-file ended."));
        if (/\s/.test(expression)) return resolve(null);
        waiting.push({ resolve, reject });
        child.stdin.write(`${expression}\n`);
      }),
  };
}
