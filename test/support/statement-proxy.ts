import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import pg from "pg";

/** PostgreSQL's message types that make the server do something: Query, Execute, CopyDone. */
const STATEMENT_TYPES = new Set(["Q", "E", "c"]);
const STARTUP_HEADER_BYTES = 4;
const HEADER_BYTES = 5;

/** Stands between an app and its database, and counts what the app asks. */
export interface StatementProxy {
  /** The database's URL through the proxy. */
  url: string;
  /** How many statements have passed since `countFromHere`. */
  count(): number;
  countFromHere(): void;
  /** Calls `reached` once the nth statement from here was handed to the server; no answer passes any more. */
  stopAfter(nth: number, reached: (statement: string) => void): void;
  /** Lets new connections through again. */
  goOn(): void;
  close(): Promise<void>;
}

/** Opens a proxy before a database; what it forwards it does not change. */
export async function openStatementProxy(databaseUrl: string): Promise<StatementProxy> {
  const target = new pg.Client({ connectionString: databaseUrl });
  const sockets = new Set<Socket>();
  const state = { count: 0, stopAt: Number.POSITIVE_INFINITY, stopped: false, reached: (_: string) => {} };

  function note(statement: string): void {
    state.count += 1;
    if (state.stopped || state.count < state.stopAt) return;
    state.stopped = true;
    state.stopAt = Number.POSITIVE_INFINITY;
    setImmediate(state.reached, statement); // the statement is on its way by then
  }

  const server = createServer((client) => {
    const { host, port } = target;
    const upstream = host.startsWith("/") ? connect(`${host}/.s.PGSQL.${port}`) : connect(port, host);
    const read = createReader(note);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("error", () => socket.destroy());
      socket.on("close", () => sockets.delete(socket));
    }
    client.on("data", (chunk: Buffer) => {
      if (state.stopped) return;
      read(chunk);
      upstream.write(chunk);
    });
    upstream.on("data", (chunk: Buffer) => {
      if (!state.stopped) client.write(chunk);
    });
    client.on("close", () => upstream.end()); // after what was written, which the server still does
    upstream.on("close", () => client.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = new URL(databaseUrl);
  url.search = "";
  url.host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url: url.href,
    count: () => state.count,
    countFromHere() {
      state.count = 0;
    },
    stopAfter(nth, reached) {
      Object.assign(state, { count: 0, stopAt: nth, reached });
    },
    goOn() {
      state.stopped = false;
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

/** Reads a frontend's messages as they come in and tells of each statement, with its text. */
function createReader(note: (statement: string) => void): (chunk: Buffer) => void {
  let pending = Buffer.alloc(0);
  let started = false;
  let text = "";
  return (chunk) => {
    pending = Buffer.concat([pending, chunk]);
    for (;;) {
      const header = started ? HEADER_BYTES : STARTUP_HEADER_BYTES;
      if (pending.length < header) return;
      const length = pending.readUInt32BE(header - 4) + (started ? 1 : 0);
      if (pending.length < length) return;
      const message = pending.subarray(0, length);
      pending = pending.subarray(length);
      if (!started) {
        started = true;
        continue;
      }
      const type = String.fromCharCode(message[0] ?? 0);
      if (type === "Q") text = textAt(message, HEADER_BYTES);
      else if (type === "P") text = textAt(message, message.indexOf(0, HEADER_BYTES) + 1);
      else if (type === "c") text = "the end of a copy";
      if (STATEMENT_TYPES.has(type)) note(text);
    }
  };
}

function textAt(message: Buffer, start: number): string {
  return message.toString("utf8", start, message.indexOf(0, start)).replaceAll(/\s+/g, " ").trim();
}
