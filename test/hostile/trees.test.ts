import { expect, test } from "vitest";
import { useDatabase } from "../support/database.ts";
import { createRepository } from "../support/git.ts";
import { CORPUS_TIMEOUT_MS, openArena } from "./arena.ts";
import { createForge, HOSTILE_TREES, ordinary } from "./trees.ts";

const database = useDatabase();

test(
  `each of ${HOSTILE_TREES.length} hostile trees ends with a sentence or in git's own index, and the next repository too`,
  async () => {
    const arena = await openArena(database, { MAX_REPOSITORY_FILES: "20000" });

    const endings = await Promise.all(
      HOSTILE_TREES.map(async ({ name, build = ordinary, faults }) => {
        const git = await createRepository({ bare: true });
        const tree = await build(createForge(git));
        await git.git("update-ref", "refs/heads/main", await git.git("commit-tree", tree, "-m", "hostile"));
        return [name, await arena.meet({ git, faults })];
      }),
    );

    const expected = HOSTILE_TREES.map(({ name, ends }) => [name, ends]);
    expect(Object.fromEntries(endings)).toEqual(Object.fromEntries(expected));
    expect(endings.length).toBeGreaterThanOrEqual(20);
  },
  CORPUS_TIMEOUT_MS,
);
