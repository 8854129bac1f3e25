import { json, notFound } from "../answers.ts";
import type { Route, UserCall } from "../router.ts";
import type { Simulation } from "../simulation.ts";
import { viewAccount } from "../views/account.ts";
import { viewInstallation } from "../views/app.ts";
import { viewRepository } from "../views/repository.ts";
import { type Permission, permissionOf, type SimulatedRepository } from "../world.ts";
import { pageOf } from "./pages.ts";

/** What a person's token reads: who they are, and what of the App's installations is theirs to see. */
export const userRoutes: Route[] = [
  { method: "GET", template: "/user", by: "user", answer: readUser },
  { method: "GET", template: "/user/installations", by: "user", answer: listInstallations },
  {
    method: "GET",
    template: "/user/installations/{installation_id}/repositories",
    by: "user",
    answer: listRepositories,
  },
];

function readUser({ user }: UserCall, { links }: Simulation) {
  const account = viewAccount(user, links);
  const counts = { public_repos: 0, public_gists: 0, followers: 0, following: 0 };
  const dates = { created_at: "2011-01-25T18:44:36Z", updated_at: "2026-01-05T09:00:00Z" };
  const unsaid = {
    name: null,
    company: null,
    blog: null,
    location: null,
    email: null,
    hireable: null,
    bio: null,
  };
  return json(200, { ...account, ...unsaid, ...counts, ...dates });
}

/** The repositories of an installation that a person may read by an explicit permission. */
function readable({ user }: UserCall, installationId: number, { world }: Simulation) {
  return [...world.repositories.values()].flatMap((repository) => {
    if (repository.installation_id !== installationId) return [];
    const permission = permissionOf(world, repository.id, user.login);
    return permission === "none" ? [] : [{ repository, permission }];
  });
}

function listInstallations(call: UserCall, simulation: Simulation) {
  const all = [...simulation.world.installations.values()].filter(
    ({ id }) => readable(call, id, simulation).length > 0,
  );
  const { items, headers } = pageOf(all, call, simulation);
  const installations = items.map((installation) => viewInstallation(installation, simulation));
  return json(200, { total_count: all.length, installations }, headers);
}

function listRepositories(call: UserCall, simulation: Simulation) {
  const all = readable(call, Number(call.params.installation_id), simulation);
  if (all.length === 0) throw notFound();
  const { items, headers } = pageOf(all, call, simulation);
  const repositories = items.map((item) => viewPermitted(item, simulation));
  return json(200, { total_count: all.length, repository_selection: "selected", repositories }, headers);
}

function viewPermitted(
  { repository, permission }: { repository: SimulatedRepository; permission: Permission },
  simulation: Simulation,
) {
  const admin = permission === "admin";
  const push = admin || permission === "write";
  const permissions = { admin, maintain: admin, push, triage: push, pull: true };
  return { ...viewRepository(repository, simulation), permissions };
}
