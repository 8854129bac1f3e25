import { type DestinationStream, type Logger, pino, stdSerializers } from "pino";
import { redact } from "./redact.ts";

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
  return { type, message: redact(message), stack: redact(stack ?? ""), ...code };
}
