import type { IncomingHttpHeaders } from "node:http";
import type { Answer } from "./answers.ts";
import type { Simulation } from "./simulation.ts";
import type { InstallationToken } from "./tokens.ts";
import type { Account, Installation, SimulatedRepository } from "./world.ts";

/** A request as its route sees it: parameters decoded, body parsed. */
export interface Call {
  params: Record<string, string>;
  query: URLSearchParams;
  /** Path and query below the API's root, for links to other pages. */
  path: string;
  headers: IncomingHttpHeaders;
  body: unknown;
}

/** A request with an installation's token. */
export interface InstallationCall extends Call {
  token: InstallationToken;
  installation: Installation;
}

/** A request with a person's token. */
export interface UserCall extends Call {
  user: Account;
}

/** A request about a repository within the token's reach. */
export interface RepositoryCall extends InstallationCall {
  repository: SimulatedRepository;
}

type Answering<C> = (call: C, simulation: Simulation) => Answer | Promise<Answer>;

interface RouteFacts {
  method: "GET" | "POST" | "PATCH" | "DELETE";
  /** As in GitHub's OpenAPI description. */
  template: string;
  /** Not counted against the budget. */
  free?: boolean;
  /** Counted against the limits on creating content. */
  content?: boolean;
}

/** A route with who may use it: all, the App's JWT, a person's token, an installation's, or one that reaches the repository. */
export type Route = RouteFacts &
  (
    | { by: "anyone"; answer: Answering<Call> }
    | { by: "app"; answer: Answering<Call> }
    | { by: "user"; answer: Answering<UserCall> }
    | { by: "installation"; answer: Answering<InstallationCall> }
    | {
        by: "repository";
        needs: { [permission: string]: "read" | "write" };
        answer: Answering<RepositoryCall>;
      }
  );

/** A route with the parameters of its path. */
export interface Matched {
  route: Route;
  params: Record<string, string>;
}

/** Finds the route of a method and a raw path; the first that fits wins. */
export function createRouter(routes: Route[]): (method: string, pathname: string) => Matched | null {
  const compiled = routes.map((route) => ({ route, ...compile(route.template) }));
  return (method, pathname) => {
    for (const { route, pattern, names } of compiled) {
      const found = route.method === method ? pattern.exec(pathname) : null;
      if (!found) continue;
      const params = decode(names, found.slice(1));
      if (params) return { route, params };
    }
    return null;
  };
}

function decode(names: string[], values: string[]): Record<string, string> | null {
  try {
    return Object.fromEntries(names.map((name, i) => [name, decodeURIComponent(values[i] ?? "")]));
  } catch {
    return null; // a stray percent sign
  }
}

/** `{ref}` may hold slashes, sent as they are or encoded; every other parameter is one segment. */
function compile(template: string): { pattern: RegExp; names: string[] } {
  const names: string[] = [];
  const source = template.replaceAll(/\{(\w+)\}/g, (_all, name: string) => {
    names.push(name);
    return name === "ref" ? "(.+)" : "([^/]+)";
  });
  return { pattern: new RegExp(`^${source}$`), names };
}
