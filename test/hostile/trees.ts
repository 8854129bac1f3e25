import { hash } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { deflateSync } from "node:zlib";
import type { Fault } from "../simulator/faults.ts";
import type { TestRepository } from "../support/git.ts";

export interface HostileTree {
  name: string;
  /** Writes the tree's objects and answers the root's SHA; an ordinary tree unless told. */
  build?: (forge: Forge) => Promise<string>;
  faults?: Fault[];
  ends: string;
}

type Entry = [mode: string, name: string | Buffer, sha: string];

/** Writes objects as they are told, however odd: nothing looks at them. */
export interface Forge {
  blob(content: string): Promise<string>;
  tree(entries: Entry[]): Promise<string>;
}

/** Writes into a bare repository by hand: git would refuse some trees, and take a process for each. */
export function createForge(git: TestRepository): Forge {
  async function write(type: string, content: Buffer): Promise<string> {
    const object = Buffer.concat([Buffer.from(`${type} ${content.length}\0`), content]);
    const sha = hash("sha1", object, "hex");
    const folder = path.join(git.dir, "objects", sha.slice(0, 2));
    await mkdir(folder, { recursive: true });
    await writeFile(path.join(folder, sha.slice(2)), deflateSync(object));
    return sha;
  }
  const line = ([mode, name, sha]: Entry) => [
    Buffer.from(`${mode} `),
    Buffer.from(name as string),
    Buffer.from("\0"),
    Buffer.from(sha, "hex"),
  ];
  return {
    blob: (content) => write("blob", Buffer.from(content)),
    tree: (entries) => write("tree", Buffer.concat(entries.flatMap(line))),
  };
}

const GONE = "d".repeat(40);

/** A file of that name beside an ordinary one; names sort as they come. */
const named =
  (...names: (string | Buffer)[]) =>
  async ({ blob, tree }: Forge) => {
    const sha = await blob("text\n");
    return await tree(names.map((name) => ["100644", name, sha]));
  };

/** What git calls the tree of `ordinary`. */
const ORDINARY_TREE = "c2daa5be1e28bc1bca9f595f0471c39598232e72";

export async function ordinary({ blob, tree }: Forge): Promise<string> {
  const inner = await tree([["100644", "c.txt", await blob("c\n")]]);
  return await tree([
    ["100644", "a.txt", await blob("a\n")],
    ["40000", "b", inner],
  ]);
}

/** Directories of one name within each other, around one file. */
const nested =
  (name: string, levels: number) =>
  async ({ blob, tree }: Forge) => {
    let sha = await tree([["100644", "bottom.txt", await blob("bottom\n")]]);
    for (let level = 0; level < levels; level += 1) sha = await tree([["40000", name, sha]]);
    return sha;
  };

/** Ten entries of one object, ten times over: ten objects that stand for 10^levels files. */
const bomb =
  (levels: number) =>
  async ({ blob, tree }: Forge) => {
    const text = await blob("boom\n");
    let sha = await tree(Array.from({ length: 10 }, (_, i) => ["100644", `f${i}`, text]));
    for (let level = 1; level < levels; level += 1) {
      const inner = sha;
      sha = await tree(Array.from({ length: 10 }, (_, i) => ["40000", `d${i}`, inner]));
    }
    return sha;
  };

interface Listed {
  path: string;
  mode: string;
  type: string;
  sha: string;
  size?: number;
}

const TREES: Pick<Fault, "route"> = { route: "/repos/{owner}/{repo}/git/trees/{tree_sha}" };
const GRAPHQL: Pick<Fault, "route"> = { route: "/graphql" };
const BLOBS: Pick<Fault, "route"> = { route: "/repos/{owner}/{repo}/git/blobs/{file_sha}" };

/** Spoils each answer that lists files. */
function listed(change: (tree: Listed[]) => unknown, truncated?: boolean): Fault {
  return {
    ...TREES,
    mutate: (body) => {
      const answer = JSON.parse(body.toString());
      const tree = change(answer.tree) ?? answer.tree;
      return Buffer.from(JSON.stringify({ ...answer, tree, truncated: truncated ?? answer.truncated }));
    },
  };
}

