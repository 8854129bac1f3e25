import { expect, test, vi } from "vitest";
import type { Simulator } from "./simulator.ts";
import { createClient, startTestSimulator } from "./test-client.ts";

const MANIFEST = {
  name: "repodex-of-octo",
  url: "https://repodex.example.com",
  hook_attributes: { url: "https://repodex.example.com/api/github/webhooks", active: true },
  redirect_url: "http://127.0.0.1:3000/setup/callback",
  public: false,
  default_permissions: { metadata: "read", contents: "read" },
  default_events: ["push", "repository", "installation_target"],
};
const PAGE = "/settings/apps/new?state=a-state";

async function submit({ url }: Simulator, page: string, manifest: object | string): Promise<Response> {
  const body = new URLSearchParams({
    manifest: typeof manifest === "string" ? manifest : JSON.stringify(manifest),
  });
  return await fetch(`${url}${page}`, { method: "POST", body, redirect: "manual" });
}

/** Exchanges a code, with no credentials. */
async function convert({ url }: Simulator, code: string): Promise<Response> {
  return await fetch(`${url}/api/v3/app-manifests/${code}/conversions`, { method: "POST" });
}

test("a manifest comes back as a code with its state, and the code is good for the App's credentials once", async () => {
  const simulator = await startTestSimulator();

  const answer = await submit(simulator, PAGE, MANIFEST);
  const back = new URL(answer.headers.get("location") ?? "");
  const code = back.searchParams.get("code") ?? "";
  const first = await convert(simulator, code);
  const second = await convert(simulator, code);

  expect([answer.status, back.origin + back.pathname, back.searchParams.get("state")]).toEqual([
    302,
    "http://127.0.0.1:3000/setup/callback",
    "a-state",
  ]);
  expect([first.status, second.status]).toEqual([201, 404]);
  expect(await first.json()).toMatchObject({
    id: simulator.appId,
    name: "repodex-of-octo",
    pem: simulator.environment.PRIVATE_KEY,
    webhook_secret: simulator.webhookSecret,
    client_secret: expect.stringMatching(/^[0-9a-f]{40}$/),
  });
  expect(simulator.registrations).toEqual([expect.objectContaining({ organization: null, code })]);
  expect(simulator.violations).toEqual([]);
});

test("an organization has a page of its own", async () => {
  const simulator = await startTestSimulator();

  const answer = await submit(simulator, "/organizations/octo-org/settings/apps/new", MANIFEST);

  expect(answer.status).toBe(302);
  expect(answer.headers.get("location")).not.toContain("state");
  expect(simulator.registrations).toMatchObject([{ organization: "octo-org", manifest: MANIFEST }]);
});

test("a code is worth nothing after an hour", async () => {
  const simulator = await startTestSimulator();
  await submit(simulator, PAGE, MANIFEST);

  vi.spyOn(Date, "now").mockReturnValue(Date.now() + 3_600_001);
  const late = await convert(simulator, simulator.registrations[0]?.code ?? "").finally(() =>
    vi.restoreAllMocks(),
  );

  expect(late.status).toBe(404);
});

test.for<[string, object | string, string]>([
  ["that is no JSON", "{", `"url" wasn't supplied.`],
  ["without an address", { ...MANIFEST, url: undefined }, `"url" wasn't supplied.`],
  ["whose hook has no address", { ...MANIFEST, hook_attributes: {} }, `"url" wasn't supplied.`],
  ["with a name too long", { ...MANIFEST, name: "a".repeat(35) }, "maximum is 34"],
  ["without a way back", { ...MANIFEST, redirect_url: "/setup" }, "redirect_url"],
  [
    "whose hook is not on the internet",
    { ...MANIFEST, hook_attributes: { url: "http://repodex.local/x" } },
    "isn't reachable",
  ],
  [
    "with an event that comes by itself",
    { ...MANIFEST, default_events: ["installation"] },
    "Default events unsupported: installation",
  ],
  [
    "with an event beyond its permissions",
    { ...MANIFEST, default_events: ["check_run"] },
    "not supported by permissions: check_run",
  ],
])("a manifest %s is refused with GitHub's sentence", async ([, manifest, sentence]) => {
  const simulator = await startTestSimulator();

  const answer = await submit(simulator, PAGE, manifest);

  expect([answer.status, await answer.text()]).toEqual([422, expect.stringContaining(sentence)]);
  expect(simulator.registrations).toEqual([]);
});

test("nothing else is open to all", async () => {
  const simulator = await startTestSimulator();

  const statuses = await Promise.all(
    ["/app", "/installation/repositories"].map((path) => fetch(`${simulator.url}/api/v3${path}`)),
  );

  expect(statuses.map(({ status }) => status)).toEqual([401, 401]);
  expect((await createClient(simulator, "nonsense").get("/app")).status).toBe(401);
});
