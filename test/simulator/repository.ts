import { readSymbolicHead } from "./git.ts";
import { type SimulatedRepository, timestamp } from "./world.ts";

interface RepositoryFacts {
  installation_id: number;
  git_dir: string;
  name: string;
  owner: string;
  id: number;
  private: boolean;
  archived: boolean;
  default_branch: string | null;
}

/** A repository whose branch follows git's HEAD until it is set, and whose renames leave redirects. */
export function createRepository(facts: RepositoryFacts): SimulatedRepository {
  let { owner, name, default_branch: branch } = facts;
  return {
    id: facts.id,
    installation_id: facts.installation_id,
    git_dir: facts.git_dir,
    private: facts.private,
    archived: facts.archived,
    created_at: timestamp(),
    previous_names: [],
    get full_name() {
      return `${owner}/${name}`;
    },
    get owner() {
      return owner;
    },
    set owner(login) {
      if (login !== owner) this.previous_names.push(this.full_name);
      owner = login;
    },
    get name() {
      return name;
    },
    set name(renamed) {
      if (renamed !== name) this.previous_names.push(this.full_name);
      name = renamed;
    },
    get default_branch() {
      return branch ?? readSymbolicHead(this.git_dir);
    },
    set default_branch(chosen) {
      branch = chosen;
    },
  };
}