/** Spoils the first entry of each answer. */
const firstIs = (change: Partial<Record<keyof Listed, unknown>>) =>
  listed(([first, ...rest]) => [{ ...first, ...change }, ...rest]);

/** An answer in place of each list of files. */
const answered = (body: unknown, headers?: Record<string, string>): Fault => ({
  ...TREES,
  status: 200,
  body,
  ...(headers && { headers }),
});

/** Spoils each answer of GraphQL about trees, as far as its root is there. */
function rawListed(change: (entries: { name: string }[]) => unknown): Fault {
  return {
    ...GRAPHQL,
    match: ({ body }) => JSON.stringify(body).includes("nameRaw"),
    mutate: (body) => {
      const answer = JSON.parse(body.toString());
      for (const [alias, object] of Object.entries<{ entries: { name: string }[] }>(answer.data.repository)) {
        answer.data.repository[alias] = change(object.entries);
      }
      return Buffer.from(JSON.stringify(answer));
    },
  };
}

/** Spoils each blob of GraphQL's. */
const texts = (change: object | null): Fault => ({
  ...GRAPHQL,
  mutate: (body) => {
    const answer = JSON.parse(body.toString());
    const { repository } = answer.data;
    for (const alias of Object.keys(repository)) {
      repository[alias] = change && { ...repository[alias], ...change };
    }
    return Buffer.from(JSON.stringify(answer));
  },
});

const ODD = (path: string, what = "a name that leads elsewhere") =>
  `failed: The commit's tree is damaged at ${JSON.stringify(path)}: ${what}. Run git fsck on it. (odd_tree)`;
const UNREADABLE = (what: string) =>
  `tried again: GitHub's list of files could not be read: ${what}. (bad_listing)`;
const TOO_LARGE = (what: string) =>
  `failed: The commit's tree is too large to index: ${what}. (tree_too_large)`;
const TOO_MANY = TOO_LARGE("it has more than 20,000 files and directories (MAX_REPOSITORY_FILES)");
const SERVER_ERROR = "waits: GitHub answered 500 when asked to list the files. (github_error)";
const UNVERIFIED = (path: string) => `indexed as git lists it, unverified at ${JSON.stringify(path)}`;

const NAMES: HostileTree[] = [
  { name: "has a name ..", build: named(".."), ends: ODD("..") },
  { name: "has a name .", build: named("."), ends: ODD(".") },
  { name: "has an empty name", build: named("", "a"), ends: ODD("") },
  {
    name: "has a directory ..",
    build: async (forge) => forge.tree([["40000", "..", await ordinary(forge)]]),
    ends: ODD(".."),
  },
  {
    name: "has a name that leads out by its slashes",
    build: named("../../etc/passwd"),
    ends: ODD("../../etc/passwd", "a name with a slash"),
  },
  { name: "has a name with a slash", build: named("a/b", "c"), ends: ODD("a/b", "a name with a slash") },
  { name: "has a name twice", build: named("a", "a"), ends: ODD("a", "two entries of one name") },
  {
    name: "has a file and a directory of one name",
    build: async (forge) =>
      forge.tree([
        ["100644", "x", await forge.blob("x")],
        ["40000", "x", await ordinary(forge)],
      ]),
    ends: ODD("x", "two entries of one name"),
  },
  { name: "has its names in another order", build: named("b", "a"), ends: UNVERIFIED("") },
  { name: "has names of git's own", build: named(".GIT", ".git", ".gitmodules", "git~1"), ends: "indexed" },
  {
    name: "has names of any bytes",
    build: named(
      Buffer.from([0x01]),
      "\t",
      "\n",
      " ",
      '"',
      "\\",
      "a\u007f",
      "e\u0301",
      "\u00e9",
      "\ufffd",
      Buffer.from([0xff]),
      Buffer.from([0xff, 0xfe]),
    ),
    ends: "indexed",
  },
  { name: "has names that differ in case alone", build: named("FILE", "File", "file"), ends: "indexed" },
  {
    name: "has names of half a surrogate",
    build: named(Buffer.from([0xed, 0xa0, 0x80]), Buffer.from([0xed, 0xbf, 0xbf])),
    ends: "indexed",
  },
  { name: "has a name of 200,000 dots", build: named(".".repeat(200_000)), ends: "indexed" },
  { name: "has a path of 10,000 bytes", build: nested("n".repeat(250), 40), ends: "indexed" },
];

