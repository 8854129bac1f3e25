import { once } from "node:events";
import { Readable } from "node:stream";
import { gzipSync } from "node:zlib";
import { pack } from "tar-stream";
import { describe, expect, test } from "vitest";
import {
  readTarball,
  TarballDamaged,
  TarballTooLarge,
  TarballTruncated,
  TarballUnsafe,
} from "../../src/github/tarball.ts";

const limits = { maxRepositoryBytes: 1_000_000, maxFileBytes: 100_000 };
type Entry = {
  name: string;
  content?: Buffer | string;
  type?: "file" | "directory" | "symlink";
  pax?: Record<string, string>;
};

async function tarOf(entries: Entry[]): Promise<Buffer> {
  const tar = pack();
  const pieces: Buffer[] = [];
  tar.on("data", (piece) => pieces.push(piece as Buffer));
  for (const { name, content = "", type = "file", pax } of entries) {
    tar.entry(
      { name, type, ...(pax && { pax }), ...(type === "symlink" && { linkname: "x" }) } as never,
      content as string,
    );
  }
  tar.finalize();
  await once(tar, "end");
  return Buffer.concat(pieces);
}

function bodyOf(bytes: Buffer, pieceBytes = 700): ReadableStream<Uint8Array> {
  const pieces = Array.from({ length: Math.ceil(bytes.length / pieceBytes) }, (_, i) =>
    bytes.subarray(i * pieceBytes, (i + 1) * pieceBytes),
  );
  return Readable.toWeb(Readable.from(pieces, { objectMode: false })) as ReadableStream<Uint8Array>;
}

async function read(
  bytes: Buffer,
  options: Partial<Parameters<typeof readTarball>[1]> = {},
): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  const signal = new AbortController().signal;
  for await (const { path, content } of readTarball(bodyOf(bytes), {
    limits,
    signal,
    wanted: () => true,
    ...options,
  })) {
    files.set(path.toString("latin1"), content.toString("latin1"));
  }
  return files;
}

describe("readTarball", () => {
  test("yields the files below the top folder, and nothing else", async () => {
    const tar = await tarOf([
      { name: "top/", type: "directory" },
      { name: "top/a.txt", content: "A" },
      { name: "top/empty" },
      { name: "top/link", type: "symlink" },
      { name: "top/deep/down/b.bin", content: Buffer.from([1, 2, 0, 255]) },
    ]);

    expect([...(await read(gzipSync(tar)))]).toEqual([
      ["a.txt", "A"],
      ["empty", ""],
      ["deep/down/b.bin", "\x01\x02\x00\xff"],
    ]);
  });

  test("passes over what is not wanted and what is too large", async () => {
    const tar = await tarOf([
      { name: "t/no", content: "x" },
      { name: "t/large", content: "x".repeat(100_001) },
      { name: "t/yes", content: "y" },
    ]);

    expect([...(await read(gzipSync(tar), { wanted: (path) => path.toString() !== "no" })).keys()]).toEqual([
      "yes",
    ]);
  });

  test("keeps names of other encodings byte by byte, and reads long ones from their pax header", async () => {
    const long = `t/${"ü".repeat(120)}`;
    const tar = await tarOf([{ name: long, content: "1" }]);

    expect([...(await read(gzipSync(tar))).keys()]).toEqual([Buffer.from(long.slice(2)).toString("latin1")]);
  });

  test.each(["t/../../etc/passwd", "/etc/passwd", "t/a/.."])(
    "refuses %s, which leads out of the archive",
    async (name) => {
      const tar = await tarOf([{ name: "t/x", content: "x", pax: { path: name } }]);

      await expect(read(gzipSync(tar))).rejects.toThrow(TarballUnsafe);
    },
  );

  test("calls an archive that ends early truncated, wherever it was cut", async () => {
    const whole = gzipSync(
      await tarOf([
        { name: "t/a", content: Buffer.from(Array.from({ length: 50_000 }, (_, i) => (i * 7919) % 251)) },
      ]),
    );

    for (const end of [5, 30, Math.floor(whole.length / 2), whole.length - 1]) {
      await expect(read(whole.subarray(0, end))).rejects.toThrow(TarballTruncated);
    }
  });

  test("calls a tar that ends within a file truncated", async () => {
    const tar = await tarOf([{ name: "t/a", content: "x".repeat(5_000) }]);

    await expect(read(gzipSync(tar.subarray(0, 3_000)))).rejects.toThrow(TarballTruncated);
  });

  test("says that bytes which are no gzip are damaged", async () => {
    await expect(read(Buffer.from("<html>not an archive</html>"))).rejects.toThrow(TarballDamaged);
  });

  test("says that a gzip of something else is damaged", async () => {
    await expect(read(gzipSync(Buffer.alloc(2_048, "x")))).rejects.toThrow(TarballDamaged);
  });

  test("stops at a bomb before it is inflated whole", async () => {
    const beginning = gzipSync((await tarOf([{ name: "t/zeros", content: "" }])).subarray(0, 512));
    const zeros = gzipSync(Buffer.alloc(64 * 1024 * 1024)); // a gzip may have several members
    const bomb = Buffer.concat([beginning, ...Array.from({ length: 17 }, () => zeros)]);

    await expect(read(bomb)).rejects.toThrow(TarballTooLarge);
  });

  test("stops when told to", async () => {
    const stop = new AbortController();
    const whole = gzipSync(
      await tarOf([
        { name: "t/a", content: "1" },
        { name: "t/b", content: "2" },
      ]),
    );

    const reading = (async () => {
      for await (const _ of readTarball(bodyOf(whole, 10), {
        limits,
        signal: stop.signal,
        wanted: () => true,
      })) {
        stop.abort(new Error("told to stop"));
      }
    })();

    await expect(reading).rejects.toThrow("told to stop");
  });
});
