import { setTimeout as delay } from "node:timers/promises";

const POLL_MS = 25;

/** Polls until the probe answers something truthy, which it passes on. `what` completes "waited for". */
export async function until<T>(
  probe: () => Promise<T> | T,
  { timeoutMs = 10_000, what }: { timeoutMs?: number; what: string },
): Promise<NonNullable<T>> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const answer = await probe();
    if (answer) return answer;
    if (Date.now() > deadline) throw new Error(`Waited ${timeoutMs} ms in vain for ${what}.`);
    await delay(POLL_MS);
  }
}
