import { createHash } from "node:crypto";
import { createRepository, type TestRepository } from "../support/git.ts";
import type { Random } from "../support/random.ts";
import { makeAttributes } from "./attributes.ts";
import { type Expected, makeContent } from "./contents.ts";
import { joinPath, makeDirectory, makePath, type RawPath, withExtension } from "./paths.ts";

interface Entry {
  mode: string;
  sha: string;
}

type Tree = Map<RawPath, Entry>;

/** What a webhook says of a push. */
export interface Pushed {
  before: string;
  after: string;
  forced: boolean;
}

/** A repository whose commits are drawn by lot. */
export interface History {
  git: TestRepository;
  /** By the SHAs of all blobs that were ever made. */
  expected: ReadonlyMap<string, Expected>;
  /** One more commit, or a move of the branch to another one. */
  step(): Promise<Pushed>;
  /** The largest tree that ever was, on top of all that has happened: the more there is to hold against git. */
  finish(): Promise<Pushed>;
}

/** Larger trees only make the runs longer. */
const MANY_FILES = 250;
const OUTSIDE = ["../../../../../etc/passwd", "/etc/shadow", "..", "nowhere/at all", "."];

interface Workshop {
  random: Random;
  /** Makes a blob of a random content. */
  blob(): Promise<string>;
  text(text: string): Promise<string>;
}

type Change = (tree: Tree, workshop: Workshop) => Promise<void>;

/** Puts an entry where it may take the place of a directory, or of a file that was one of its directories. */
function put(tree: Tree, path: RawPath, entry: Entry): void {
  for (const other of [...tree.keys()]) {
    if (other.startsWith(`${path}/`) || path.startsWith(`${other}/`)) tree.delete(other);
  }
  tree.set(path, entry);
}

/** Any path but an attributes file's, whose content is never just anything. */
function pickPath(tree: Tree, random: Random): RawPath | null {
  const paths = [...tree.keys()].filter((path) => !path.endsWith(".gitattributes"));
  return paths.length === 0 ? null : random.pick(paths);
}

function pickDirectory(tree: Tree, random: Random): RawPath | null {
  const path = pickPath(tree, random);
  if (path === null || !path.includes("/")) return null;
  const parts = path.split("/");
  return parts.slice(0, 1 + random.below(parts.length - 1)).join("/");
}

function below(tree: Tree, directory: RawPath): [RawPath, Entry][] {
  return [...tree].filter(([path]) => path.startsWith(`${directory}/`));
}

const addFiles: Change = async (tree, { random, blob }) => {
  for (let left = 1 + random.below(8); left > 0; left -= 1) {
    put(tree, makePath(random), { mode: random.pick(["100644", "100644", "100755"]), sha: await blob() });
  }
};

const editFiles: Change = async (tree, { random, blob }) => {
  for (let left = 1 + random.below(4); left > 0; left -= 1) {
    const path = pickPath(tree, random);
    if (path !== null) tree.set(path, { mode: "100644", sha: await blob() });
  }
};

const deleteFiles: Change = async (tree, { random }) => {
  const share = tree.size > MANY_FILES ? 0.6 : random.pick([0.02, 0.1]);
  for (const path of [...tree.keys()]) if (random.chance(share)) tree.delete(path);
};

/** A whole directory under another name, maybe inside itself; by chance a copy. */
const moveDirectory: Change = async (tree, { random }) => {
  const from = pickDirectory(tree, random);
  if (from === null) return;
  const to = random.chance(0.2)
    ? joinPath(from, "inside")
    : joinPath(makeDirectory(random), `moved-${random.below(20)}`);
  const entries = below(tree, from);
  if (random.chance(0.6)) for (const [path] of entries) tree.delete(path);
  for (const [path, entry] of entries) {
    const moved = to + path.slice(from.length);
    if (moved.length < 4_000) put(tree, moved, entry);
  }
};

const swapFileAndDirectory: Change = async (tree, { random, blob }) => {
  const directory = pickDirectory(tree, random);
  const path = pickPath(tree, random);
  if (random.chance(0.5) && directory !== null) put(tree, directory, { mode: "100644", sha: await blob() });
  else if (path !== null) put(tree, `${path}/inside.ts`, { mode: "100644", sha: await blob() });
};

/** Links to nowhere and outside; by chance the same blob is a text, too. */
const addLinks: Change = async (tree, { random, text }) => {
  const sha = await text(
    random.pick([...OUTSIDE, pickPath(tree, random) ?? "x"].filter((target) => target !== "")),
  );
  put(tree, makePath(random), { mode: "120000", sha });
  if (random.chance(0.5)) put(tree, makePath(random), { mode: "100644", sha });
};

