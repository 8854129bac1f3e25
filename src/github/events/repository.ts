import type { Kysely } from "kysely";
import { noteAccessChanged } from "../../access/users.ts";
import type { Tables } from "../../database/schema.ts";
import {
  makePrivate,
  moveRepository,
  type RepositoryFacts,
  refreshRepository,
  removeRepositories,
} from "../../installations/installations.ts";
import { requestRun } from "../../runs/queue.ts";
import { reopenReplies } from "../../runs/replies.ts";
import { reopenReports } from "../../runs/reporter.ts";
import { type EventContext, noteOrigin, type Payload, readOrigin, settleDelivery } from "./context.ts";
import { installationFacts, objectOf } from "./facts.ts";
import { readRepository } from "./repository-state.ts";

/** What follows once a repository is up to date; answers the outcome. */
type Follow = (
  trx: Kysely<Tables>,
  seen: RepositoryFacts,
  delivery: { guid: string; payload: Payload },
) => Promise<string>;

/**
 * An event that says that something about a repository changed: what GitHub shows now is what counts, so any order of
 * events ends the same.
 */
async function refresh(
  context: EventContext,
  guid: string,
  { payload, follow }: { payload: Payload; follow: Follow },
): Promise<void> {
  const origin = readOrigin(payload);
  const seen = origin && (await readRepository(context.github, origin));
  await settleDelivery(context, guid, async (trx) => {
    const noted = await noteOrigin(trx, payload);
    if (!seen) return "ignored" in noted ? noted.ignored : "GitHub does not show the repository any more.";
    await refreshRepository(trx, seen);
    if ("ignored" in noted && noted.because === "gone") return noted.ignored;
    return await follow(trx, seen, { guid, payload });
  });
}

/** Names change, ids do not: readers see the new name at once, not after the next scan. */
export function onRepositoryRenamed(context: EventContext): void {
  context.github.probot.on("repository.renamed", async ({ id, payload }) => {
    const follow: Follow = async (_trx, { owner, name }) => `It is called ${owner}/${name} now.`;
    await refresh(context, id, { payload: payload as never, follow });
  });
}

/** Another default branch is another commit to index, although nobody pushed. */
export function onDefaultBranchChanged(context: EventContext): void {
  context.github.probot.on("repository.edited", async ({ id, payload: typed }) => {
    const payload = typed as unknown as Payload;
    const changed = "default_branch" in objectOf(payload.changes ?? {}, "changes");
    const follow: Follow = async (trx, { id: repository_id, archived, default_branch }) => {
      if (!changed || archived) return "Up to date.";
      const asked = await requestRun(trx, { repository_id, trigger: "push", delivery_guid: id });
      return `Run ${asked.run_id} (${asked.outcome}): the default branch is ${default_branch} now.`;
    };
    await refresh(context, id, { payload, follow });
  });
}

/** An archived repository keeps its index and is not scanned; one that is taken out again may have changed. */
export function onArchived(context: EventContext): void {
  context.github.probot.on(["repository.archived", "repository.unarchived"], async ({ id, payload }) => {
    const follow: Follow = async (trx, { id: repository_id, archived }) => {
      if (archived) return "Archived: its index is kept as it is.";
      await reopenReports(trx, [repository_id]);
      await reopenReplies(trx, [repository_id], { age: "any" });
      const asked = await requestRun(trx, { repository_id, trigger: "schedule", delivery_guid: id });
      return `Run ${asked.run_id} (${asked.outcome}): it is not archived any more.`;
    };
    await refresh(context, id, { payload: payload as never, follow });
  });
}

/**
 * Who may see a repository changes before anything else does: hiding it waits for no answer of GitHub's, and showing it
 * is believed to nobody else.
 */
export function onVisibilityChanged(context: EventContext): void {
  context.github.probot.on(
    ["repository.privatized", "repository.publicized", "public"],
    async ({ id, name, payload: typed }) => {
      const payload = typed as unknown as Payload;
      const origin = readOrigin(payload);
      const hides = name === "repository" && payload.action === "privatized";
      if (origin && hides) await makePrivate(context.connection.db, origin.facts.id);
      const follow: Follow = async (trx, seen) => {
        await noteAccessChanged(trx);
        return seen.private ? "It is private." : "It is public.";
      };
      await refresh(context, id, { payload, follow });
    },
  );
}

/** A deleted repository is hidden at once, unless GitHub still shows it: deliveries come late, and owners restore. */
export function onRepositoryDeleted(context: EventContext): void {
  context.github.probot.on("repository.deleted", async ({ id, payload: typed }) => {
    const payload = typed as unknown as Payload;
    const origin = readOrigin(payload);
    if (!origin) return;
    const seen = await readRepository(context.github, origin).catch((err: unknown) => {
      context.log.warn({ err, delivery_id: id }, "deletion taken at its word");
      return null;
    });
    await settleDelivery(context, id, async (trx) => {
      if (seen) return "GitHub still shows the repository: it was restored.";
      await removeRepositories(trx, origin.installationId, [origin.facts.id], "The repository was deleted.");
      await noteAccessChanged(trx);
      return "Deleted: hidden, its runs cancelled.";
    });
  });
}

/** A transfer is told to the new owner's installation alone. Its own list says whether it has the repository. */
export function onRepositoryTransferred(context: EventContext): void {
  context.github.probot.on("repository.transferred", async ({ id, payload: typed }) => {
    const payload = typed as unknown as Payload;
    const origin = readOrigin(payload);
    if (!origin) return;
    const { installationId, facts } = origin;
    const listed = await context.directory.listRepositories(installationId, { background: false });
    const seen = listed?.find((repository) => repository.id === facts.id);
    await settleDelivery(context, id, async (trx) => {
      if (!seen) return "The new owner's installation does not have the repository.";
      const { owner } = objectOf(payload.repository, "repository");
      await moveRepository(trx, installationFacts(payload.installation, owner), seen, id);
      await noteAccessChanged(trx);
      return `It belongs to ${seen.owner} now.`;
    });
  });
}
