import { createPublicKey, generateKeyPair, randomBytes, verify } from "node:crypto";
import { promisify } from "node:util";
import { Refused } from "./answers.ts";
import type { Authorizations } from "./authorizations.ts";
import type { Account, Installation, World } from "./world.ts";

/** docs.github.com, "Generating a JSON Web Token (JWT) for a GitHub App": at most ten minutes ahead. */
const MAX_JWT_SECONDS = 600;
/** Clocks round; GitHub allows as much. */
const LEEWAY_SECONDS = 2;

/** A token that was given out, with its scope. */
export interface InstallationToken {
  readonly token: string;
  readonly installation_id: number;
  readonly expires_at: Date;
  /** null: all repositories of the installation. */
  readonly repository_ids: number[] | null;
  readonly permissions: Record<string, string>;
}

/** Who asks, as the Authorization header proves. */
export type Caller =
  | { kind: "app" }
  | { kind: "user"; user: Account }
  | { kind: "installation"; token: InstallationToken; installation: Installation };

/** The App's key pair, and the tokens in force. */
export interface Tokens {
  readonly privateKey: string;
  create(
    installationId: number,
    scope: Pick<InstallationToken, "repository_ids" | "permissions">,
  ): InstallationToken;
  /** Ends the time of every token given out so far. */
  expireAll(): void;
  /** Who an Authorization header is; throws GitHub's refusal. */
  identify(authorization: string | undefined): Caller;
  /** Whether the text contains a token that was given out, for places where none may appear. */
  appearsIn(text: string): boolean;
}

/** Makes the App's key pair; no tokens are in force yet. */
export async function createTokens(
  world: World,
  {
    appId,
    tokenSeconds,
    authorizations,
  }: { appId: number; tokenSeconds: number; authorizations: Authorizations },
): Promise<Tokens> {
  const { publicKey, privateKey } = await promisify(generateKeyPair)("rsa", {
    modulusLength: 2048,
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs1", format: "pem" }, // the form GitHub hands out
  });
  const tokens = new Map<string, InstallationToken>();

  function identifyInstallation(token: string): Caller {
    const known = tokens.get(token);
    const installation = known && world.installations.get(known.installation_id);
    if (!known || !installation || known.expires_at.getTime() <= Date.now())
      throw new Refused(401, "Bad credentials");
    if (installation.suspended_at) throw new Refused(403, "This installation has been suspended");
    return { kind: "installation", token: known, installation };
  }

  function identifyUser(token: string): Caller {
    const login = authorizations.identify(token);
    if (login === null) throw new Refused(401, "Bad credentials");
    return { kind: "user", user: world.account(login) };
  }

  return {
    privateKey,
    create(installation_id, scope) {
      const token = `ghs_${randomBytes(27).toString("base64url").replaceAll(/[-_]/g, "x")}`;
      const created = {
        token,
        installation_id,
        expires_at: new Date(Date.now() + tokenSeconds * 1000),
        ...scope,
      };
      tokens.set(token, created);
      return created;
    },
    expireAll() {
      for (const [token, known] of tokens) tokens.set(token, { ...known, expires_at: new Date() });
    },
    identify(authorization) {
      const credential = /^(?:bearer|token) +(\S+)$/i.exec(authorization ?? "")?.[1];
      if (!credential) throw new Refused(401, authorization ? "Bad credentials" : "Requires authentication");
      if (credential.startsWith("ghu_")) return identifyUser(credential);
      if (credential.split(".").length !== 3) return identifyInstallation(credential);
      checkJwt(credential, { appId, publicKey });
      return { kind: "app" };
    },
    appearsIn: (text) =>
      authorizations.appearsIn(text) || [...tokens.keys()].some((token) => text.includes(token)),
  };
}

function checkJwt(jwt: string, { appId, publicKey }: { appId: number; publicKey: string }): void {
  const [head = "", body = "", signature = ""] = jwt.split(".");
  const header = decodePart(head);
  const claims = decodePart(body);
  if (!header || !claims || header.alg !== "RS256") throw undecodable();
  if (String(claims.iss) !== String(appId)) throw new Refused(401, "Integration not found");
  const signed = Buffer.from(`${head}.${body}`);
  if (!verify("RSA-SHA256", signed, createPublicKey(publicKey), Buffer.from(signature, "base64url"))) {
    throw undecodable();
  }
  const now = Date.now() / 1000;
  const { iat, exp } = claims;
  if (typeof exp !== "number" || exp <= now) {
    throw new Refused(
      401,
      "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires",
    );
  }
  if (exp > now + MAX_JWT_SECONDS + LEEWAY_SECONDS) {
    throw new Refused(401, "'Expiration time' claim ('exp') is too far in the future");
  }
  if (typeof iat !== "number" || iat > now + LEEWAY_SECONDS) {
    throw new Refused(
      401,
      "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued",
    );
  }
}

function undecodable(): Refused {
  return new Refused(401, "A JSON web token could not be decoded");
}

function decodePart(part: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, "base64url").toString());
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
