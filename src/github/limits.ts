/** GitHub's documentation: without a retry-after header, wait at least a minute after a secondary limit. */
const SECONDARY_LIMIT_MS = 60_000;
const SHORTEST_WAIT_MS = 2_000;

export type AnswerHeaders = Record<string, string | number | undefined>;

/** When to come back, if GitHub said that we ask too much: primary, secondary, or by retry-after. */
export function rateLimitResetOf({
  status,
  message,
  headers,
}: {
  status: number;
  message: string;
  headers: AnswerHeaders;
}): Date | null {
  if (status !== 403 && status !== 429) return null;
  const retryAfter = Number(headers["retry-after"]);
  if (Number.isFinite(retryAfter) && retryAfter > 0) return new Date(Date.now() + retryAfter * 1000);
  if (String(headers["x-ratelimit-remaining"]) === "0") return resetOf(headers);
  const limited = status === 429 || /rate limit|abuse/i.test(message);
  return limited ? new Date(Date.now() + SECONDARY_LIMIT_MS) : null;
}

/** When an hour's budget is full again, by GitHub's own clock, which need not be ours; never so soon that we hammer. */
export function resetOf(headers: AnswerHeaders): Date {
  const now = Date.now();
  const resetMs = Number(headers["x-ratelimit-reset"]) * 1000;
  if (!Number.isFinite(resetMs)) return new Date(now + SECONDARY_LIMIT_MS);
  const theirs = Date.parse(String(headers.date));
  const ahead = Number.isFinite(theirs) ? theirs - now : 0;
  return new Date(Math.max(now + SHORTEST_WAIT_MS, resetMs - ahead));
}
