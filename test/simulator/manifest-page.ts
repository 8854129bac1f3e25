import { type Answer, bytes, empty, notFound } from "./answers.ts";
import type { Incoming } from "./handle.ts";
import { objectOf } from "./routes/body.ts";
import type { Simulation } from "./simulation.ts";

const PAGE = /^(?:\/organizations\/([^/]+))?\/settings\/apps\/new$/;
/** docs.github.com, "Registering a GitHub App": a name cannot be longer. */
const MAX_NAME = 34;
/** The permission without which GitHub takes no subscription to an event; null: needs none. */
const PERMISSION_OF: Record<string, string | null> = {
  push: "contents",
  repository: "metadata",
  public: "metadata",
  issue_comment: "issues",
  check_suite: "checks",
  check_run: "checks",
  installation_target: null,
};

/** Whether an address is the page on which GitHub makes an App of a manifest. */
export function isManifestPage(url: URL): boolean {
  return PAGE.test(url.pathname);
}

/** GitHub's own page: takes a manifest from a browser's form, as if its owner pressed the button at once. */
export function createManifestArea(simulation: Simulation) {
  return {
    resource: null,
    locate: (_method: string, url: URL) => ({
      route: url.pathname.replace(PAGE, (_all, name) =>
        name ? "/organizations/{org}/settings/apps/new" : "/settings/apps/new",
      ),
      path: url.pathname,
    }),
    check: () => null,
    async answer({ method, url, body }: Incoming): Promise<Answer> {
      if (method !== "POST") throw notFound();
      const sent = new URLSearchParams(String(body)).get("manifest");
      const manifest = objectOf(parse(sent ?? ""));
      const fault = findFault(manifest);
      if (fault) return refuse(fault);
      const organization = PAGE.exec(url.pathname)?.[1] ?? null;
      const { code } = simulation.registrations.add({ manifest, organization });
      const back = new URL(String(manifest.redirect_url));
      back.searchParams.set("code", code);
      const state = url.searchParams.get("state");
      if (state !== null) back.searchParams.set("state", state);
      return empty(302, { location: back.href });
    },
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** What GitHub's page says of a manifest that it does not take. */
function refuse(fault: string): Answer {
  const text = "Invalid GitHub App configuration. The configuration does not appear to be a valid manifest.";
  return { ...bytes(Buffer.from(`${text} Error: ${fault}`), "text/html; charset=utf-8"), status: 422 };
}

function findFault(manifest: Record<string, unknown>): string | null {
  const hook = manifest.hook_attributes ? objectOf(manifest.hook_attributes) : null;
  const name = manifest.name === undefined ? "" : manifest.name;
  if (typeof name !== "string" || name.length > MAX_NAME) {
    return `Name is too long (maximum is ${MAX_NAME} characters)`;
  }
  if (!isAddress(manifest.url) || (hook && !isAddress(hook.url))) return `"url" wasn't supplied.`;
  if (!isAddress(manifest.redirect_url)) return `"redirect_url" must be a valid URL`;
  if (hook && !isReachable(String(hook.url))) {
    return "Hook url is not supported because it isn't reachable over the public Internet";
  }
  return findEventFault(manifest);
}

function findEventFault({ default_events, default_permissions }: Record<string, unknown>): string | null {
  const events = Array.isArray(default_events) ? default_events.map(String) : [];
  const permissions = objectOf(default_permissions);
  const unknown = events.filter((event) => !(event in PERMISSION_OF));
  if (unknown.length > 0) return `Default events unsupported: ${unknown.join(" and ")}`;
  const bare = events.filter((event) => {
    const needed = PERMISSION_OF[event];
    return needed && !permissions[needed];
  });
  return bare.length > 0 ? `Default events are not supported by permissions: ${bare.join(" and ")}` : null;
}

function isAddress(value: unknown): boolean {
  return typeof value === "string" && /^https?:\/\//.test(value) && URL.canParse(value);
}

/** https; and this machine itself, which is where this GitHub is. */
function isReachable(url: string): boolean {
  return url.startsWith("https:") || ["127.0.0.1", "localhost", "[::1]"].includes(new URL(url).hostname);
}
