import { sign } from "node:crypto";
import { expect, inject, onTestFinished } from "vitest";
import { noteCheckedRequests } from "../support/checked-requests.ts";
import type { SimulatorOptions } from "./servers.ts";
import { type Simulator, startSimulator } from "./simulator.ts";

export interface TestSimulatorOptions extends SimulatorOptions {
  /** The test sends on purpose what GitHub does not describe: it looks at `violations` by itself. */
  violationsExpected?: boolean;
}

/**
 * A simulator that ends with the test. It holds every request, and its own answers, against GitHub's description: what
 * does not hold fails the test, and what was checked is counted over the whole suite.
 */
export async function startTestSimulator({
  violationsExpected = false,
  ...options
}: TestSimulatorOptions = {}): Promise<Simulator> {
  const folder = inject("checkedRequests");
  const simulator = await startSimulator({ validate: true, ...options });
  onTestFinished(async () => {
    await simulator.close();
    if (violationsExpected) return;
    noteCheckedRequests(folder, simulator);
    expect(simulator.violations, "requests that GitHub does not describe so").toEqual([]);
  });
  return simulator;
}

/** A JWT of the simulator's App; `claims` lay over the right ones. */
export function signJwt(simulator: Simulator, claims: Record<string, unknown> = {}): string {
  const now = Math.floor(Date.now() / 1000);
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const body = { iat: now - 30, exp: now + 540, iss: simulator.environment.APP_ID, ...claims };
  const text = `${encode({ alg: "RS256", typ: "JWT" })}.${encode(body)}`;
  const signature = sign("RSA-SHA256", Buffer.from(text), simulator.environment.PRIVATE_KEY ?? "");
  return `${text}.${signature.toString("base64url")}`;
}

interface Reply<T> {
  status: number;
  headers: Headers;
  text: string;
  /** The parsed body, taken for what the test says it is; null where it is no JSON. */
  json: T;
}

/** Asks the API with one credential. */
interface Client {
  token: string;
  get<T = unknown>(path: string, headers?: Record<string, string>): Promise<Reply<T>>;
  send<T = unknown>(method: string, path: string, body?: unknown): Promise<Reply<T>>;
  graphql<T = unknown>(query: string, variables?: Record<string, unknown>): Promise<Reply<T>>;
}

/** A client with this credential; it follows no redirects. */
export function createClient(simulator: Simulator, token: string): Client {
  async function ask<T>(url: string, init: RequestInit): Promise<Reply<T>> {
    const authorization = `bearer ${token}`;
    const response = await fetch(url, {
      redirect: "manual",
      ...init,
      headers: { authorization, ...Object.fromEntries(new Headers(init.headers)) },
    });
    const text = await response.text();
    const isJson = /^application\/json/.test(response.headers.get("content-type") ?? "");
    return {
      status: response.status,
      headers: response.headers,
      text,
      json: isJson ? JSON.parse(text) : null,
    };
  }
  const withBody = (method: string, body: unknown) => ({
    method,
    headers: { "content-type": "application/json" },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  return {
    token,
    get: (path, headers = {}) => ask(`${simulator.url}/api/v3${path}`, { headers }),
    send: (method, path, body) => ask(`${simulator.url}/api/v3${path}`, withBody(method, body)),
    graphql: (query, variables) =>
      ask(`${simulator.url}/api/graphql`, withBody("POST", { query, variables })),
  };
}

/** The App itself, by its JWT. */
export function asApp(simulator: Simulator, claims?: Record<string, unknown>): Client {
  return createClient(simulator, signJwt(simulator, claims));
}

/** One installation, with a token of this scope. */
export async function asInstallation(
  simulator: Simulator,
  installationId: number,
  scope?: { repository_ids?: number[]; permissions?: Record<string, string> },
): Promise<Client> {
  const path = `/app/installations/${installationId}/access_tokens`;
  const { json } = await asApp(simulator).send<{ token: string }>("POST", path, scope);
  return createClient(simulator, json.token);
}
