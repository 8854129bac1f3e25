import { randomBytes } from "node:crypto";

/** docs.github.com, "Registering a GitHub App from a manifest": all three steps within one hour. */
const CODE_MS = 3_600_000;

/** What somebody asks GitHub to make an App of. */
export interface Registration {
  readonly manifest: Record<string, unknown>;
  /** The organization whose settings it was sent to; null: a person's own. */
  readonly organization: string | null;
  /** Good for one conversion, until its time is over. */
  readonly code: string;
  readonly expires_at: number;
}

/** The Apps that were registered from manifests: all of them stand for the simulator's one. */
export interface Registrations {
  readonly all: Registration[];
  add(asked: Pick<Registration, "manifest" | "organization">): Registration;
  /** Spends a code; null where it is none, or none any more. */
  take(code: string): Registration | null;
}

/** Starts with none. */
export function createRegistrations(): Registrations {
  const all: Registration[] = [];
  const open = new Map<string, Registration>();
  return {
    all,
    add(asked) {
      const code = randomBytes(20).toString("hex");
      const registration = { ...asked, code, expires_at: Date.now() + CODE_MS };
      all.push(registration);
      open.set(code, registration);
      return registration;
    },
    take(code) {
      const registration = open.get(code);
      open.delete(code);
      return registration && registration.expires_at > Date.now() ? registration : null;
    },
  };
}
