import { HostUnavailable, InstallationSuspended, RateLimited, SourceError } from "../scan/source.ts";
import { type AnswerHeaders, rateLimitResetOf } from "./limits.ts";

/** What Octokit's RequestError carries, read without trusting its class: bundles may hold two copies of it. */
interface HttpFailure {
  status: number;
  message: string;
  headers: AnswerHeaders;
}

/** The status and headers of a failed request, or null where the error is not GitHub's answer. */
export function httpFailureOf(error: unknown): HttpFailure | null {
  if (!(error instanceof Error) || !("status" in error) || typeof error.status !== "number") return null;
  // Octokit calls a request that got no answer at all a 500.
  if (error.status === 500 && !("response" in error && error.response)) return null;
  return { status: error.status, message: error.message, headers: headersOf(error) ?? {} };
}

/** The headers of the answer that an error stands for, or null where there was none. */
export function headersOf(error: unknown): AnswerHeaders | null {
  if (!(error instanceof Error) || !("response" in error)) return null;
  return (error.response as { headers?: AnswerHeaders } | undefined)?.headers ?? null;
}

/** Turns whatever Octokit or fetch threw into a typed error with a sentence for the repository's owner. */
export function translateError(error: unknown, doing: string): SourceError {
  if (error instanceof SourceError) return error;
  const failure = httpFailureOf(error) ?? graphqlFailureOf(error);
  if (failure) return translateHttp(failure, { doing, cause: error });
  const timedOut = [error, error instanceof Error ? error.cause : null].some(isTimeout); // Octokit wraps it
  return timedOut
    ? new HostUnavailable("github_timeout", `GitHub took too long to ${doing}.`, error)
    : new HostUnavailable("github_unreachable", `GitHub could not be reached to ${doing}.`, error);
}

function isTimeout(error: unknown): boolean {
  return error instanceof Error && error.name === "TimeoutError";
}

/** GraphQL answers a spent budget with HTTP 200 and an error of type RATE_LIMITED. */
function graphqlFailureOf(error: unknown): HttpFailure | null {
  if (!(error instanceof Error) || error.name !== "GraphqlResponseError") return null;
  const { errors, headers } = error as Error & { errors?: { type?: string }[]; headers?: AnswerHeaders };
  const limited = errors?.some((inner) => inner.type === "RATE_LIMITED");
  const missing = errors?.some((inner) => inner.type === "NOT_FOUND");
  return { status: limited ? 429 : missing ? 404 : 502, message: error.message, headers: headers ?? {} };
}

/** A refusal that lasts until somebody does something: what it is called, and what to tell the owner. */
type Refusal = (
  doing: string,
  failure: HttpFailure,
) => { code: string; message: string; retryable?: boolean };

const FORBIDDEN: [RegExp, Refusal][] = [
  [
    /archived/i,
    () => ({ code: "archived", message: "The repository is archived, so GitHub takes no writes there." }),
  ],
  [
    /too.large/i,
    (doing) => ({ code: "too_large", message: `GitHub refused to ${doing}: it is too large for its API.` }),
  ],
  [
    /locked/i,
    (doing) => ({ code: "locked", message: `GitHub refused to ${doing}: the conversation is locked.` }),
  ],
  [
    /./,
    (doing) => ({
      code: "forbidden",
      message: `GitHub refused to ${doing}. Check that the App has the permissions of app.yml, and that the owner has accepted them.`,
    }),
  ],
];

/** By status; everything else below 500 is "refused". */
const REFUSALS: Record<number, Refusal> = {
  // Lost access is looked into before anything follows from it. Until then it may be on its way to a new owner.
  404: (doing) => ({
    code: "not_found",
    message: `GitHub refused to ${doing}: the repository is gone, or Repodex may not read it any more.`,
    retryable: true,
  }),
  409: (doing) => ({
    code: "conflict",
    message: `GitHub could not ${doing}: the repository is empty, or is being changed. Repodex tries again.`,
    retryable: true,
  }),
  410: (doing) => ({
    code: "gone",
    message: `GitHub refused to ${doing}: that is switched off or deleted in this repository.`,
  }),
  422: (doing) => ({
    code: "unprocessable",
    message: `GitHub could not ${doing}: it did not accept the request.`,
  }),
  451: () => ({ code: "blocked", message: "GitHub has blocked this repository for legal reasons." }),
};

function translateHttp(
  failure: HttpFailure,
  { doing, cause }: { doing: string; cause: unknown },
): SourceError {
  const { status, message } = failure;
  const resetAt = rateLimitResetOf(failure);
  if (resetAt) return new RateLimited(resetAt, cause);
  if (status >= 500)
    return new HostUnavailable("github_error", `GitHub answered ${status} when asked to ${doing}.`, cause);
  if (status === 401) {
    const sentence = "GitHub did not accept the App's credentials. Check APP_ID and PRIVATE_KEY.";
    return new HostUnavailable("unauthorized", sentence, cause);
  }
  if (status === 403 && /suspended/i.test(message)) return new InstallationSuspended(cause);
  const describe =
    status === 403 ? FORBIDDEN.find(([pattern]) => pattern.test(message || "?"))?.[1] : REFUSALS[status];
  const refusal = describe?.(doing, failure) ?? {
    code: "refused",
    message: `GitHub refused to ${doing} (${status}).`,
  };
  return new SourceError(refusal.code, refusal.message, { retryable: refusal.retryable ?? false, cause });
}

/** What it means that GitHub gives no token of an installation. */
export function translateTokenError(error: unknown): SourceError {
  const failure = httpFailureOf(error);
  const fail = (code: string, message: string, retryable = false) =>
    new SourceError(code, message, { retryable, cause: error });
  if (failure?.status === 404)
    return fail("uninstalled", "Repodex is not installed there any more. Install it again to go on.", true);
  if (failure?.status === 422 && /permissions/i.test(failure.message)) {
    const message =
      "The owner has not accepted all permissions of app.yml. Accept them in the installation's GitHub settings.";
    return fail("forbidden", message);
  }
  if (failure?.status === 422)
    return fail("not_found", "GitHub says that Repodex may not read this repository any more.", true);
  return translateError(error, "give Repodex access");
}
