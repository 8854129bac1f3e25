import { gzipSync } from "node:zlib";
import type { Fault } from "../simulator/faults.ts";
import { base256, END, entry, header, pax } from "./tar.ts";

/** So many files that the app asks for the archive. */
export const FILES: Record<string, string> = Object.fromEntries([
  ...Array.from({ length: 30 }, (_, i) => [`src/file-${i}.txt`, `The content of file ${i}.\n`]),
  ["a", "one letter\n"],
  ["README.md", "# Hostile\n"],
]);

export interface HostileArchive {
  name: string;
  archive?: Buffer;
  faults?: Fault[];
  ends: string;
}

const ARCHIVE: Pick<Fault, "route"> = { route: "tarball" };
const REDIRECT: Pick<Fault, "route"> = { route: "/repos/{owner}/{repo}/tarball/{ref}" };
const MIB = 1024 ** 2;

const TRUNCATED = broken("it ended in the middle.", "tried again");
const CHECKSUM = broken("a header does not match its checksum.", "tried again");
const NO_GZIP = broken("its bytes are no gzip, or damaged.", "tried again");
const NO_ARCHIVE = "tried again: GitHub offered no archive of the commit. (no_archive)";

function broken(why: string, then: "tried again" | "failed"): string {
  return `${then}: The archive from GitHub could not be read: ${why} (bad_archive)`;
}

function outside(name: string): string {
  return broken(`it names ${JSON.stringify(name)}, a path outside of it.`, "failed");
}

/** The entries as git would archive them below a top folder. */
function honest(top = "top", files = FILES): Buffer[] {
  return Object.entries(files).map(([name, content]) => entry(`${top}/${name}`, content));
}

/** A gzipped tar of these entries, before the honest ones. */
function first(...entries: Buffer[]): Buffer {
  return gzipSync(Buffer.concat([...entries, ...honest(), END]));
}

const HONEST = gzipSync(Buffer.concat([...honest(), END]));

/** `count` entries that take nearly nothing when packed. */
function repeated(block: Buffer, count: number): Buffer {
  const member = gzipSync(Buffer.concat(Array.from({ length: 10_000 }, () => block)));
  return Buffer.concat(Array.from({ length: count / 10_000 }, () => member));
}

const NAMES: HostileArchive[] = [
  {
    name: "leads out of it by ..",
    archive: first(entry("top/../../etc/passwd", "x")),
    ends: outside("top/../../etc/passwd"),
  },
  { name: "ends in ..", archive: first(entry("top/a/..", "x")), ends: outside("top/a/..") },
  {
    name: "leads out of it by a prefix",
    archive: first(entry("passwd", "x", { prefix: "../etc" })),
    ends: outside("../etc/passwd"),
  },
  { name: "names an absolute path", archive: first(entry("/etc/passwd", "x")), ends: outside("/etc/passwd") },
  {
    name: "leads out by a pax path",
    archive: first(pax({ path: "top/../../x" }), entry("top/a", "x")),
    ends: outside("top/../../x"),
  },
  {
    name: "leads out by GNU's long name",
    archive: first(entry("l", "../x\0", { type: "L" }), entry("top/a", "x")),
    ends: outside("../x"),
  },
  {
    name: "has a NUL in a pax path",
    archive: first(pax({ path: "top/a\0b" }), entry("top/a", "x")),
    ends: outside("top/a\0b"),
  },
  {
    name: "leads out by a name of a megabyte, all slashes",
    archive: first(pax({ path: `/${"/".repeat(900_000)}..` }), entry("top/a", "x")),
    ends: outside(`${"/".repeat(120)}…`),
  },
  {
    name: "has backslashes, which are letters to git",
    archive: first(entry("top\\..\\..\\x", "x"), entry("top/..\\x", "x")),
    ends: "indexed",
  },
  { name: "has a NUL that cuts a name short", archive: first(entry("top/a\0.txt", "x")), ends: "indexed" },
  {
    name: "has entries without a name, and dots",
    archive: first(entry("", "x"), entry(".", "x"), entry("./", "x"), entry("top/./a", "x")),
    ends: "indexed",
  },
  {
    name: "has two top folders",
    archive: gzipSync(Buffer.concat([...honest("one"), ...honest("two"), END])),
    ends: "indexed",
  },
  {
    name: "has no top folder",
    archive: gzipSync(
      Buffer.concat([...honest("."), ...Object.entries(FILES).map(([n, c]) => entry(n, c)), END]),
    ),
    ends: "indexed",
  },
  {
    name: "has nothing but names without a folder",
    archive: gzipSync(Buffer.concat([entry("a", "x"), entry("b", "y"), END])),
    ends: "indexed",
  },
  {
    name: "has a pax path that is not UTF-8",
    archive: first(pax({ path: Buffer.from([0x74, 0x2f, 0xff, 0xfe]) }), entry("top/a", "x")),
    ends: "indexed",
  },
  {
    name: "has an empty pax path",
    archive: first(pax({ path: "" }), entry("top/a", FILES.a)),
    ends: "indexed",
  },
];

