import type { ArchiveHost } from "./archive-host.ts";
import type { Authorizations } from "./authorizations.ts";
import type { Budgets } from "./budget.ts";
import type { ContentCounts } from "./content-limits.ts";
import type { Faults } from "./faults.ts";
import type { Git } from "./git.ts";
import type { Hook } from "./hook.ts";
import type { Recorder } from "./recorder.ts";
import type { Registrations } from "./registrations.ts";
import type { Tokens } from "./tokens.ts";
import type { Links } from "./views/links.ts";
import type { World } from "./world.ts";

/** One running stand-in: what its routes work with. */
export interface Simulation {
  readonly appId: number;
  readonly registrations: Registrations;
  readonly world: World;
  readonly git: Git;
  readonly tokens: Tokens;
  readonly authorizations: Authorizations;
  readonly budgets: Budgets;
  readonly content: ContentCounts;
  readonly faults: Faults;
  readonly archive: ArchiveHost;
  readonly hook: Hook;
  readonly recorder: Recorder;
  readonly links: Links;
  readonly treeLimit: { entries: number; bytes: number };
  readonly pageSizeMax: number;
}
