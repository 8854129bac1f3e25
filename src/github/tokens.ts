import { translateTokenError } from "./errors.ts";

/** What a token may be used for, in GitHub's own words. */
export type Permissions = Partial<
  Record<"metadata" | "contents" | "checks" | "issues" | "pull_requests", "read" | "write">
>;

/** What a token is for: one repository where one is named, and no more permissions than are needed. */
export interface TokenScope {
  installationId: string;
  repositoryId: string | null;
  permissions: Permissions;
}

/**
 * GitHub's tokens live for an hour. They are kept for less, by a clock that nobody can set; one that GitHub refuses
 * earlier is forgotten and asked for again.
 */
const KEEP_MS = 50 * 60_000;
const MAX_KEPT = 10_000;

interface Kept {
  token: Promise<string>;
  until: number;
}

/** Gives out installation tokens, each asked for once while it lasts. */
export interface Tokens {
  /** Throws a SourceError that says why GitHub gives none. */
  get(scope: TokenScope): Promise<string>;
  /** Forgets a token that GitHub refused. */
  forget(scope: TokenScope, token: string): Promise<void>;
}

/** `create` asks GitHub for a token, as the App. */
export function createTokens(create: (scope: TokenScope) => Promise<string>): Tokens {
  const kept = new Map<string, Kept>();

  function ask(scope: TokenScope, key: string): Promise<string> {
    const token = create(scope).catch((error: unknown) => {
      kept.delete(key);
      throw translateTokenError(error);
    });
    kept.set(key, { token, until: performance.now() + KEEP_MS });
    const oldest = kept.size > MAX_KEPT ? kept.keys().next().value : undefined;
    if (oldest !== undefined) kept.delete(oldest);
    return token;
  }

  return {
    async get(scope) {
      const key = keyOf(scope);
      const known = kept.get(key);
      if (known && known.until > performance.now()) return await known.token;
      return await ask(scope, key);
    },
    async forget(scope, token) {
      const key = keyOf(scope);
      const known = kept.get(key);
      if (known && (await known.token.catch(() => null)) === token) kept.delete(key);
    },
  };
}

function keyOf({ installationId, repositoryId, permissions }: TokenScope): string {
  return `${installationId} ${repositoryId ?? "*"} ${JSON.stringify(Object.entries(permissions).toSorted())}`;
}
