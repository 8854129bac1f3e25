import type { Route } from "./router.ts";
import { appRoutes } from "./routes/app.ts";
import { checkRoutes } from "./routes/checks.ts";
import { collaboratorRoutes } from "./routes/collaborators.ts";
import { commentRoutes } from "./routes/comments.ts";
import { commitRoutes } from "./routes/commits.ts";
import { gitRoutes } from "./routes/git.ts";
import { hookRoutes } from "./routes/hook.ts";
import { installationRoutes } from "./routes/installation.ts";
import { manifestRoutes } from "./routes/manifest.ts";
import { userRoutes } from "./routes/user.ts";

/** Everything of GitHub's REST that is answered here; the first that fits a path wins. */
export const routes: Route[] = [
  ...appRoutes,
  ...hookRoutes,
  ...installationRoutes,
  ...checkRoutes,
  ...gitRoutes,
  ...commitRoutes,
  ...commentRoutes,
  ...collaboratorRoutes,
  ...manifestRoutes,
  ...userRoutes,
];
