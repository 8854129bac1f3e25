import { createHash, randomBytes } from "node:crypto";

/** docs.github.com, "Authorizing OAuth apps": a code is good for ten minutes. */
const CODE_MS = 600_000;
/** docs.github.com, "Refreshing user access tokens": eight hours, and six months. */
const ACCESS_SECONDS = 28_800;
const REFRESH_SECONDS = 15_897_600;

/** What a person's browser brought to GitHub's page. */
interface Asked {
  login: string;
  redirectUri: string;
  /** S256, as PKCE has it; null: without. */
  challenge: string | null;
}

/** GitHub's answer with a user's tokens. */
interface UserTokens {
  access_token: string;
  expires_in: number;
  refresh_token: string;
  refresh_token_expires_in: number;
  scope: "";
  token_type: "bearer";
}

interface Given {
  login: string;
  expires_at: number;
}

/** Who lets the App act for them, and the codes and tokens that stand for that. */
export interface Authorizations {
  readonly clientId: string;
  readonly clientSecret: string;
  /** Where people may be sent back to. */
  readonly callbackUrls: string[];
  /** Who is signed in at GitHub in the browser, and presses "Authorize"; null: who presses "Cancel". */
  browserUser: string | null;
  begin(asked: Asked): string;
  /** Spends a code; null where it is none, or not for this caller. */
  exchange(code: string, proof: { redirectUri: string; verifier: string | null }): UserTokens | null;
  /** Spends a refresh token: both tokens are new afterwards, and the old ones are none. */
  refresh(token: string): UserTokens | null;
  /** The login that a token in force is of. */
  identify(token: string): string | null;
  /** As a person does in the settings: no token of theirs is any more. */
  revoke(login: string): void;
  /** Ends the time of every access token. */
  expireAll(): void;
  /** Whether the text contains a secret of these, for places where none may appear. */
  appearsIn(text: string): boolean;
}

/** Nobody has let the App do anything. */
export function createAuthorizations(appId: number): Authorizations {
  const codes = new Map<string, Asked & { expires_at: number }>();
  const access = new Map<string, Given>();
  const refreshers = new Map<string, Given & { access_token: string }>();
  const given = new Set<string>();

  function give(login: string): UserTokens {
    const access_token = secret("ghu_");
    const refresh_token = secret("ghr_");
    const until = (seconds: number) => ({ login, expires_at: Date.now() + seconds * 1000 });
    access.set(access_token, until(ACCESS_SECONDS));
    refreshers.set(refresh_token, { ...until(REFRESH_SECONDS), access_token });
    given.add(access_token).add(refresh_token);
    return {
      access_token,
      expires_in: ACCESS_SECONDS,
      refresh_token,
      refresh_token_expires_in: REFRESH_SECONDS,
      scope: "",
      token_type: "bearer",
    };
  }

  return {
    clientId: `Iv23li${appId}`,
    clientSecret: randomBytes(20).toString("hex"),
    callbackUrls: [],
    browserUser: "octocat",
    begin(asked) {
      const code = randomBytes(10).toString("hex");
      codes.set(code, { ...asked, expires_at: Date.now() + CODE_MS });
      return code;
    },
    exchange(code, { redirectUri, verifier }) {
      const asked = codes.get(code);
      codes.delete(code);
      if (!asked || asked.expires_at <= Date.now() || asked.redirectUri !== redirectUri) return null;
      const proven = verifier === null ? null : createHash("sha256").update(verifier).digest("base64url");
      return proven === asked.challenge ? give(asked.login) : null;
    },
    refresh(token) {
      const known = refreshers.get(token);
      refreshers.delete(token);
      if (!known || known.expires_at <= Date.now()) return null;
      access.delete(known.access_token);
      return give(known.login);
    },
    identify(token) {
      const known = access.get(token);
      return known && known.expires_at > Date.now() ? known.login : null;
    },
    revoke(login) {
      for (const tokens of [access, refreshers]) {
        for (const [token, known] of tokens) if (known.login === login) tokens.delete(token);
      }
    },
    expireAll() {
      for (const [token, known] of access) access.set(token, { ...known, expires_at: 0 });
    },
    appearsIn: (text) => [...given].some((token) => text.includes(token)),
  };
}

function secret(prefix: string): string {
  return `${prefix}${randomBytes(27).toString("base64url").replaceAll(/[-_]/g, "x")}`;
}
