import { json, notFound, Refused } from "../answers.ts";
import type { Call, Route } from "../router.ts";
import type { Simulation } from "../simulation.ts";
import { viewApp, viewInstallation } from "../views/app.ts";
import { viewRepository } from "../views/repository.ts";
import { findByName, type Installation, type Permissions } from "../world.ts";
import { objectOf } from "./body.ts";
import { pageOf } from "./pages.ts";

/** What the App does as itself: read its installations and get their tokens. */
export const appRoutes: Route[] = [
  {
    method: "GET",
    template: "/app",
    by: "app",
    answer: (_call, simulation) => json(200, viewApp(simulation)),
  },
  { method: "GET", template: "/app/installations", by: "app", answer: listInstallations },
  {
    method: "GET",
    template: "/app/installations/{installation_id}",
    by: "app",
    answer: (call, simulation) => json(200, viewInstallation(installationOf(call, simulation), simulation)),
  },
  {
    method: "POST",
    template: "/app/installations/{installation_id}/access_tokens",
    by: "app",
    answer: createToken,
  },
  {
    method: "GET",
    template: "/repos/{owner}/{repo}/installation",
    by: "app",
    answer: readRepositoryInstallation,
  },
];

/** Suspended ones too: only their `suspended_at` tells. */
function listInstallations(call: Call, simulation: Simulation) {
  const { items, headers } = pageOf([...simulation.world.installations.values()], call, simulation);
  return json(
    200,
    items.map((installation) => viewInstallation(installation, simulation)),
    headers,
  );
}

function installationOf({ params }: Call, { world }: Simulation): Installation {
  const installation = world.installations.get(Number(params.installation_id));
  if (!installation) throw notFound();
  return installation;
}

function readRepositoryInstallation(call: Call, simulation: Simulation) {
  const found = findByName(simulation.world, `${call.params.owner}/${call.params.repo}`);
  const installation = found && simulation.world.installations.get(found.repository.installation_id);
  if (!installation) throw notFound();
  return json(200, viewInstallation(installation, simulation));
}

function createToken(call: Call, simulation: Simulation) {
  const { world, tokens } = simulation;
  const installation = installationOf(call, simulation);
  if (installation.suspended_at) throw new Refused(403, "This installation has been suspended");
  const body = objectOf(call.body);
  const repository_ids = scopeOf(body, { installation, simulation });
  const permissions =
    body.permissions === undefined
      ? installation.permissions
      : permissionsOf(objectOf(body.permissions), installation.permissions);
  const { token, expires_at } = tokens.create(installation.id, { repository_ids, permissions });
  const repositories = repository_ids?.flatMap((id) => world.repositories.get(id) ?? []);
  return json(201, {
    token,
    expires_at: expires_at.toISOString().replace(/\.\d+Z$/, "Z"),
    permissions,
    repository_selection: "selected",
    ...(repositories && {
      repositories: repositories.map((repository) => viewRepository(repository, simulation)),
    }),
  });
}

/** The ids of the repositories a token is asked for, by id or by name; null: all of the installation. */
function scopeOf(
  { repository_ids, repositories }: Record<string, unknown>,
  { installation, simulation }: { installation: Installation; simulation: Simulation },
): number[] | null {
  if (!Array.isArray(repository_ids) && !Array.isArray(repositories)) return null;
  const all = [...simulation.world.repositories.values()];
  const own = all.filter(({ installation_id }) => installation_id === installation.id);
  const asked: unknown[] = [
    ...(Array.isArray(repository_ids) ? repository_ids : []),
    ...(Array.isArray(repositories) ? repositories : []),
  ];
  return asked.map((wanted) => {
    const found = own.find(({ id, name }) => id === wanted || name === wanted);
    if (found) return found.id;
    const message =
      "There is at least one repository that does not exist or is not accessible to the parent installation.";
    throw new Refused(422, message);
  });
}

function permissionsOf(asked: Record<string, unknown>, all: Permissions): Record<string, string> {
  const given: Record<string, string> = { metadata: "read" };
  for (const [name, level] of Object.entries(asked)) {
    const granted = all[name];
    if (!granted || (level === "write" && granted === "read") || (level !== "read" && level !== "write")) {
      throw new Refused(422, "The permissions requested are not granted to this installation.");
    }
    given[name] = level;
  }
  return given;
}
