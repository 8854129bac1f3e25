import { ProbotOctokit } from "probot";
import { boundedFetch } from "./bounded-fetch.ts";

/** Octokit's own words, of which some go around its logger, name a request's address, and secrets may be in that. */
const SILENT = { debug() {}, info() {}, warn() {}, error() {} };

/** An Octokit that asks once and says nothing, with a person's token or none. `githubUrl` null: github.com. */
export function createPlainOctokit(githubUrl: string | null, token: string | null = null): ProbotOctokit {
  return new ProbotOctokit({
    request: { fetch: boundedFetch, log: SILENT },
    retry: { enabled: false },
    throttle: { enabled: false },
    log: SILENT,
    ...(token !== null && { auth: { token } }),
    ...(githubUrl && { baseUrl: githubUrl }),
  });
}
