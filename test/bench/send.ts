import { randomUUID } from "node:crypto";
import { writeFileSync } from "node:fs";
import { Agent, request } from "node:http";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";

/** A push that is due so many milliseconds after the start. */
export interface Sending {
  atMs: number;
  gitDir: string;
  after: string;
  body: string;
  signature: string;
}

/** How it was answered, in milliseconds from when it was due; status 0 where it was not. */
export interface Sent {
  status: number;
  ms: number;
}

/** A thread that does nothing but send, each delivery when it is due, however the ones before it fare. */
async function sendAll({ url, sendings }: { url: string; sendings: Sending[] }): Promise<Sent[]> {
  const agent = new Agent({ keepAlive: true });
  const startedAt = performance.now();
  const answers: Promise<Sent>[] = [];
  for (const sending of sendings) {
    const waitMs = startedAt + sending.atMs - performance.now();
    if (waitMs > 0) await delay(waitMs);
    // The push itself: git's own command would cost more than all the rest.
    writeFileSync(path.join(sending.gitDir, "refs/heads/main"), `${sending.after}\n`);
    answers.push(
      post(url, sending, agent).then((status) => ({
        status,
        ms: performance.now() - startedAt - sending.atMs,
      })),
    );
  }
  const sent = await Promise.all(answers);
  agent.destroy();
  return sent;
}

function post(url: string, { body, signature }: Sending, agent: Agent): Promise<number> {
  return new Promise((resolve) => {
    const outgoing = request(
      url,
      {
        method: "POST",
        agent,
        headers: {
          "content-type": "application/json",
          "content-length": Buffer.byteLength(body),
          "x-github-event": "push",
          "x-github-delivery": randomUUID(),
          "x-hub-signature-256": signature,
        },
      },
      (response) => {
        response.resume();
        response.on("end", () => resolve(response.statusCode ?? 0));
      },
    );
    outgoing.on("error", () => resolve(0));
    outgoing.end(body);
  });
}

parentPort?.postMessage(await sendAll(workerData));
