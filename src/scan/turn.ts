import { setImmediate } from "node:timers/promises";

/** How long work may keep the event loop to itself, in milliseconds: webhooks are answered in between. */
const TURN_MS = 10;
const CHECK_EVERY = 32;

/**
 * One turn of the event loop, for loops over as many items as a repository has files:
 * `for (…) { …; if (turn.isOver()) await turn.next(); }`
 */
export class Turn {
  #startedAt = performance.now();
  #calls = 0;

  isOver(): boolean {
    this.#calls += 1;
    return this.#calls % CHECK_EVERY === 0 && performance.now() - this.#startedAt > TURN_MS;
  }

  async next(): Promise<void> {
    await setImmediate();
    this.#startedAt = performance.now();
  }
}
