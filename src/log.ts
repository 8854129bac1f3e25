import { type DestinationStream, type Logger, pino, stdSerializers } from "pino";

/** Anything that could be a secret, wherever an error or a request carries it. */
const REDACTED = [
  "*.token",
  "*.authorization",
  "*.headers.authorization",
  "*.privateKey",
  "*.secret",
  "*.password",
];

/**
 * The root logger. Errors are written with type, message, stack and cause; never with the request, response or
 * query that hangs on them, since those carry tokens and payloads.
 */
export function createLogger(level: string, destination?: DestinationStream): Logger {
  const options = {
    level,
    base: null,
    redact: { paths: REDACTED, censor: "[redacted]" },
    serializers: { err: serializeError },
  };
  return destination ? pino(options, destination) : pino(options);
}

function serializeError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const { type, message, stack } = stdSerializers.err(error);
  const code = "code" in error ? { code: error.code } : "status" in error ? { status: error.status } : {};
  return { type, message: scrub(message), stack: scrub(stack ?? ""), ...code };
}

/** Tokens and signed addresses that a message may quote. */
function scrub(text: string): string {
  return text
    .replace(/\bgh[a-z]_[A-Za-z0-9_.-]+/g, "[token]")
    .replace(/\b(v1\.[0-9a-f]{40}|github_pat_\w+)\b/g, "[token]")
    .replace(/\beyJ[\w-]+\.[\w-]+\.[\w-]+/g, "[jwt]")
    .replace(/([?&]token=)[^&\s"']+/g, "$1[token]");
}
