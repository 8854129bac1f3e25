import PQueue from "p-queue";
import type { UnitKeys } from "../grams/segment.ts";
import type { IndexedUnits } from "../grams/unit.ts";
import { answerOf, Threads } from "../threads.ts";
import type { Chunk } from "./chunk.ts";
import type { ParsedBatch, ParseRequest } from "./parse.ts";

/** A text by its chunks, of which the first has this number. */
export interface NumberedText {
  first: number;
  chunks: Pick<Chunk, "start_column" | "text">[];
  isPaths: boolean;
}

/** What a thread is asked. */
export type ThreadRequest =
  | ({ kind: "parse" } & ParseRequest)
  | { kind: "index"; texts: NumberedText[] }
  | { kind: "segment"; segment_id: string; pieces: UnitKeys[] };

/** What it answers to a request of the same kind. */
export type ThreadAnswer =
  | ({ kind: "parse" } & ParserAnswer)
  | { kind: "index"; units: IndexedUnits }
  | { kind: "segment"; postings: Uint8Array<ArrayBuffer>[] };

/** What was parsed, and the request's buffer, free again. */
export type ParserAnswer = ParsedBatch & Pick<ParseRequest, "content">;

/** Reads texts on threads of its own, so that webhooks are answered meanwhile. Rejects when a thread dies of one. */
export class Parser {
  readonly #slots: PQueue;
  readonly #threads = new Threads(new URL("./parse-thread.ts", import.meta.url));

  constructor({ threads }: { threads: number }) {
    this.#slots = new PQueue({ concurrency: threads });
  }

  /** Parses blobs (parseBlobs). The request's content moves to the thread until it is answered. */
  async parse(request: ParseRequest): Promise<ParserAnswer> {
    return await this.#ask({ kind: "parse", ...request }, [request.content.buffer]);
  }

  /** The units of stored texts. */
  async index(texts: NumberedText[]): Promise<IndexedUnits> {
    const { units } = await this.#ask({ kind: "index", texts }, []);
    return units;
  }

  /** The rows of a segment of these units, as a binary COPY stream for gram_postings. The pieces move to the thread. */
  async makeSegment(segment_id: string, pieces: UnitKeys[]): Promise<Uint8Array<ArrayBuffer>[]> {
    const moved = pieces.flatMap(({ keys, counts }) => [keys.buffer, counts.buffer]);
    const { postings } = await this.#ask({ kind: "segment", segment_id, pieces }, moved as ArrayBuffer[]);
    return postings;
  }

  async #ask<K extends ThreadRequest["kind"]>(
    request: Extract<ThreadRequest, { kind: K }>,
    moved: ArrayBuffer[],
  ): Promise<Extract<ThreadAnswer, { kind: K }>> {
    return await this.#slots.add(async () => {
      const worker = this.#threads.take();
      const answer = answerOf<Extract<ThreadAnswer, { kind: K }>>(worker, "parses files");
      worker.postMessage(request, moved);
      const message = await answer;
      this.#threads.giveBack(worker);
      return message;
    });
  }

  /** Ends the threads; what they have at hand is abandoned. */
  async close(): Promise<void> {
    await this.#threads.close();
  }
}