const SHAPES: HostileTree[] = [
  { name: "is the tree of nothing", build: ({ tree }) => tree([]), ends: "indexed" },
  {
    name: "is the tree of nothing, which GitHub has not",
    build: ({ tree }) => tree([]),
    faults: [{ ...TREES, status: 404 }],
    ends: "indexed",
  },
  {
    name: "has an empty directory, which GitHub has not",
    build: async ({ blob, tree }) =>
      tree([
        ["100644", "a", await blob("a")],
        ["40000", "empty", await tree([])],
      ]),
    faults: [rawListed((entries) => entries.length > 0 && { entries })],
    ends: UNVERIFIED("empty"),
  },
  {
    name: "has an empty directory",
    build: async ({ blob, tree }) =>
      tree([
        ["100644", "a", await blob("a")],
        ["40000", "empty", await tree([])],
      ]),
    ends: UNVERIFIED("empty"),
  },
  {
    name: "has modes that git does not make",
    build: async ({ blob, tree }) =>
      tree([
        ["100664", "a", await blob("a")],
        ["100777", "b", await blob("b")],
      ]),
    ends: "indexed with the tree's own modes",
  },
  {
    name: "has a mode with a zero in front",
    build: async (forge) => forge.tree([["040000", "d", await ordinary(forge)]]),
    ends: UNVERIFIED(""),
  },
  {
    name: "calls a file a directory",
    build: async ({ blob, tree }) => tree([["40000", "d", await blob("no tree")]]),
    ends: SERVER_ERROR,
  },
  {
    name: "calls a directory a file",
    build: async (forge) => forge.tree([["100644", "f", await ordinary(forge)]]),
    ends: "indexed; f: GitHub does not have this file's content.",
  },
  {
    name: "lacks the objects of a directory",
    build: async ({ tree }) => tree([["40000", "d", GONE]]),
    ends: SERVER_ERROR,
  },
  {
    name: "lacks the objects of a file",
    build: async ({ blob, tree }) =>
      tree([
        ["100644", "a", await blob("a")],
        ["100644", "gone", GONE],
      ]),
    ends: "indexed; gone: GitHub does not have this file's content.",
  },
  { name: "is 1,500 directories deep", build: nested("d", 1_500), ends: "indexed" },
  {
    name: "is 5,000 directories deep",
    build: nested("d", 5_000),
    ends: TOO_LARGE("directories lie more than 2048 deep"),
  },
  { name: "stands for 10 billion files", build: bomb(10), ends: TOO_MANY },
  {
    name: "stands for 10 billion files, in an answer that leaves them out",
    build: bomb(10),
    faults: [answered({ tree: [], truncated: false })],
    ends: TOO_MANY,
  },
  {
    name: "has one directory 5,000 times",
    build: async (forge) => {
      const inner = await ordinary(forge);
      return await forge.tree(Array.from({ length: 5_000 }, (_, i) => ["40000", `d${10_000 + i}`, inner]));
    },
    ends: "indexed",
  },
];

