import { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { quotePath } from "../scan/manifest.ts";
import type { TarballFile } from "../scan/source.ts";
import { readTar, TarDamaged, TarEnded } from "./tar.ts";

/** What an archive may cost before it is refused. Bytes. */
export interface TarballLimits {
  /** Of all files together, inflated. */
  maxRepositoryBytes: number;
  /** Of one file; larger ones are passed over. */
  maxFileBytes: number;
}

/** Headers and padding of the entries that the byte limit does not speak of. */
const HEADER_ALLOWANCE_BYTES = 1024 ** 3;
const MAX_ENTRIES = 5_000_000;
/**
 * gzip cannot do better than 1,032 to 1; source code stays far below this. An empty disk image comes near, and may
 * be 100 MB at GitHub, so that smaller archives are not judged. zlib.net/zlib_tech.html
 */
const MAX_RATIO = 500;
const RATIO_FROM_BYTES = 1024 ** 3;
const GUNZIP_CHUNK_BYTES = 256 * 1024;

/** The archive ended early: worth another try. */
export class TarballTruncated extends Error {
  override readonly name = "TarballTruncated";
  constructor(cause: unknown) {
    super("it ended in the middle.", { cause });
  }
}

/** The archive is larger than allowed, or inflates beyond reason. */
export class TarballTooLarge extends Error {
  override readonly name = "TarballTooLarge";
}

/** The archive names a place outside of itself. */
export class TarballUnsafe extends Error {
  override readonly name = "TarballUnsafe";
}

/** The bytes are no gzipped tar. */
export class TarballDamaged extends Error {
  override readonly name = "TarballDamaged";
}

/**
 * Streams a gzipped tar of one top folder and yields the files that `wanted` asks for, by their path below that
 * folder. Nothing is written to disk; one file at a time is in memory. Throws the Tarball… errors above.
 */
export async function* readTarball(
  body: ReadableStream<Uint8Array>,
  options: { limits: TarballLimits; signal: AbortSignal; wanted: (path: Buffer) => boolean },
): AsyncGenerator<TarballFile, void, void> {
  const { limits, signal, wanted } = options;
  const sizes = { packed: 0, inflated: 0, entries: 0 };
  const tar = counted((bytes) => {
    sizes.inflated += bytes;
    refuseBomb(sizes, limits);
  });
  const inflating = pipeline(
    Readable.fromWeb(body as Parameters<typeof Readable.fromWeb>[0]),
    counted((bytes) => {
      sizes.packed += bytes;
    }),
    createGunzip({ chunkSize: GUNZIP_CHUNK_BYTES }),
    tar,
    { signal },
  );
  inflating.catch(() => {}); // the same error ends the loop below
  const onHeader = () => {
    sizes.entries += 1;
    if (sizes.entries > MAX_ENTRIES) throw new TarballTooLarge(`it holds more than ${MAX_ENTRIES} entries.`);
  };
  try {
    for await (const entry of readTar(tar, { onHeader })) {
      const path = pathBelowTop(entry.name);
      if (!entry.isFile || path === null || entry.size > limits.maxFileBytes || !wanted(path)) continue;
      yield { path, content: await entry.content() };
    }
    await inflating;
    if (sizes.entries === 0) throw new TarballTruncated(null);
  } catch (error) {
    signal.throwIfAborted();
    throw translate(error);
  } finally {
    tar.destroy();
    await inflating.catch(() => {});
  }
}

function counted(onBytes: (bytes: number) => void): Transform {
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      try {
        onBytes(chunk.length);
        done(null, chunk);
      } catch (error) {
        done(error as Error);
      }
    },
  });
}

function refuseBomb({ packed, inflated }: { packed: number; inflated: number }, limits: TarballLimits): void {
  if (inflated > limits.maxRepositoryBytes + HEADER_ALLOWANCE_BYTES) {
    throw new TarballTooLarge(
      `it holds more than ${limits.maxRepositoryBytes} bytes (MAX_REPOSITORY_BYTES).`,
    );
  }
  if (inflated > RATIO_FROM_BYTES && inflated > packed * MAX_RATIO) {
    throw new TarballTooLarge(`it inflates to more than ${MAX_RATIO} times its size.`);
  }
}

/** The path without the archive's one top folder; null for the folder itself. */
function pathBelowTop(name: Buffer): Buffer | null {
  const text = name.toString("latin1");
  if (text.startsWith("/") || text.includes("\0") || text.split("/").includes("..")) {
    throw new TarballUnsafe(`it names ${quotePath(text)}, a path outside of it.`);
  }
  const slash = text.indexOf("/");
  return slash === -1 || slash === text.length - 1 ? null : name.subarray(slash + 1);
}

/** Whatever is neither the archive's fault nor ours came off the wire, which may fare better next time. */
function translate(error: unknown): unknown {
  if (!(error instanceof Error) || error.name.startsWith("Tarball")) return error;
  const code = "code" in error ? String(error.code) : "";
  if (error instanceof TarDamaged) return new TarballDamaged(`${error.message}.`, { cause: error });
  if (code === "Z_BUF_ERROR" || error instanceof TarEnded) return new TarballTruncated(error);
  if (code.startsWith("Z_"))
    return new TarballDamaged("its bytes are no gzip, or damaged.", { cause: error });
  return new TarballTruncated(error);
}