const CONTENTS: HostileArchive[] = [
  {
    name: "has a file where the tree has a directory, and the reverse",
    archive: first(entry("top/src", "x"), entry("top/a/b", "x")),
    ends: "indexed",
  },
  {
    name: "has a path twice, first with other bytes",
    archive: first(entry("top/a", "evil")),
    ends: "indexed",
  },
  {
    name: "has a path twice, then with other bytes",
    archive: gzipSync(Buffer.concat([...honest(), entry("top/a", "evil"), END])),
    ends: "indexed",
  },
  {
    name: "has other bytes under each name",
    archive: gzipSync(
      Buffer.concat([...honest("top", Object.fromEntries(Object.keys(FILES).map((n) => [n, "evil"]))), END]),
    ),
    ends: "indexed",
  },
  {
    name: "has one file's content under another's name",
    archive: gzipSync(
      Buffer.concat([entry("top/a", FILES["README.md"]), entry("top/README.md", FILES.a), END]),
    ),
    ends: "indexed",
  },
  {
    name: "leaves all files out",
    archive: gzipSync(Buffer.concat([entry("top/", "", { type: "5" }), END])),
    ends: "indexed",
  },
  {
    name: "has files that the tree has not",
    archive: first(entry("top/extra", "x".repeat(5_000)), entry("top/src/extra", "x")),
    ends: "indexed",
  },
  {
    name: "has links out of it and in a circle",
    archive: first(
      entry("top/a", "", { type: "2", linkname: "/etc/passwd" }),
      entry("top/README.md", "", { type: "1", linkname: "../../etc/passwd" }),
      entry("top/x", "", { type: "2", linkname: "y" }),
      entry("top/y", "", { type: "2", linkname: "x" }),
      pax({ linkpath: "../../../etc/shadow" }),
      entry("top/z", "", { type: "2" }),
      entry("k", `${"../".repeat(200)}\0`, { type: "K" }),
      entry("top/z", "", { type: "2" }),
    ),
    ends: "indexed",
  },
  {
    name: "has devices, pipes and types that nobody knows",
    archive: first(
      ...["3", "4", "6", "V", "M", "D", "Z", "\xff"].map((type) => entry("top/a", "", { type })),
    ),
    ends: "indexed",
  },
  {
    name: "has a directory with content",
    archive: first(entry("top/src/", "content of a directory", { type: "5" })),
    ends: "indexed",
  },
  {
    name: "has a sparse file",
    archive: first(entry("top/a", "x".repeat(700), { type: "S", magic: "ustar  \0" })),
    ends: "indexed",
  },
  {
    name: "is a tar of Unix v7",
    archive: gzipSync(
      Buffer.concat([
        ...Object.entries(FILES).map(([n, c]) => entry(`top/${n}`, c, { magic: "", type: "\0" })),
        END,
      ]),
    ),
    ends: "indexed",
  },
  { name: "names another commit", archive: first(pax({ comment: "f".repeat(40) }, "g")), ends: "indexed" },
  {
    name: "has pax keys that nobody knows, and one named __proto__",
    archive: first(
      pax({ __proto__x: "x", "": "x", "GNU.sparse.major": "1" }),
      entry("top/a", FILES.a),
      pax({ ["__proto__"]: "x" }, "g"),
    ),
    ends: "indexed",
  },
  {
    name: "has pax headers of pax headers",
    archive: first(...Array.from({ length: 5_000 }, () => pax({ path: "top/b" })), entry("top/a", "x")),
    ends: "indexed",
  },
];

