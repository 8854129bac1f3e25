import { randomBytes } from "node:crypto";
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { pipeline } from "node:stream/promises";
import { setTimeout as wait } from "node:timers/promises";
import { type Answer, problem, Refused } from "./answers.ts";
import { budgetHeaders, type Resource } from "./budget.ts";
import type { Checked } from "./check.ts";
import { cutAfter, type Fault, insteadOf, pauseAfter, spoil } from "./faults.ts";
import type { RecordedRequest } from "./recorder.ts";
import type { Simulation } from "./simulation.ts";

/** A request that has been read and knows where it leads. */
export interface Incoming {
  request: IncomingMessage;
  url: URL;
  method: string;
  route: string;
  /** Path and query as they are recorded. */
  path: string;
  body: unknown;
}

interface Area {
  /** Which route a request is for, as recorded and as faults name it. */
  locate(method: string, url: URL): { route: string; path: string };
  /** Holds the request against GitHub's description, whatever becomes of it; null where there is none. */
  check(incoming: Incoming): Checked | null;
  answer(incoming: Incoming, recorded: RecordedRequest): Promise<Answer>;
  /** The budget its answers show, or null where GitHub shows none. */
  resource: Resource | null;
}

/** One request's way: recorded, met by a fault or answered, and sent. */
export function createListener(
  simulation: Simulation,
  { origin, areaOf }: { origin: string; areaOf: (url: URL) => Area },
): RequestListener {
  const { recorder, faults } = simulation;

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", origin);
    const method = request.method ?? "GET";
    const area = areaOf(url);
    const body = await readBody(request);
    const incoming: Incoming = { request, url, method, body: parseBody(body), ...area.locate(method, url) };
    const { route, path } = incoming;
    const recorded: RecordedRequest = {
      method,
      route,
      path,
      at: new Date(),
      user_agent: request.headers["user-agent"] ?? "",
      installation_id: null,
      status: 0,
    };
    recorder.requests.push(recorded);
    recorder.note(area.check(incoming));
    recorder.emit({ kind: "request", phase: "received", request: recorded });
    const fault = faults.take({ method, route, path, body: incoming.body });
    if (fault?.hang) return;
    if (fault?.delayMs) await wait(fault.delayMs, undefined, { ref: false });
    if (fault?.meanwhileAfterBytes === undefined) await fault?.meanwhile?.();
    const answer = await answerOrFail(area, { incoming, recorded, fault });
    recorded.status = answer.status;
    recorder.emit({ kind: "request", phase: "answered", request: recorded });
    await send(response, { ...answer, headers: { ...headersOf(area, recorded), ...answer.headers } }, fault);
  }

  async function answerOrFail(
    area: Area,
    { incoming, recorded, fault }: { incoming: Incoming; recorded: RecordedRequest; fault: Fault | null },
  ): Promise<Answer> {
    try {
      if (!fault) return await area.answer(incoming, recorded);
      return insteadOf(fault) ?? (await spoil(await area.answer(incoming, recorded), fault));
    } catch (error) {
      if (error instanceof Refused) return problem(error);
      recorder.violations.push(
        `${incoming.method} ${incoming.route}: the simulator failed: ${String(error)}`,
      );
      return problem(new Refused(500, "Server Error"));
    }
  }

  function headersOf({ resource }: Area, { installation_id }: RecordedRequest): Record<string, string> {
    const request_id = randomBytes(8).toString("hex").toUpperCase();
    if (resource === null) return { "x-github-request-id": request_id };
    const budget = simulation.budgets.read(installation_id, resource);
    return { "x-github-request-id": request_id, ...budgetHeaders(budget, resource) };
  }

  return (request, response) => {
    // A client that goes away, or a socket destroyed by a fault or by close, is nobody's failure.
    serve(request, response).catch(() => response.destroy());
  };
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** undefined where there is no body; text that is not JSON stays text. */
function parseBody(body: Buffer): unknown {
  if (body.length === 0) return undefined;
  const text = body.toString();
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

async function send(
  response: ServerResponse,
  { status, headers, body }: Answer,
  fault: Fault | null,
): Promise<void> {
  const length = Buffer.isBuffer(body) && status !== 204 ? { "content-length": body.length } : {};
  response.writeHead(status, { ...headers, ...length });
  if (fault?.meanwhile && fault.meanwhileAfterBytes !== undefined) {
    const paused = pauseAfter(fault.meanwhileAfterBytes, fault.meanwhile);
    await pipeline(Buffer.isBuffer(body) ? [body] : body, paused, response);
    return;
  }
  if (fault?.cutAfterBytes === undefined) {
    if (Buffer.isBuffer(body)) response.end(body);
    else await pipeline(body, response);
    return;
  }
  response.flushHeaders();
  const cut = cutAfter(fault.cutAfterBytes, () => response.socket?.destroySoon());
  await pipeline(Buffer.isBuffer(body) ? [body] : body, cut, response);
}
