import type { Simulation } from "../simulation.ts";
import { ASKED, type Installation } from "../world.ts";
import { viewAccount } from "./account.ts";
import { nodeId } from "./links.ts";

const APP_SLUG = "repodex";
/** When the App was registered, and its webhook with it. */
export const CREATED_AT = "2026-01-05T09:00:00Z";
const EVENTS = [
  "push",
  "repository",
  "public",
  "issue_comment",
  "check_suite",
  "check_run",
  "installation_target",
];

/** The account under which the App writes comments and reactions. */
export const APP_LOGIN = `${APP_SLUG}[bot]`;

/** GitHub's "integration". */
export function viewApp({ appId, authorizations, world, links }: Simulation) {
  return {
    id: appId,
    slug: APP_SLUG,
    client_id: authorizations.clientId,
    node_id: nodeId("Integration", appId),
    owner: viewAccount(world.account("octo-maintainers", { type: "Organization" }), links),
    name: "Repodex",
    description: null,
    external_url: "https://example.com/repodex",
    html_url: `${links.html}/apps/${APP_SLUG}`,
    created_at: CREATED_AT,
    updated_at: CREATED_AT,
    permissions: ASKED,
    events: EVENTS,
    installations_count: world.installations.size,
  };
}

/** GitHub's "installation". */
export function viewInstallation(installation: Installation, { appId, world, links }: Simulation) {
  const { id, account, created_at, suspended_at, permissions } = installation;
  return {
    id,
    account: viewAccount(account, links),
    repository_selection: "selected",
    access_tokens_url: `${links.api}/app/installations/${id}/access_tokens`,
    repositories_url: `${links.api}/installation/repositories`,
    html_url: `${links.html}/settings/installations/${id}`,
    app_id: appId,
    app_slug: APP_SLUG,
    target_id: account.id,
    target_type: account.type,
    permissions,
    events: EVENTS,
    created_at,
    updated_at: suspended_at ?? created_at,
    single_file_name: null,
    has_multiple_single_files: false,
    single_file_paths: [],
    suspended_by: suspended_at ? viewAccount(world.account("octocat"), links) : null,
    suspended_at,
  };
}
