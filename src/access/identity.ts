/** Where GitHub sends people back to, below this server's public address: the App must list it. */
export const CALLBACK_PATH = "/sign-in/callback";

/** What GitHub gives out for a person who lets the App act for them. */
export interface UserTokens {
  access: string;
  /** Null: it does not expire by itself. */
  accessExpiresAt: Date | null;
  refresh: string | null;
  refreshExpiresAt: Date | null;
}

/** A person, by GitHub's numeric id: logins change hands. */
export interface Person {
  id: string;
  login: string;
}

/** A repository that a person may read, by GitHub's numeric id. */
export interface ReadableRepository {
  id: string;
  mayWrite: boolean;
}

/** Who people are and what they may see; src/github implements it. Throws IdentityRefused and IdentityUnavailable. */
export interface Identity {
  /** Where a browser is sent to sign in. `challenge` is S256 of the verifier (RFC 7636). */
  authorizeUrl(asked: { state: string; challenge: string; redirectUrl: string }): string;
  exchange(code: string, proof: { verifier: string; redirectUrl: string }): Promise<UserTokens>;
  /** Both tokens are new afterwards, and the old ones are none any more. */
  refresh(refreshToken: string): Promise<UserTokens>;
  whoIs(accessToken: string): Promise<Person>;
  /** Those of the App's repositories that the person may read, all of them. */
  listReadable(accessToken: string): Promise<ReadableRepository[]>;
}

/** GitHub says that this code or token stands for nobody, or for nobody any more. */
export class IdentityRefused extends Error {
  override readonly name = "IdentityRefused";
}

/** GitHub could not be asked; the message is a sentence for the person who waits. */
export class IdentityUnavailable extends Error {
  override readonly name = "IdentityUnavailable";
}
