import type { Account } from "../world.ts";
import { type Links, nodeId } from "./links.ts";

/** GitHub's "simple-user". */
export function viewAccount({ id, login, type }: Account, { api, html }: Links) {
  const url = `${api}/users/${encodeURIComponent(login)}`;
  return {
    login,
    id,
    node_id: nodeId(type, id),
    avatar_url: `${html}/avatars/u/${id}`,
    gravatar_id: "",
    url,
    html_url: `${html}/${type === "Bot" ? "apps/" : ""}${login.replace("[bot]", "")}`,
    followers_url: `${url}/followers`,
    following_url: `${url}/following{/other_user}`,
    gists_url: `${url}/gists{/gist_id}`,
    starred_url: `${url}/starred{/owner}{/repo}`,
    subscriptions_url: `${url}/subscriptions`,
    organizations_url: `${url}/orgs`,
    repos_url: `${url}/repos`,
    events_url: `${url}/events{/privacy}`,
    received_events_url: `${url}/received_events`,
    type,
    user_view_type: "public",
    site_admin: false,
  };
}

/** GitHub's "organization-simple", beside the repositories that an organization owns. */
export function viewOrganization(account: Account, links: Links) {
  const { login, id, node_id, avatar_url } = viewAccount(account, links);
  const url = `${links.api}/orgs/${encodeURIComponent(login)}`;
  return {
    login,
    id,
    node_id,
    url,
    repos_url: `${url}/repos`,
    events_url: `${url}/events`,
    hooks_url: `${url}/hooks`,
    issues_url: `${url}/issues`,
    members_url: `${url}/members{/member}`,
    public_members_url: `${url}/public_members{/member}`,
    avatar_url,
    description: null,
  };
}
