/** One entry of a tar. `name` has its true bytes; an entry that is not asked for its content is passed over. */
export interface TarEntry {
  name: Buffer;
  isFile: boolean;
  /** Bytes of content, as the header says. */
  size: number;
  /** The content, copied out of the stream. Ask before the next entry is taken. */
  content(): Promise<Buffer>;
}

/** The bytes are no tar, or one that contradicts itself. */
export class TarDamaged extends Error {
  override readonly name = "TarDamaged";
}

/** The stream ended within an entry. */
export class TarEnded extends Error {
  override readonly name = "TarEnded";
}

const BLOCK_BYTES = 512;
/** Of a pax header or a long name: git's paths are far shorter, and no more than this is in memory. */
const MAX_EXTENSION_BYTES = 1024 * 1024;
const ZERO_BLOCK = Buffer.alloc(BLOCK_BYTES);

/**
 * Reads a tar (v7, ustar, GNU, pax), trusting nothing: work and memory grow with the bytes that arrive, whatever the
 * headers say. Links, devices and global headers carry nothing that an index wants, so their content is passed over.
 * pubs.opengroup.org/onlinepubs/9799919799/utilities/pax.html
 */
export async function* readTar(
  chunks: AsyncIterable<Buffer>,
  options: { onHeader: () => void },
): AsyncGenerator<TarEntry, void, void> {
  const bytes = new ByteReader(chunks);
  let extension: Extension = {};
  for (let zeros = 0; zeros < 2; ) {
    const block = bytes.takeNow(BLOCK_BYTES) ?? (await bytes.take(BLOCK_BYTES, { orEnd: true }));
    if (block === null) return;
    zeros = block.equals(ZERO_BLOCK) ? zeros + 1 : 0;
    if (zeros > 0) continue;
    options.onHeader();
    const header = parseHeader(block);
    if (header.type === "x" || header.type === "L") {
      const body = await bytes.take(extensionSize(header.size));
      await bytes.skip(paddingOf(header.size));
      if (header.type === "x") extension = { ...extension, ...parsePax(body) };
      else extension = { path: textBefore0(body), ...extension }; // pax rules over GNU's long names
      continue;
    }
    if (header.type === "g" || header.type === "K") {
      await bytes.skip(header.size + paddingOf(header.size));
      continue;
    }
    const { path: name = header.name, size = header.size } = extension;
    extension = {};
    const end = bytes.position + size + paddingOf(size);
    yield { name, size, isFile: isFile(header.type, name), content: () => bytes.take(size) };
    if (!bytes.takeNow(end - bytes.position)) await bytes.skip(end - bytes.position);
  }
  await bytes.drain(); // what wraps the tar has its own end to check
}

interface Extension {
  path?: Buffer;
  size?: number;
}

function isFile(type: string, name: Buffer): boolean {
  return (type === "0" || type === "\0" || type === "7") && name.at(-1) !== 0x2f; // v7 has folders end in a slash
}

function parseHeader(block: Buffer): { name: Buffer; size: number; type: string } {
  let sum = 0;
  for (let i = 0; i < BLOCK_BYTES; i += 1) sum += i >= 148 && i < 156 ? 0x20 : (block[i] ?? 0);
  if (parseOctal(block.subarray(148, 156)) !== sum)
    throw new TarDamaged("a header does not match its checksum");
  const type = String.fromCharCode(block[156] ?? 0);
  const prefix =
    block.toString("latin1", 257, 263) === "ustar\0" ? textBefore0(block.subarray(345, 500)) : null;
  const name = textBefore0(block.subarray(0, 100));
  return {
    name: Buffer.from(prefix && prefix.length > 0 ? Buffer.concat([prefix, SLASH, name]) : name),
    size: parseSize(block.subarray(124, 136)),
    type,
  };
}

const SLASH = Buffer.from("/");

function textBefore0(field: Buffer): Buffer {
  const end = field.indexOf(0);
  return end === -1 ? field : field.subarray(0, end);
}

