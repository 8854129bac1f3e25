import { createRepository, type TestRepository } from "../support/git.ts";
import { createRandom } from "../support/random.ts";

export const FILES_PER_PUSH = 10;
const WORDS =
  "const return await index files query value state await length import string number array".split(" ");

/** What stands in the files that a step changed, and in no other. */
export function markOf(step: number): string {
  return `// push_number_${step};`;
}

function pathOf(i: number): string {
  return `packages/component-${i % 97}/src/module-${i % 53}/some-file-name-${i}.ts`;
}

function textOf(i: number, random: ReturnType<typeof createRandom>): string {
  const lines = [`// file ${i}`];
  for (let left = random.below(80); left > 0; left -= 1) {
    lines.push(
      `  ${random.pick(WORDS)} ${random.pick(WORDS)}${random.below(1_000)} = ${random.pick(WORDS)}();`,
    );
  }
  return `${lines.join("\n")}\n`;
}

/** A repository of so many files of real-looking code, the same in each run. */
export async function createLarge(count: number): Promise<TestRepository> {
  const git = await createRepository({ bare: true });
  const random = createRandom(1);
  const files: Record<string, string> = {};
  for (let i = 0; i < count; i += 1) files[pathOf(i)] = textOf(i, random);
  await git.commit(files);
  await git.git("repack", "-adq"); // as GitHub has it: the simulator's git should not be what is measured
  return git;
}

/** Commits changes of ten files; the first line of each has the step's number. */
export async function commitChanges(
  git: TestRepository,
  { files, step }: { files: number; step: number },
): Promise<{ before: string; after: string }> {
  const random = createRandom(step);
  const before = await git.head();
  const changes = Array.from({ length: FILES_PER_PUSH }, (_, i) => {
    const file = random.below(files);
    return [pathOf(file), `${markOf(step)} change ${i}\n${textOf(file, random)}`];
  });
  return { before, after: await git.commit(Object.fromEntries(changes)) };
}
