import { json } from "../answers.ts";
import type { Route } from "../router.ts";
import { viewAccount } from "../views/account.ts";
import { permissionOf } from "../world.ts";

/** What a person may do in a repository. */
export const collaboratorRoutes: Route[] = [
  {
    method: "GET",
    template: "/repos/{owner}/{repo}/collaborators/{username}/permission",
    by: "repository",
    needs: { metadata: "read" },
    answer({ repository, params }, { world, links }) {
      const login = params.username ?? "";
      const permission = permissionOf(world, repository.id, login);
      const user = { ...viewAccount(world.account(login), links), role_name: permission };
      return json(200, { permission, role_name: permission, user });
    },
  },
];
