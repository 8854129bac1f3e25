import { randomBytes } from "node:crypto";
import {
  accessSync,
  constants,
  linkSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";

/** What set-up leaves behind, under the names of the environment: its lines can be moved to a file named .env. */
export interface StoredCredentials {
  APP_ID: string;
  PRIVATE_KEY: string;
  WEBHOOK_SECRET: string;
  GITHUB_CLIENT_ID: string;
  GITHUB_CLIENT_SECRET: string;
  PUBLIC_URL: string;
  /** The App's name as addresses have it, and its page. */
  slug: string;
  html_url: string;
}

/** The part of it that a start needs. */
export type StoredEnvironment = Pick<
  StoredCredentials,
  "APP_ID" | "PRIVATE_KEY" | "WEBHOOK_SECRET" | "PUBLIC_URL"
>;

/** What a person asks GitHub for; `redirectUrl` and `state` bring that person's browser back. */
export interface Asked {
  name: string;
  /** null: the person's own account. */
  organization: string | null;
  publicUrl: string;
  redirectUrl: string;
  state: string;
}

/** What became of a code: credentials, GitHub's refusal, or no answer, after which the code may be tried again. */
export type Exchange =
  | { kind: "registered"; credentials: Omit<StoredCredentials, "PUBLIC_URL"> }
  | { kind: "refused" | "unanswered"; sentence: string };

/** GitHub's side of a registration; src/github implements it. */
export interface Registrar {
  /** The origin of GitHub's pages. */
  readonly site: string;
  /** Whether GitHub may have this server in its own network: an Enterprise Server. */
  readonly privateNetwork: boolean;
  /** Where a browser's form takes which manifest. */
  prepare(asked: Asked): { action: string; manifest: object };
  exchange(code: string): Promise<Exchange>;
}

const NEEDED = ["APP_ID", "PRIVATE_KEY", "WEBHOOK_SECRET", "PUBLIC_URL"] as const;

export function credentialsFile(dataDir: string): string {
  return path.join(dataDir, "github-app.json");
}

/**
 * What set-up stored in this data folder, with nothing in it where nothing is; null where the file is at fault. One
 * that others can read is refused, as ssh refuses such a key: whether it is still a secret is not ours to decide.
 */
export function readStoredCredentials(
  dataDir: string,
  faults: string[],
): StoredEnvironment | Record<string, never> | null {
  const file = credentialsFile(dataDir);
  try {
    const mode = statSync(file).mode & 0o777;
    if (mode & 0o077) {
      faults.push(
        `${file} holds the App's private key, and others may read or change it (mode ${mode.toString(8)}): ` +
          `run \`chmod 600 ${file}\`, and if somebody may have read it, generate a new key on the App's settings page.`,
      );
      return null;
    }
    return parseCredentials(readFileSync(file, "utf8"), { file, faults });
  } catch (error) {
    if (codeOf(error) === "ENOENT") return {};
    faults.push(`${file} cannot be read (${codeOf(error)}): give it to the user that Repodex runs as.`);
    return null;
  }
}

function parseCredentials(
  text: string,
  { file, faults }: { file: string; faults: string[] },
): StoredEnvironment | null {
  const stored = parseObject(text);
  if (NEEDED.every((name) => typeof stored?.[name] === "string" && stored[name] !== "")) {
    return stored as unknown as StoredEnvironment;
  }
  faults.push(
    `${file} is damaged: restore it from a back-up, or delete it and start again to register a new App.`,
  );
  return null;
}

function parseObject(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

/** Makes the data folder where there is none; throws a sentence where nothing can be written into it. */
export function requireWritable(dataDir: string): void {
  try {
    mkdirSync(dataDir, { recursive: true });
    accessSync(dataDir, constants.W_OK | constants.X_OK);
  } catch (cause) {
    throw new Error(
      `The App's credentials are stored in ${dataDir}, which cannot be written (${codeOf(cause)}). ` +
        "Make it writable, or set DATA_DIR to another folder.",
      { cause },
    );
  }
}

/** Stores an App's credentials for the owner's eyes only, whole or not at all, and never in place of others. */
export function storeCredentials(dataDir: string, credentials: StoredCredentials): "stored" | "exists" {
  const file = credentialsFile(dataDir);
  const draft = `${file}.${randomBytes(8).toString("hex")}`;
  try {
    writeFileSync(draft, `${JSON.stringify(credentials, null, 2)}\n`, {
      mode: 0o600,
      flag: "wx",
      flush: true,
    });
    linkSync(draft, file); // unlike a rename, it fails where there is a file
    return "stored";
  } catch (error) {
    if (codeOf(error) === "EEXIST") return "exists";
    throw error;
  } finally {
    rmSync(draft, { force: true });
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : error;
}