const ANSWERS: HostileTree[] = [
  {
    name: "is told of with a file that is not there",
    faults: [listed((tree) => [...tree, { path: "zzz", mode: "100644", type: "blob", sha: GONE, size: 1 }])],
    ends: "indexed",
  },
  { name: "is told of with a file left out", faults: [listed((tree) => tree.slice(1))], ends: "indexed" },
  { name: "is told of with another file's SHA", faults: [firstIs({ sha: GONE })], ends: "indexed" },
  { name: "is told of with an entry twice", faults: [listed((tree) => [...tree, ...tree])], ends: "indexed" },
  {
    name: "is told of with a path that leads out of it",
    faults: [firstIs({ path: "../../etc/passwd" })],
    ends: "indexed",
  },
  { name: "is told of with an absolute path", faults: [firstIs({ path: "/etc/passwd" })], ends: "indexed" },
  { name: "is told of with a NUL in a path", faults: [firstIs({ path: "a\0b" })], ends: "indexed" },
  { name: "is told of with another mode", faults: [firstIs({ mode: "100755" })], ends: "indexed" },
  {
    name: "is told of with a directory's mode for a file",
    faults: [firstIs({ mode: "040000" })],
    ends: "indexed",
  },
  { name: "is told of with files called trees", faults: [firstIs({ type: "tree" })], ends: "indexed" },
  { name: "is told of with other sizes", faults: [firstIs({ size: 1_000_000 })], ends: "indexed" },
  { name: "is always said to be cut short", faults: [listed((tree) => tree, true)], ends: "indexed" },
  {
    name: "is cut short where it should not be",
    faults: [listed((tree) => tree.slice(0, 1), true)],
    ends: "indexed",
  },
  {
    name: "is told of wrongly twice over",
    faults: [listed((tree) => tree.slice(1)), rawListed((entries) => ({ entries: entries.slice(1) }))],
    ends: 'indexed otherwise than git lists it, unverified at ""',
  },
  {
    name: "is said to lie within itself",
    faults: [
      {
        ...TREES,
        mutate: (body) => {
          const { sha } = JSON.parse(body.toString());
          return Buffer.from(
            JSON.stringify({
              sha,
              tree: [{ path: "loop", mode: "040000", type: "tree", sha }],
              truncated: true,
            }),
          );
        },
      },
    ],
    ends: "indexed",
  },
  {
    name: "is said to hold itself, by GraphQL too",
    faults: [
      answered({ tree: [], truncated: false }),
      rawListed(([entry]) => ({ entries: [{ ...entry, mode: 0o40000, oid: ORDINARY_TREE }] })),
    ],
    ends: UNREADABLE("a directory lies within itself"),
  },
  {
    name: "is said to hold a directory that is missing",
    faults: [
      answered({ tree: [], truncated: false }),
      {
        ...GRAPHQL,
        mutate: (body) =>
          Buffer.from(
            body
              .toString()
              .replace(/"oid":"[0-9a-f]{40}"/g, `"oid":"${GONE}"`)
              .replaceAll('"mode":33188', '"mode":16384'),
          ),
        match: ({ body }) => JSON.stringify(body).includes("nameRaw"),
      },
    ],
    ends: UNREADABLE("a directory is missing"),
  },
  {
    name: "is told of with a type of nothing",
    faults: [firstIs({ type: "banana" })],
    ends: UNREADABLE('a type is none at "a.txt"'),
  },
  {
    name: "is told of with a negative size",
    faults: [firstIs({ size: -1 })],
    ends: UNREADABLE('a size is none at "a.txt"'),
  },
  {
    name: "is told of with half a byte",
    faults: [firstIs({ size: 0.5 })],
    ends: UNREADABLE('a size is none at "a.txt"'),
  },
  {
    name: "is told of with a file of 8 EB",
    faults: [firstIs({ size: 2 ** 63 })],
    ends: UNREADABLE('a size is none at "a.txt"'),
  },
  {
    name: "is told of with a SHA in capitals",
    faults: [firstIs({ sha: "D".repeat(40) })],
    ends: UNREADABLE('a SHA is none at "a.txt"'),
  },
  {
    name: "is told of with a SHA that ends a query",
    faults: [firstIs({ sha: '") { id } }' })],
    ends: UNREADABLE('a SHA is none at "a.txt"'),
  },
  {
    name: "is told of with a mode in letters",
    faults: [firstIs({ mode: "rw-r--" })],
    ends: UNREADABLE('a mode is none at "a.txt"'),
  },
  { name: "is told of without paths", faults: [firstIs({ path: 7 })], ends: UNREADABLE("a path is missing") },
  {
    name: "is told of with nothing in it",
    faults: [listed((tree) => [null, ...tree])],
    ends: UNREADABLE("a path is missing"),
  },
  {
    name: "is told of by a web page",
    faults: [answered("<html>Sign in</html>", { "content-type": "text/html" })],
    ends: UNREADABLE("it is not a list"),
  },
  {
    name: "is told of by half an answer",
    faults: [answered('{"tree":[', { "content-type": "application/json" })],
    ends: UNREADABLE("it is not a list"),
  },
  { name: "is told of by null", faults: [answered(null)], ends: UNREADABLE("it is not a list") },
  {
    name: "is told of by an answer that breaks off",
    faults: [{ ...TREES, cutAfterBytes: 40 }],
    ends: "waits: GitHub could not be reached to list the files. (github_unreachable)",
  },
  {
    name: "is told of by 70 MB",
    faults: [{ ...TREES, mutate: () => Buffer.alloc(70 * 1024 ** 2, " ") }],
    ends: "tried again: GitHub's answer is larger than 64 MiB, more than it ever sends. (answer_too_large)",
  },
  {
    name: "is not told of by GraphQL when it must",
    faults: [answered({ tree: [], truncated: false }), rawListed(() => null)],
    ends: UNREADABLE("a directory is missing"),
  },
  {
    name: "is told of by GraphQL with a name that is none",
    faults: [answered({ tree: [], truncated: false }), rawListed(() => ({ entries: [{ nameRaw: null }] }))],
    ends: UNREADABLE("a name is missing"),
  },
  {
    name: "is of a head that is no commit",
    faults: [{ route: "/repos/{owner}/{repo}/git/ref/{ref}", status: 200, body: [] }],
    ends: "tried again: What GitHub says of the newest commit could not be read. (bad_answer)",
  },
  {
    name: "is of a repository told of by a web page",
    faults: [{ route: "/repos/{owner}/{repo}", status: 200, body: "<html>" }],
    ends: "tried again: What GitHub says of the repository could not be read. (bad_answer)",
  },
];

