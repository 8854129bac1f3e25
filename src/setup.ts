import { Hono } from "hono";
import type { Logger } from "pino";
import type { SetupConfig } from "./config.ts";
import { credentialsFile, requireWritable, storeCredentials } from "./credentials.ts";
import { createRegistrar } from "./github/registration.ts";
import { createSetupApp } from "./http/setup/app.ts";
import { createSetupSession } from "./http/setup/session.ts";
import { startServer } from "./server.ts";

/**
 * Serves the set-up page, whose link it prints, until the App is registered and its credentials are stored. Answers
 * the port, which is free again, or null when `signal` ended it first.
 */
export async function setUp(
  config: SetupConfig,
  { log, signal }: { log: Logger; signal: AbortSignal },
): Promise<number | null> {
  const { dataDir, host, githubUrl } = config;
  requireWritable(dataDir);
  const session = createSetupSession();
  const ended = Promise.withResolvers<void>();
  const file = credentialsFile(dataDir);
  const http = createSetupApp({
    session,
    registrar: createRegistrar(githubUrl),
    suggestedUrl: config.publicUrl,
    store: (credentials) => storeCredentials(dataDir, credentials),
    file,
    onRegistered({ slug }) {
      say(`The GitHub App ${slug} is registered; its credentials are in ${file}.`);
      ended.resolve();
    },
    log,
  });
  const server = await startServer({ webhooks: new Hono(), http, host, port: config.port });
  const port = config.port || Number(new URL(server.url).port); // PORT=0 takes a free one
  // To the terminal, not the log: whoever has the link may register the App.
  say(
    `There is no GitHub App yet. To register it, open this link in a browser on this machine:\n\n` +
      `  ${server.url}/setup?token=${session.token}\n\n` +
      `From another machine, run \`ssh -L ${port}:127.0.0.1:${port} SERVER\` there first. The link works once.`,
  );
  signal.addEventListener("abort", () => ended.resolve(), { once: true });
  await ended.promise;
  await server.close();
  return signal.aborted ? null : port;
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
