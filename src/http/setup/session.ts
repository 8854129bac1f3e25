import { randomBytes } from "node:crypto";
import { isEqual } from "../access.ts";

/** As long as GitHub lets the three steps of its manifest flow take. */
const STATE_MS = 3_600_000;

/** A registration that was sent to GitHub and has not come back. */
export interface Pending {
  publicUrl: string;
  expiresAt: number;
}

/** Who may set this server up: the one browser that opened the link of the console. */
export interface SetupSession {
  /** The link's token. */
  readonly token: string;
  /** Takes the token, once, for the cookie that stands for it from then on; null for any other. */
  enter(token: string): string | null;
  holds(cookie: string | undefined): boolean;
  /** A `state` for GitHub to send back, so that nobody else's answer is taken for this browser's. */
  begin(publicUrl: string): string;
  /** What a state was given out for; null where it was not, was taken before, or is too old. */
  take(state: string): Pending | null;
  /** Makes a state good again that was taken in vain. */
  giveBack(state: string, pending: Pending): void;
}

/** A session that nobody has entered. */
export function createSetupSession(now: () => number = Date.now): SetupSession {
  const token = randomSecret();
  const states = new Map<string, Pending>();
  let cookie: string | null = null;
  return {
    token,
    enter(given) {
      if (cookie !== null || !isEqual(given, token)) return null;
      cookie = randomSecret();
      return cookie;
    },
    holds: (given) => cookie !== null && given !== undefined && isEqual(given, cookie),
    begin(publicUrl) {
      const state = randomSecret();
      states.set(state, { publicUrl, expiresAt: now() + STATE_MS });
      return state;
    },
    take(state) {
      const pending = states.get(state);
      states.delete(state);
      return pending && pending.expiresAt > now() ? pending : null;
    },
    giveBack: (state, pending) => void states.set(state, pending),
  };
}

function randomSecret(): string {
  return randomBytes(32).toString("base64url");
}
