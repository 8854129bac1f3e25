import { Worker } from "node:worker_threads";
import PQueue from "p-queue";
import type { ParsedBatch, ParseRequest } from "./parse.ts";

/** A thread that takes more memory than this ends, and its batch fails; the process lives on. */
const THREAD_HEAP_MB = 256;

/** What was parsed, and the request's buffer, free again. */
export type ParserAnswer = ParsedBatch & Pick<ParseRequest, "content">;

/** Parses blobs (parseBlobs) on threads of its own, so that webhooks are answered meanwhile. */
export class Parser {
  readonly #slots: PQueue;
  readonly #idle: Worker[] = [];
  readonly #all = new Set<Worker>();

  constructor({ threads }: { threads: number }) {
    this.#slots = new PQueue({ concurrency: threads });
  }

  /** The request's content moves to the thread until it is answered. Rejects when the thread dies of it. */
  async parse(request: ParseRequest): Promise<ParserAnswer> {
    return await this.#slots.add(async () => {
      const worker = this.#idle.pop() ?? this.#start();
      const answer = answerOf(worker);
      worker.postMessage(request, [request.content.buffer]);
      const batch = await answer;
      this.#idle.push(worker);
      return batch;
    });
  }

  /** Ends the threads; what they have at hand is abandoned. */
  async close(): Promise<void> {
    await Promise.all([...this.#all].map((worker) => worker.terminate()));
  }

  #start(): Worker {
    const worker = new Worker(new URL("./parse-thread.ts", import.meta.url), {
      resourceLimits: { maxOldGenerationSizeMb: THREAD_HEAP_MB, maxYoungGenerationSizeMb: 24 },
    });
    this.#all.add(worker);
    worker.on("error", () => {}); // told to whoever waits for its answer
    worker.once("exit", () => {
      this.#all.delete(worker);
      if (this.#idle.includes(worker)) this.#idle.splice(this.#idle.indexOf(worker), 1);
    });
    worker.unref();
    return worker;
  }
}

async function answerOf(worker: Worker): Promise<ParserAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<ParserAnswer>();
  const onExit = () => reject(new Error("the thread that parses files ended"));
  worker.once("message", resolve).once("error", reject).once("exit", onExit);
  try {
    return await promise;
  } finally {
    worker.off("message", resolve).off("error", reject).off("exit", onExit);
  }
}