/** Octal, or where the first bit is set 95 bits of a number: GNU's way to tell of more than 8 GiB. */
function parseSize(field: Buffer): number {
  const first = field[0] ?? 0;
  if (first < 0x80) return parseOctal(field);
  const size = field.subarray(1).reduce((sum, byte) => sum * 256 + byte, first & 0x7f);
  if (!Number.isSafeInteger(size)) throw new TarDamaged("a header gives a size that cannot be");
  return size;
}

function parseOctal(field: Buffer): number {
  const digits = field
    .toString("latin1")
    .replace(/[\0 ]+$/, "")
    .trimStart();
  if (!/^[0-7]*$/.test(digits)) throw new TarDamaged("a header has letters where a number belongs");
  return digits === "" ? 0 : Number.parseInt(digits, 8);
}

function extensionSize(size: number): number {
  if (size > MAX_EXTENSION_BYTES)
    throw new TarDamaged(`a header extension is larger than ${MAX_EXTENSION_BYTES} bytes`);
  return size;
}

/** Records of `<length> <key>=<value>\n`; an empty value leaves the header's own in force. */
function parsePax(body: Buffer): Extension {
  const extension: Extension = {};
  for (let at = 0; at < body.length && body[at] !== 0; ) {
    const space = body.subarray(at, at + 12).indexOf(0x20);
    const length = Number(body.toString("latin1", at, at + Math.max(space, 0)));
    const record = body.subarray(at + space + 1, at + length - 1);
    if (space < 1 || !Number.isInteger(length) || length < space + 2 || body[at + length - 1] !== 0x0a)
      throw new TarDamaged("a pax header is malformed");
    at += length;
    if (record.subarray(0, 5).equals(PATH)) {
      if (record.length > 5) extension.path = Buffer.from(record.subarray(5));
    } else if (record.subarray(0, 5).equals(SIZE)) {
      extension.size = parsePaxSize(record.toString("latin1", 5, 30));
    }
  }
  return extension;
}

const PATH = Buffer.from("path=");
const SIZE = Buffer.from("size=");

function parsePaxSize(text: string): number {
  const size = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(size))
    throw new TarDamaged("a pax header gives a size that cannot be");
  return size;
}

function paddingOf(size: number): number {
  return (BLOCK_BYTES - (size % BLOCK_BYTES)) % BLOCK_BYTES;
}

/** Takes bytes off a stream of chunks, holding no more than one chunk beside what is asked for. */
class ByteReader {
  position = 0;
  readonly #chunks: AsyncIterator<Buffer>;
  #chunk: Buffer = Buffer.alloc(0);

  constructor(chunks: AsyncIterable<Buffer>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /** A copy of the next bytes; null, if allowed, where the stream ends before the first of them. */
  take(length: number): Promise<Buffer>;
  take(length: number, options: { orEnd: true }): Promise<Buffer | null>;
  async take(length: number, { orEnd = false } = {}): Promise<Buffer | null> {
    const pieces: Buffer[] = [];
    for (let missing = length; missing > 0; ) {
      if (this.#chunk.length === 0 && !(await this.#advance())) {
        if (orEnd && missing === length) return null;
        throw new TarEnded();
      }
      const piece = this.#shift(missing);
      missing -= piece.length;
      pieces.push(piece);
    }
    return Buffer.concat(pieces);
  }

  /** The next bytes where they are at hand, not copied; else null. Most headers are, and no turn is lost on them. */
  takeNow(length: number): Buffer | null {
    return this.#chunk.length < length ? null : this.#shift(length);
  }

  async skip(length: number): Promise<void> {
    for (let missing = length; missing > 0; ) {
      if (this.#chunk.length === 0 && !(await this.#advance())) throw new TarEnded();
      missing -= this.#shift(missing).length;
    }
  }

  async drain(): Promise<void> {
    while (await this.#advance());
  }

  #shift(most: number): Buffer {
    const piece = this.#chunk.subarray(0, most);
    this.#chunk = this.#chunk.subarray(piece.length);
    this.position += piece.length;
    return piece;
  }

  async #advance(): Promise<boolean> {
    const next = await this.#chunks.next();
    if (next.done) return false;
    this.#chunk = next.value;
    return true;
  }
}
