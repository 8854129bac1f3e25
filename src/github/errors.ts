import { RateLimited, SourceError } from "../scan/source.ts";

/** GitHub's documentation: without a retry-after header, wait at least a minute after a secondary limit. */
const SECONDARY_LIMIT_MS = 60_000;
const SHORTEST_WAIT_MS = 2_000;

/** What Octokit's RequestError carries, read without trusting its class: bundles may hold two copies of it. */
interface HttpFailure {
  status: number;
  message: string;
  headers: Record<string, string | number | undefined>;
}

/** The status and headers of a failed request, or null where the error is not GitHub's answer. */
export function httpFailureOf(error: unknown): HttpFailure | null {
  if (!(error instanceof Error) || !("status" in error) || typeof error.status !== "number") return null;
  // Octokit calls a request that got no answer at all a 500.
  if (error.status === 500 && !("response" in error && error.response)) return null;
  const response =
    "response" in error ? (error.response as { headers?: HttpFailure["headers"] } | undefined) : undefined;
  return { status: error.status, message: error.message, headers: response?.headers ?? {} };
}

/** Turns whatever Octokit or fetch threw into a typed error with a sentence for the repository's owner. */
export function translateError(error: unknown, doing: string): SourceError {
  if (error instanceof SourceError) return error;
  const failure = httpFailureOf(error) ?? graphqlFailureOf(error);
  if (failure) return translateHttp(failure, { doing, cause: error });
  const timedOut = [error, error instanceof Error ? error.cause : null].some(isTimeout); // Octokit wraps it
  return new SourceError(
    timedOut ? "github_timeout" : "github_unreachable",
    timedOut ? `GitHub took too long to ${doing}.` : `GitHub could not be reached to ${doing}.`,
    { retryable: true, cause: error },
  );
}

function isTimeout(error: unknown): boolean {
  return error instanceof Error && error.name === "TimeoutError";
}

/** GraphQL answers a spent budget with HTTP 200 and an error of type RATE_LIMITED. */
function graphqlFailureOf(error: unknown): HttpFailure | null {
  if (!(error instanceof Error) || error.name !== "GraphqlResponseError") return null;
  const { errors, headers } = error as Error & {
    errors?: { type?: string }[];
    headers?: HttpFailure["headers"];
  };
  const limited = errors?.some((inner) => inner.type === "RATE_LIMITED");
  const missing = errors?.some((inner) => inner.type === "NOT_FOUND");
  return { status: limited ? 429 : missing ? 404 : 502, message: error.message, headers: headers ?? {} };
}

function translateHttp(
  failure: HttpFailure,
  { doing, cause }: { doing: string; cause: unknown },
): SourceError {
  const resetAt = rateLimitResetOf(failure);
  if (resetAt) return new RateLimited(resetAt, cause);
  const { status, message } = failure;
  const fail = (code: string, sentence: string, retryable = false) =>
    new SourceError(code, sentence, { retryable, cause });
  if (status >= 500) return fail("github_error", `GitHub answered ${status} when asked to ${doing}.`, true);
  if (status === 401) {
    return fail(
      "unauthorized",
      "GitHub did not accept the App's credentials. Check APP_ID and PRIVATE_KEY.",
      true,
    );
  }
  if (status === 403 && /suspended/i.test(message)) {
    return fail(
      "suspended",
      "The installation is suspended. Unsuspend it in the GitHub settings of its owner.",
    );
  }
  if (status === 403 && /archived/i.test(message)) {
    return fail("archived", "The repository is archived, so GitHub takes no writes there.");
  }
  if (status === 403) {
    return fail(
      "forbidden",
      `GitHub refused to ${doing}. Check that the App has the permissions of app.yml.`,
    );
  }
  if (status === 404) {
    // Lost access is told by a webhook, which cancels the run. Until then it may as well be on its way to a new owner.
    return fail(
      "not_found",
      `GitHub refused to ${doing}: the repository is gone, or Repodex may not read it any more.`,
      true,
    );
  }
  if (status === 451) return fail("blocked", "GitHub has blocked this repository for legal reasons.");
  return fail("refused", `GitHub refused to ${doing} (${status}).`);
}

/** When to come back, if GitHub said that we ask too much: primary, secondary, or by retry-after. */
export function rateLimitResetOf({ status, message, headers }: HttpFailure): Date | null {
  if (status !== 403 && status !== 429) return null;
  const retryAfter = Number(headers["retry-after"]);
  if (Number.isFinite(retryAfter) && retryAfter > 0) return new Date(Date.now() + retryAfter * 1000);
  const spent = String(headers["x-ratelimit-remaining"]) === "0";
  if (spent) return resetOf(headers["x-ratelimit-reset"], headers.date);
  const limited = status === 429 || /rate limit|abuse/i.test(message);
  return limited ? new Date(Date.now() + SECONDARY_LIMIT_MS) : null;
}

/** GitHub's reset by GitHub's own clock, which need not be ours; never so soon that we hammer. */
function resetOf(reset: string | number | undefined, date: string | number | undefined): Date {
  const now = Date.now();
  const resetMs = Number(reset) * 1000;
  if (!Number.isFinite(resetMs)) return new Date(now + SECONDARY_LIMIT_MS);
  const theirs = Date.parse(String(date));
  const ahead = Number.isFinite(theirs) ? theirs - now : 0;
  return new Date(Math.max(now + SHORTEST_WAIT_MS, resetMs - ahead));
}
