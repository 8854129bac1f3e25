import { randomBytes } from "node:crypto";
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, renameSync, rmSync } from "node:fs";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { processIdentity } from "./embedded-process.ts";

const POLL_MS = 20;
const STOPPING = ".stopping";

/**
 * One instance's entry among those that use a server: an empty file whose name says which process it is, so that
 * the entry of a killed one counts for nothing. The last user stops the server.
 *
 * No lock is needed. Who leaves first marks itself as stopping, then looks for users; who comes first enters
 * itself, then waits for those that are stopping. At least one of the two sees the other.
 */
export class ServerUser {
  readonly #folder: string;
  readonly #entry: string;

  /** Enters this instance, and clears away the entries of dead processes. */
  constructor(folder: string) {
    this.#folder = folder;
    this.#entry = `${processIdentity(process.pid)}.${randomBytes(6).toString("hex")}`;
    mkdirSync(folder, { recursive: true });
    for (const entry of readdirSync(folder)) {
      if (!isLive(entry)) rmSync(path.join(folder, entry), { force: true });
    }
    closeSync(openSync(path.join(folder, this.#entry), "wx", 0o600));
  }

  /** Whether another live instance uses the server. */
  hasCompany(): boolean {
    return this.#live().some((entry) => entry !== this.#entry && !entry.endsWith(STOPPING));
  }

  /** Waits until nobody is about to stop the server. */
  async waitForStopping(): Promise<void> {
    while (this.#live().some((entry) => entry.endsWith(STOPPING))) await delay(POLL_MS);
  }

  /** Leaves; calls `stop` where nobody else uses the server. Answers whether it did. */
  async leave(stop: () => Promise<void>): Promise<boolean> {
    const entry = path.join(this.#folder, this.#entry);
    const stopping = entry + STOPPING;
    if (!existsSync(entry)) {
      await stop(); // the whole folder was deleted beneath us
      return true;
    }
    renameSync(entry, stopping);
    try {
      if (this.hasCompany()) return false;
      await stop();
      return true;
    } finally {
      rmSync(stopping, { force: true });
    }
  }

  #live(): string[] {
    return readdirSync(this.#folder).filter(isLive);
  }
}

function isLive(entry: string): boolean {
  const identity = entry.split(".")[0] ?? "";
  return processIdentity(Number.parseInt(identity, 10)) === identity;
}