const addSubmodule: Change = async (tree, { random }) => {
  const sha = createHash("sha1")
    .update(String(random.below(1_000)))
    .digest("hex");
  put(tree, makePath(random), { mode: "160000", sha });
};

const changeMode: Change = async (tree, { random }) => {
  const path = pickPath(tree, random);
  const entry = path === null ? undefined : tree.get(path);
  if (path === null || !entry || entry.mode === "160000") return;
  tree.set(path, { ...entry, mode: random.pick(["100644", "100755", "120000"]) });
};

const repeatBlob: Change = async (tree, { random }) => {
  const path = pickPath(tree, random);
  const entry = path === null ? undefined : tree.get(path);
  if (path === null || !entry) return;
  for (let left = 1 + random.below(5); left > 0; left -= 1) put(tree, withExtension(path, random), entry);
};

const changeAttributes: Change = async (tree, { random, text }) => {
  const directory = random.chance(0.5) ? "" : (pickDirectory(tree, random) ?? "");
  const path = joinPath(directory, ".gitattributes");
  if (random.chance(0.25)) tree.delete(path);
  else put(tree, path, { mode: "100644", sha: await text(makeAttributes(random, [...tree.keys()])) });
};

const deleteAll: Change = async (tree) => tree.clear();

const CHANGES: [weight: number, change: Change][] = [
  [6, addFiles],
  [4, editFiles],
  [2, deleteFiles],
  [2, moveDirectory],
  [2, swapFileAndDirectory],
  [2, addLinks],
  [1, addSubmodule],
  [2, changeMode],
  [2, repeatBlob],
  [4, changeAttributes],
  [1, deleteAll],
];
const DRAWN = CHANGES.flatMap(([weight, change]) => Array.from({ length: weight }, () => change));

/** Begins a history with one commit of some files. It ends with the test. */
export async function createHistory(random: Random): Promise<History> {
  const git = await createRepository({ bare: true });
  const expected = new Map<string, Expected>();
  const commits: { sha: string; tree: Tree }[] = [];
  let head: { sha: string; tree: Tree } = { sha: "0".repeat(40), tree: new Map() };
  let steps = 0;

  const workshop: Workshop = {
    random,
    async blob() {
      const { bytes, expected: says } = makeContent(random);
      const sha = await git.git("hash-object", "-w", "--stdin", { input: bytes });
      expected.set(sha, says);
      return sha;
    },
    // A link may hold a name that is not UTF-8: what such a text is taken for is not for us to say.
    text: (latin1) => git.git("hash-object", "-w", "--stdin", { input: Buffer.from(latin1, "latin1") }),
  };

  async function commit(tree: Tree, parents: string[]): Promise<void> {
    const lines = [...tree].map(([path, { mode, sha }]) =>
      Buffer.from(`${mode} ${sha}\t${path}\0`, "latin1"),
    );
    await git.git("read-tree", "--empty");
    await git.git("-c", "core.protectNTFS=false", "update-index", "-z", "--index-info", {
      input: Buffer.concat(lines),
    });
    const written = await git.git("write-tree", "--missing-ok");
    const from = parents.flatMap((parent) => ["-p", parent]);
    head = { sha: await git.git("commit-tree", written, ...from, "-m", `step ${steps}`), tree };
    commits.push(head);
  }

  /** Where the branch goes next; true when that is no descendant of where it was. */
  async function move(): Promise<boolean> {
    const draw = random.below(100);
    if (steps > 3 && draw < 8) {
      head = random.pick(commits);
      return true;
    }
    if (steps > 3 && draw < 14)
      await commit(new Map(random.pick(commits).tree), [head.sha]); // everything returns
    else if (steps > 3 && draw < 17) {
      await commit(await changed(new Map(random.chance(0.5) ? head.tree : [])), []); // shares no commit with before
      return true;
    } else await commit(await changed(new Map(head.tree)), steps === 1 ? [] : [head.sha]);
    return false;
  }

  async function changed(tree: Tree): Promise<Tree> {
    if (steps === 1) for (let left = 5; left > 0; left -= 1) await addFiles(tree, workshop);
    for (let left = 1 + random.below(3); left > 0; left -= 1) await random.pick(DRAWN)(tree, workshop);
    if (tree.size > MANY_FILES) await deleteFiles(tree, workshop);
    return tree;
  }

  async function advance(go: () => Promise<boolean>): Promise<Pushed> {
    steps += 1;
    const before = head.sha;
    const forced = await go();
    await git.git("update-ref", "refs/heads/main", head.sha);
    return { before, after: head.sha, forced };
  }

  const step = () => advance(move);
  const finish = () =>
    advance(async () => {
      const { tree } = commits.reduce((a, b) => (b.tree.size > a.tree.size ? b : a));
      await commit(new Map(tree), [head.sha]);
      return false;
    });

  await step();
  return { git, expected, step, finish };
}
