import { sql } from "kysely";
import { expect, test } from "vitest";
import { useDatabase } from "../support/database.ts";
import type { TestRepository } from "../support/git.ts";
import { startJourney } from "../support/journey.ts";
import { createRandom, type Random } from "../support/random.ts";

const database = useDatabase();
const COMMITS = 50;
const SEED = Number(process.env.SEED ?? 20_261);

interface Pushed {
  before: string;
  after: string;
  forced: boolean;
}

/** One random change of the tree, committed by plumbing, so that modes and renames are as real as contents. */
async function change(git: TestRepository, random: Random, step: number): Promise<Pushed> {
  const before = await git.head();
  const forced = step > 5 && random.chance(0.12);
  if (forced) await git.git("update-ref", "refs/heads/main", `${before}~${1 + random.below(3)}`);
  const paths = (await git.git("ls-tree", "-r", "--name-only", "-z", "HEAD")).split("\0").filter(Boolean);
  const lines: string[] = [];
  const blob = async (text: string) => await git.git("hash-object", "-w", "--stdin", { input: text });
  const some = random.pick(paths);
  switch (random.below(5)) {
    case 0:
      lines.push(
        `100644 ${await blob(`new ${step}\n`.repeat(random.below(3_000)))}\tdir${random.below(4)}/new-${step}.ts`,
      );
      break;
    case 1:
      lines.push(`100644 ${await blob(`edited ${step}\n`)}\t${some}`);
      break;
    case 2:
      if (paths.length > 3) lines.push(`0 ${"0".repeat(40)}\t${some}`);
      break;
    case 3: {
      const sha = await git.git("rev-parse", `HEAD:${some}`);
      lines.push(`0 ${"0".repeat(40)}\t${some}`, `100644 ${sha}\tmoved/${step}-${some.replaceAll("/", "_")}`);
      break;
    }
    default:
      lines.push(
        `${random.pick(["100755", "120000", "100644"])} ${await git.git("rev-parse", `HEAD:${some}`)}\t${some}`,
      );
  }
  await git.git("read-tree", "HEAD");
  await git.git("update-index", "--index-info", { input: `${lines.join("\n")}\n` });
  const tree = await git.git("write-tree");
  const after = await git.git("commit-tree", tree, "-p", "HEAD", "-m", `step ${step}`);
  await git.git("update-ref", "refs/heads/main", after);
  return { before, after, forced };
}

/** Everything a reader can see of an index, without the repository's own id. */
async function indexOf(repositoryId: number): Promise<unknown> {
  const { rows } = await sql`
    select f.path, f.mode, encode(f.sha, 'hex') as sha, f.size, f.language, f.state, f.reason, f.generated, f.vendored,
      b.encoding, b.line_count,
      (select json_agg(json_build_array(c.ordinal, c.start_line, c.start_column, c.text) order by c.ordinal)
        from chunks c where c.repository_id = f.repository_id and c.sha = f.sha) as chunks
    from files f left join blobs b using (repository_id, sha)
    where f.repository_id = ${repositoryId} order by f.path`.execute(database.db);
  return rows;
}

test(`after a random history (seed ${SEED}) the index is a fresh one of the last commit`, async () => {
  const random = createRandom(SEED);
  const journey = await startJourney(database);
  const { simulator, git, repositoryId } = journey;
  await journey.install();
  const waiting: Pushed[] = [];
  const deliver = async ({ before, after, forced }: Pushed) => {
    const guid = crypto.randomUUID();
    for (let copy = 0; copy < (random.chance(0.3) ? 2 : 1); copy += 1) {
      await simulator.deliverPush(repositoryId, { before, after, forced, guid });
    }
  };

  for (let step = 1; step <= COMMITS; step += 1) {
    const pushed = await change(git, random, step);
    if (step === COMMITS) await deliver(pushed);
    else if (!random.chance(0.2)) waiting.splice(random.below(waiting.length + 1), 0, pushed); // else dropped
    while (waiting.length > 0 && random.chance(0.5)) await deliver(waiting.shift() as Pushed);
    if (random.chance(0.08)) await journey.untilStill(60_000);
  }
  await journey.untilStill(60_000);

  await journey.expectTruth();
  const fresh = simulator.addRepository({
    installation_id: journey.installationId,
    git_dir: git.dir,
    name: "fresh",
  });
  await simulator.deliverRepositoriesAdded(journey.installationId, [fresh.id]);
  await journey.untilStill(60_000);
  expect(await indexOf(repositoryId)).toEqual(await indexOf(fresh.id));
  const { rows: leftovers } = await sql`
    select from blobs b where not exists (
      select from files f where f.repository_id = b.repository_id and f.sha = b.sha)`.execute(database.db);
  expect(leftovers).toHaveLength(0);
}, 240_000);
