/**
 * Which chunks make the units of a segment. A unit is a chunk; the pieces of a very long line are one together, so that
 * a match across them is in one. All units of a blob are in one segment, one after the other.
 */
export interface MemberBlob {
  /** The number of its first chunk, the others follow. */
  first: number;
  /** How many chunks each of its units has. */
  units: number[];
  /** Its lines are paths of files. */
  isPaths: boolean;
}

/** Each blob: the gap to the one before, how many chunks and what kind, then the sizes of units where they differ. */
export function encodeMembers(blobs: MemberBlob[]): Buffer {
  const bytes: number[] = [];
  let next = 0;
  for (const { first, units, isPaths } of blobs) {
    const chunks = units.reduce((sum, size) => sum + size, 0);
    const isPlain = chunks === units.length;
    writeVarint(bytes, first - next);
    writeVarint(bytes, chunks * 4 + (isPlain ? 0 : 2) + (isPaths ? 1 : 0));
    if (!isPlain) for (const size of units) writeVarint(bytes, size);
    next = first + chunks;
  }
  return Buffer.from(bytes);
}

/** The blobs that encodeMembers was given. */
export function decodeMembers(bytes: Uint8Array): MemberBlob[] {
  const blobs: MemberBlob[] = [];
  const position = { at: 0 };
  let next = 0;
  while (position.at < bytes.length) {
    const first = next + readVarint(bytes, position);
    const header = readVarint(bytes, position);
    const chunks = Math.floor(header / 4);
    const units: number[] = [];
    for (let left = chunks; left > 0; left -= units.at(-1) ?? 0) {
      units.push(header & 2 ? readVarint(bytes, position) : 1);
    }
    blobs.push({ first, units, isPaths: (header & 1) === 1 });
    next = first + chunks;
  }
  return blobs;
}

function writeVarint(bytes: number[], value: number): void {
  let rest = value;
  while (rest >= 128) {
    bytes.push((rest % 128) | 128);
    rest = Math.floor(rest / 128);
  }
  bytes.push(rest);
}

function readVarint(bytes: Uint8Array, position: { at: number }): number {
  let value = 0;
  for (let factor = 1; ; factor *= 128) {
    const byte = bytes[position.at] as number;
    position.at += 1;
    value += (byte & 127) * factor;
    if (byte < 128) return value;
  }
}