/** Those that would take memory or time, if they were let. */
export const BOMBS: HostileArchive[] = [
  {
    name: "has a pax header of 100 MB for all files",
    archive: gzipSync(
      Buffer.concat([
        header({ name: "g", size: 100 * MIB, type: "g" }),
        Buffer.alloc(100 * MIB),
        ...honest(),
        END,
      ]),
    ),
    ends: "indexed",
  },
  {
    name: "has a pax header of 100 MB for one file",
    archive: gzipSync(
      Buffer.concat([header({ name: "x", size: 100 * MIB, type: "x" }), Buffer.alloc(100 * MIB, "a"), END]),
    ),
    ends: broken("a header extension is larger than 1048576 bytes.", "tried again"),
  },
  {
    name: "has a long name of 8 GB",
    archive: first(header({ name: "l", size: 8 * 1024 * MIB - 1, type: "L" })),
    ends: broken("a header extension is larger than 1048576 bytes.", "tried again"),
  },
  {
    name: "has 4 MB of pax keys before each of 100 files",
    archive: gzipSync(
      Buffer.concat([
        manyKeys("g"),
        ...Array.from({ length: 100 }, () => [pax({ path: "top/a" }), entry("top/a", "x")]).flat(),
        ...honest(),
        END,
      ]),
    ),
    ends: "indexed",
  },
  {
    name: "has a pax header that contradicts itself",
    archive: first(entry("x", "99999999 path=top/a\n", { type: "x" })),
    ends: broken("a pax header is malformed.", "tried again"),
  },
  {
    name: "has a pax header of negative lengths",
    archive: first(entry("x", "-5 path=top/a\n", { type: "x" })),
    ends: broken("a pax header is malformed.", "tried again"),
  },
  {
    name: "has a pax size that is none",
    archive: first(pax({ size: "-1" }), entry("top/a", "x")),
    ends: broken("a pax header gives a size that cannot be.", "tried again"),
  },
  {
    name: "has a pax size larger than all that follows",
    archive: first(pax({ size: "900000" }), entry("top/x", "x")),
    ends: TRUNCATED,
  },
  {
    name: "has a pax size that hides the next file",
    archive: first(pax({ size: "600" }), entry("top/x", "x".repeat(10)), entry("top/a", "x".repeat(10))),
    ends: CHECKSUM,
  },
  {
    name: "says 8 EB of a file",
    archive: first(header({ name: "top/a", sizeField: base256(2n ** 63n) })),
    ends: broken("a header gives a size that cannot be.", "tried again"),
  },
  {
    name: "says 4 PB of a file",
    archive: first(header({ name: "top/a", sizeField: base256(2n ** 52n) })),
    ends: TRUNCATED,
  },
  {
    name: "says a negative size",
    archive: first(header({ name: "top/a", sizeField: base256(-512n) })),
    ends: broken("a header gives a size that cannot be.", "tried again"),
  },
  {
    name: "says a size in letters",
    archive: first(header({ name: "top/a", sizeField: Buffer.from("zzzzzzzzzzz ") })),
    ends: broken("a header has letters where a number belongs.", "tried again"),
  },
  {
    name: "holds an empty disk image of 100 MB, as GitHub allows",
    archive: gzipSync(
      Buffer.concat([
        header({ name: "top/disk.img", size: 100 * MIB }),
        Buffer.alloc(100 * MIB),
        ...honest(),
        END,
      ]),
    ),
    ends: "indexed",
  },
  {
    name: "inflates to gigabytes of zeros",
    archive: bomb(),
    ends: broken("it inflates to more than 500 times its size.", "failed"),
  },
  {
    name: "holds 100,000 empty files",
    archive: Buffer.concat([repeated(entry("top/a"), 100_000), HONEST]),
    ends: "indexed",
  },
  {
    name: "holds 100,000 pax headers and no file",
    archive: Buffer.concat([repeated(pax({ path: "top/a" }), 100_000), HONEST]),
    ends: "indexed",
  },
];

/** A file that says 7 GB and holds more than one of zeros, in little more than a megabyte. */
function bomb(): Buffer {
  const zeros = gzipSync(Buffer.alloc(64 * MIB));
  const beginning = gzipSync(header({ name: "top/zeros", size: 7 * 1024 * MIB }));
  return Buffer.concat([beginning, ...Array.from({ length: 20 }, () => zeros)]);
}

function manyKeys(type: string): Buffer {
  return pax(Object.fromEntries(Array.from({ length: 250_000 }, (_, i) => [`key-${i}`, ""])), type);
}

