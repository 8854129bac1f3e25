import { notFound, Refused } from "./answers.ts";
import type { Call, InstallationCall, RepositoryCall } from "./router.ts";
import type { InstallationToken } from "./tokens.ts";
import { findByName, type SimulatedRepository, type World } from "./world.ts";

/** Thrown where a repository is known under another name now. */
export class Moved extends Error {
  override readonly name = "Moved";
  readonly repository: SimulatedRepository;

  constructor(repository: SimulatedRepository) {
    super(`Moved to ${repository.full_name}.`);
    this.repository = repository;
  }
}

/** Whether a token's installation has the repository, and its scope includes it. */
export function reaches(token: InstallationToken, repository: SimulatedRepository): boolean {
  if (repository.installation_id !== token.installation_id) return false;
  return token.repository_ids?.includes(repository.id) ?? true;
}

/** The request together with its repository; throws what GitHub says of one out of reach, renamed or archived. */
export function enterRepository(
  call: InstallationCall,
  { world, method, needs }: { world: World; method: string; needs: Record<string, "read" | "write"> },
): RepositoryCall {
  const found = findByName(world, `${call.params.owner}/${call.params.repo}`);
  if (!found || !reaches(call.token, found.repository)) throw notFound();
  const { repository, moved } = found;
  if (moved) throw new Moved(repository);
  const permitted = Object.entries(needs).some(([permission, level]) =>
    isPermitted(call.token, { permission, level, world }),
  );
  if (!permitted) throw new Refused(403, "Resource not accessible by integration");
  if (repository.archived && method !== "GET") {
    throw new Refused(403, "Repository was archived so is read-only.");
  }
  return { ...call, repository };
}

/** Whether a token may do so: by its own scope, and by what its installation grants now. */
export function isPermitted(
  token: InstallationToken,
  { permission, level, world }: { permission: string; level: "read" | "write"; world: World },
): boolean {
  const granted = world.installations.get(token.installation_id)?.permissions[permission];
  return [token.permissions[permission], granted].every(
    (given) => given === "write" || (given === "read" && level === "read"),
  );
}

/** GitHub's numbered path of a repository as the named one, for redirects that lead through it. */
export function nameNumberedPath(pathname: string, world: World): string {
  const [, id, rest] = /^\/repositories\/(\d+)(\/.+)$/.exec(pathname) ?? [];
  const repository = id === undefined ? undefined : world.repositories.get(Number(id));
  return repository ? `/repos/${repository.full_name}${rest}` : pathname;
}

/** The path of a request under a repository's number, where a redirect sends the caller. */
export function numberedPath({ path, params }: Call, repository: SimulatedRepository): string {
  const named = `/repos/${params.owner}/${params.repo}`;
  return `/repositories/${repository.id}${path.slice(named.length)}`;
}
