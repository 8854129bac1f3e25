import { reaches } from "../access.ts";
import { json, notFound } from "../answers.ts";
import type { Budget } from "../budget.ts";
import type { InstallationCall, Route } from "../router.ts";
import type { Simulation } from "../simulation.ts";
import { viewFullRepository, viewRepository } from "../views/repository.ts";
import { pageOf } from "./pages.ts";

/** What an installation's token reads of itself. */
export const installationRoutes: Route[] = [
  { method: "GET", template: "/installation/repositories", by: "installation", answer: listRepositories },
  {
    method: "GET",
    template: "/repositories/{repository_id}",
    by: "installation",
    answer: readRepositoryById,
  },
  { method: "GET", template: "/rate_limit", by: "installation", free: true, answer: readRateLimit },
];

function listRepositories(call: InstallationCall, simulation: Simulation) {
  const all = [...simulation.world.repositories.values()].filter((repository) =>
    reaches(call.token, repository),
  );
  const { items, headers } = pageOf(all, call, simulation);
  const repositories = items.map((repository) => viewRepository(repository, simulation));
  return json(200, { total_count: all.length, repository_selection: "selected", repositories }, headers);
}

/** Not in GitHub's description, but where its redirects from old names lead. */
function readRepositoryById(call: InstallationCall, simulation: Simulation) {
  const repository = simulation.world.repositories.get(Number(call.params.repository_id));
  if (!repository || !reaches(call.token, repository)) throw notFound();
  return json(200, viewFullRepository(repository, simulation));
}

function readRateLimit({ installation }: InstallationCall, { budgets }: Simulation) {
  const core = budgets.read(installation.id, "core");
  const untouched = { limit: 30, used: 0, remaining: 30, reset: core.reset };
  const resources = {
    core: viewBudget(core),
    graphql: viewBudget(budgets.read(installation.id, "graphql")),
    search: untouched,
  };
  return json(200, { resources, rate: resources.core });
}

function viewBudget(budget: Budget) {
  return { ...budget, used: Math.max(0, budget.limit - budget.remaining) };
}
