import { type RawBuilder, sql } from "kysely";

/** Which repositories a reader may see, by GitHub's numeric id. `all` is the operator. */
export interface Viewer {
  readonly repositories: "all" | readonly string[];
}

export const OPERATOR: Viewer = { repositories: "all" };

/**
 * The condition that keeps a statement inside what the viewer may see: `repositories` must be in scope.
 * Removed repositories are hidden from everyone at once, and so are those of suspended installations.
 */
export function visibleTo(viewer: Viewer): RawBuilder<boolean> {
  const shown = sql<boolean>`(repositories.removed_at is null and repositories.installation_id not in (
    select hidden.id from installations hidden where hidden.suspended_at is not null))`;
  if (viewer.repositories === "all") return shown;
  return sql<boolean>`(${shown} and repositories.id = any(${viewer.repositories}::bigint[]))`;
}
