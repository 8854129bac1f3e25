import { Agent, type IncomingMessage, request } from "node:http";
import { connect, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

/** Who asks, and where. */
export interface Asked {
  url: string;
  path: string;
  token: string;
}

export interface Frame {
  id: number;
  event: string;
  data: string;
}

const RETRY_MS = 50;

/** Reads a stream as a browser's EventSource does: it comes back after each end with the last id that it saw. */
export class Reader {
  readonly frames: Frame[] = [];
  /** How often it was let in. */
  connections = 0;
  readonly #asked: Asked;
  readonly #agent = new Agent({ keepAlive: false });
  readonly #onFrame: (frame: Frame) => void;
  readonly #running: Promise<void>;
  #lastId = "";
  #isDone = false;
  #leaving = false;

  constructor(asked: Asked, onFrame: (frame: Frame) => void = () => {}) {
    this.#asked = asked;
    this.#onFrame = onFrame;
    this.#running = this.#read();
  }

  /** The server has said that all is told. */
  get isDone(): boolean {
    return this.#isDone;
  }

  /** Resolves once the server has said that all is told. */
  async done(): Promise<void> {
    await this.#running;
  }

  async leave(): Promise<void> {
    this.#leaving = true;
    this.#agent.destroy();
    await this.#running;
  }

  async #read(): Promise<void> {
    while (!this.#leaving) {
      const answer = await this.#open().catch(() => null);
      if (answer?.statusCode === 204) {
        this.#isDone = true;
        return;
      }
      if (answer?.statusCode === 200) {
        this.connections += 1;
        await this.#follow(answer).catch(() => {}); // the server was killed
      } else answer?.resume();
      if (!this.#leaving) await delay(RETRY_MS);
    }
  }

  #open(): Promise<IncomingMessage> {
    const { url, path, token } = this.#asked;
    const headers = {
      authorization: `Bearer ${token}`,
      ...(this.#lastId !== "" && { "last-event-id": this.#lastId }),
    };
    return new Promise((resolve, reject) => {
      request(`${url}${path}`, { agent: this.#agent, headers }, resolve).on("error", reject).end();
    });
  }

  async #follow(answer: IncomingMessage): Promise<void> {
    let text = "";
    for await (const part of answer.setEncoding("utf8")) {
      text += part;
      for (let end = text.indexOf("\n\n"); end !== -1; end = text.indexOf("\n\n")) {
        this.#take(text.slice(0, end));
        text = text.slice(end + 2);
      }
    }
  }

  #take(text: string): void {
    if (text.startsWith(":")) return;
    const field = (name: string) => new RegExp(`^${name}: (.*)$`, "m").exec(text)?.[1] ?? "";
    const frame = { id: Number(field("id")), event: field("event"), data: field("data") };
    if (frame.id > 0) this.#lastId = String(frame.id);
    this.frames.push(frame);
    this.#onFrame(frame);
  }
}

/** Asks for a stream and takes nothing of it. */
export class SilentReader {
  readonly #socket: Socket;

  constructor({ url, path, token }: Asked) {
    this.#socket = connect(Number(new URL(url).port), "127.0.0.1");
    this.#socket.on("error", () => {});
    this.#socket.write(
      `GET ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer ${token}\r\nconnection: close\r\n\r\n`,
    );
  }

  leave(): void {
    this.#socket.destroy();
  }

  /** Takes what is left after all: whether that was all of it. */
  async wasServed(): Promise<boolean> {
    let tail = "";
    try {
      for await (const part of this.#socket.setEncoding("utf8")) tail = `${tail}${part}`.slice(-10);
    } catch {
      return false; // reset
    }
    return tail.endsWith("0\r\n\r\n");
  }
}