const BYTES: HostileArchive[] = [
  {
    name: "breaks off in a header",
    archive: gzipSync(Buffer.concat(honest()).subarray(0, 1_100)),
    ends: TRUNCATED,
  },
  {
    name: "breaks off in a file",
    archive: gzipSync(Buffer.concat([...honest(), header({ name: "top/z", size: 5_000 })])),
    ends: TRUNCATED,
  },
  { name: "breaks off in gzip's trailer", archive: HONEST.subarray(0, -3), ends: TRUNCATED },
  { name: "breaks off in the stream", archive: HONEST.subarray(0, 200), ends: TRUNCATED },
  { name: "has no end, though all files", archive: gzipSync(Buffer.concat(honest())), ends: "indexed" },
  {
    name: "has a wrong gzip checksum",
    archive: Buffer.concat([HONEST.subarray(0, -8), Buffer.alloc(4), HONEST.subarray(-4)]),
    ends: NO_GZIP,
  },
  {
    name: "has bytes after gzip's end",
    archive: Buffer.concat([HONEST, Buffer.from("and more")]),
    ends: NO_GZIP,
  },
  {
    name: "has entries after the tar's end",
    archive: gzipSync(Buffer.concat([...honest(), END, entry("top/../x", "x")])),
    ends: "indexed",
  },
  {
    name: "is of several gzip members",
    archive: Buffer.concat([...honest(), END].map((piece) => gzipSync(piece))),
    ends: "indexed",
  },
  { name: "is a web page", archive: Buffer.from("<html>Sign in</html>"), ends: NO_GZIP },
  { name: "is a tar without gzip", archive: Buffer.concat([...honest(), END]), ends: NO_GZIP },
  {
    name: "is a gzip of something else",
    archive: gzipSync(Buffer.alloc(4_096, "x")),
    ends: broken("a header has letters where a number belongs.", "tried again"),
  },
  { name: "has no bytes at all", archive: Buffer.alloc(0), ends: TRUNCATED },
  { name: "is a gzip of nothing", archive: gzipSync(""), ends: TRUNCATED },
  { name: "is nothing but zeros", archive: gzipSync(Buffer.alloc(10_240)), ends: TRUNCATED },
  {
    name: "has a wrong checksum in a header",
    archive: first(header({ name: "top/a", checksum: 1 })),
    ends: CHECKSUM,
  },
];

const ANSWERS: HostileArchive[] = [
  { name: "is cut by the network", faults: [{ ...ARCHIVE, cutAfterBytes: 300 }], ends: TRUNCATED },
  {
    name: "calls itself a picture",
    faults: [{ ...ARCHIVE, headers: { "content-type": "image/png" } }],
    ends: "indexed",
  },
  {
    name: "is said to be packed once more",
    faults: [{ ...ARCHIVE, headers: { "content-encoding": "gzip" } }],
    ends: NO_GZIP,
  },
  {
    name: "is an error in JSON, with 200",
    faults: [{ ...ARCHIVE, status: 200, body: { message: "Server Error" } }],
    ends: NO_GZIP,
  },
  {
    name: "is not there",
    faults: [{ ...ARCHIVE, status: 404, body: "404: Not Found" }],
    ends: "tried again: GitHub did not find the files of the commit that it calls the newest. (commit_incomplete)",
  },
  {
    name: "is refused",
    faults: [{ ...ARCHIVE, status: 403, body: "Forbidden" }],
    ends: "failed: GitHub refused to send the archive. Check that the App has the permissions of app.yml, and that the owner has accepted them. (forbidden)",
  },
  {
    name: "is an error",
    faults: [{ ...ARCHIVE, status: 502, body: "<html>" }],
    ends: "waits: GitHub answered 502 when asked to send the archive. (github_error)",
  },
  {
    name: "is at an address of this machine's files",
    faults: [{ ...REDIRECT, status: 302, headers: { location: "file:///etc/passwd" } }],
    ends: NO_ARCHIVE,
  },
  {
    name: "is its own address",
    faults: [
      {
        ...REDIRECT,
        status: 302,
        headers: { location: `data:application/gzip;base64,${HONEST.toString("base64").slice(0, 800)}` },
      },
    ],
    ends: NO_ARCHIVE,
  },
  {
    name: "is at no address",
    faults: [{ ...REDIRECT, status: 302, headers: { location: "http://" } }],
    ends: NO_ARCHIVE,
  },
  {
    name: "is at an address where nobody answers",
    faults: [{ ...REDIRECT, status: 302, headers: { location: "http://127.0.0.1:9/" } }],
    ends: "waits: GitHub could not be reached to send the archive. (github_unreachable)",
  },
  { name: "is nowhere", faults: [{ ...REDIRECT, status: 302, headers: {} }], ends: NO_ARCHIVE },
  {
    name: "leads in a circle",
    faults: [{ ...ARCHIVE, status: 302, headers: { location: "?again" } }],
    ends: "waits: GitHub could not be reached to send the archive. (github_unreachable)",
  },
  {
    name: "is at a relative address that is not there",
    faults: [{ ...REDIRECT, status: 302, headers: { location: "/archives/1" } }],
    ends: "tried again: GitHub did not find the files of the commit that it calls the newest. (commit_incomplete)",
  },
  {
    name: "comes at once, as a web page",
    faults: [{ ...REDIRECT, status: 200, body: "<html>Sign in</html>" }],
    ends: NO_ARCHIVE,
  },
];

/** Each name completes "an archive that …". */
export const HOSTILE_ARCHIVES: HostileArchive[] = [...NAMES, ...CONTENTS, ...BOMBS, ...BYTES, ...ANSWERS];
