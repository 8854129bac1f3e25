import { Worker } from "node:worker_threads";

/** A thread that takes more memory than this ends, and its request with it; the process lives on. */
const THREAD_HEAP_MB = 256;

/** Threads that run one module, started when they are needed and kept for the next request. */
export class Threads {
  readonly #module: URL;
  readonly #idle: Worker[] = [];
  readonly #all = new Set<Worker>();

  constructor(module: URL) {
    this.#module = module;
  }

  /** A thread for one request: an idle one, or a new one. */
  take(): Worker {
    return this.#idle.pop() ?? this.#start();
  }

  /** Keeps a thread that has answered. */
  giveBack(worker: Worker): void {
    this.#idle.push(worker);
  }

  /** Starts a thread ahead of the next request. */
  prepare(): void {
    this.#idle.push(this.#start());
  }

  /** Ends a thread, whatever it has at hand. */
  async end(worker: Worker): Promise<void> {
    this.#all.delete(worker);
    await worker.terminate();
  }

  /** Ends all threads; what they have at hand is abandoned. */
  async close(): Promise<void> {
    await Promise.all([...this.#all].map((worker) => worker.terminate()));
  }

  #start(): Worker {
    const worker = new Worker(this.#module, {
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

/** The next message of a thread; rejects with what ends it before. `whose` completes "the thread that". */
export async function answerOf<T>(worker: Worker, whose: string): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const onExit = () => reject(new Error(`the thread that ${whose} ended`));
  worker.once("message", resolve).once("error", reject).once("exit", onExit);
  try {
    return await promise;
  } finally {
    worker.off("message", resolve).off("error", reject).off("exit", onExit);
  }
}
