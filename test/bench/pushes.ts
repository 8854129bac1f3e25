import type { SimulatedRepository } from "../simulator/world.ts";
import { createRepository } from "../support/git.ts";
import { createRandom } from "../support/random.ts";

/** A repository with the commits that will be pushed to it, the branch still before them. */
interface Pushes {
  gitDir: string;
  first: string;
  commits: string[];
  remove(): Promise<void>;
}

export type PushedRepository = Pushes & Pick<SimulatedRepository, "id" | "installation_id">;

const LINES = 60;

/** Makes a repository of some files and, on top of it, commits that change one to three of them each. */
export async function makePushes(options: { seed: number; files: number; commits: number }): Promise<Pushes> {
  const random = createRandom(options.seed);
  const nameOf = (i: number) => `src/part-${i % 12}/file-${i}.ts`;
  const textOf = (what: string) => `export const value = "${what} ${options.seed}";\n`.repeat(LINES);
  const git = await createRepository({ bare: true });
  const first = await git.commit(
    Object.fromEntries(Array.from({ length: options.files }, (_, i) => [nameOf(i), textOf(`file ${i}`)])),
  );
  const stream: string[] = [];
  for (let commit = 1; commit <= options.commits; commit += 1) {
    const at = 1_700_000_000 + commit;
    stream.push(
      `commit refs/heads/pushed\nmark :${commit}\ncommitter bench <bench@example.com> ${at} +0000\n`,
    );
    stream.push(`data 0\nfrom ${commit === 1 ? first : `:${commit - 1}`}\n`);
    for (let left = 1 + random.below(3); left > 0; left -= 1) {
      const text = textOf(`commit ${commit}`);
      stream.push(`M 100644 inline ${nameOf(random.below(options.files))}\ndata ${text.length}\n${text}`);
    }
    stream.push(`\n`);
  }
  await git.git("fast-import", "--quiet", { input: stream.join("") });
  const commits = (await git.git("rev-list", "--reverse", `${first}..refs/heads/pushed`)).split("\n");
  return { gitDir: git.dir, first, commits, remove: git.remove };
}
