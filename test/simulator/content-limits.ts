/**
 * docs.github.com, "Rate limits for the REST API": no more than 80 content-generating requests a minute and 500 an
 * hour, of all that an installation asks.
 */
const LIMITS = { minute: 80, hour: 500 };
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;

/** How many requests may create content. */
export interface ContentLimits {
  minute: number;
  hour: number;
}

/** What an installation has written. */
export interface ContentUse {
  /** In the last minute, and the last hour. */
  minute: number;
  hour: number;
  /** Since the beginning, without the refused ones. */
  total: number;
  refused: number;
}

/** Counts what creates content: check runs, comments and reactions, made or changed. */
export interface ContentCounts {
  /** Other limits from now on; null: none. */
  set(limits: ContentLimits | null): void;
  /** Counts one; where a limit is reached, answers instead after how many seconds there is room again. */
  admit(installationId: number): { retryAfter: number } | null;
  use(installationId: number): ContentUse;
}

/** Nothing written yet, GitHub's limits in force. */
export function createContentCounts(): ContentCounts {
  const written = new Map<number, number[]>();
  const refused = new Map<number, number>();
  let limits: ContentLimits | null = LIMITS;

  const timesOf = (id: number) => written.get(id) ?? [];

  /** Milliseconds until a window has room. */
  function waitOf(times: number[], { limit, span }: { limit: number; span: number }): number {
    const oldest = times.at(-limit);
    return oldest === undefined ? 0 : Math.max(0, oldest + span - Date.now());
  }

  return {
    set(changed) {
      limits = changed;
    },
    admit(id) {
      const times = timesOf(id);
      const wait = limits
        ? Math.max(
            waitOf(times, { limit: limits.minute, span: MINUTE_MS }),
            waitOf(times, { limit: limits.hour, span: HOUR_MS }),
          )
        : 0;
      if (wait > 0) {
        refused.set(id, (refused.get(id) ?? 0) + 1);
        return { retryAfter: Math.ceil(wait / 1000) };
      }
      written.set(id, times);
      times.push(Date.now());
      return null;
    },
    use(id) {
      const times = timesOf(id);
      const since = (span: number) => times.filter((at) => at > Date.now() - span).length;
      return {
        minute: since(MINUTE_MS),
        hour: since(HOUR_MS),
        total: times.length,
        refused: refused.get(id) ?? 0,
      };
    },
  };
}