const CONTENTS: HostileTree[] = [
  {
    name: "has files that GitHub has not",
    faults: [texts(null), { ...BLOBS, status: 404 }],
    ends: "indexed; a.txt: GitHub does not have this file's content.; b/c.txt: GitHub does not have this file's content.",
  },
  {
    name: "has files that come with other bytes",
    faults: [texts({ text: "evil\n" }), { ...BLOBS, mutate: () => Buffer.from("evil\n") }],
    ends: "indexed; a.txt: GitHub delivered bytes that do not hash to the file's SHA.; b/c.txt: GitHub delivered bytes that do not hash to the file's SHA.",
  },
  { name: "has files that GraphQL gives none of", faults: [texts(null)], ends: "indexed" },
  {
    name: "has files that GraphQL gives other text of",
    faults: [texts({ text: "evil\n" })],
    ends: "indexed",
  },
  {
    name: "has files that GraphQL says it gave whole",
    faults: [texts({ text: "", isTruncated: false })],
    ends: "indexed",
  },
  { name: "has files that GraphQL calls binary", faults: [texts({ isBinary: true })], ends: "indexed" },
  { name: "has files whose text is a number", faults: [texts({ text: 7 })], ends: "indexed" },
  {
    name: "has a file of 120 MB that says it is small",
    faults: [texts(null), { ...BLOBS, mutate: () => Buffer.alloc(120 * 1024 ** 2) }],
    ends: "tried again: GitHub's answer is larger than 101 MiB, more than it ever sends. (answer_too_large)",
  },
];

/** Each name completes "a tree that …". */
export const HOSTILE_TREES: HostileTree[] = [...NAMES, ...SHAPES, ...ANSWERS, ...CONTENTS];
