/**
 * A posting list says which units of a segment hold a key: their numbers in ascending order, as Rice codes of the gaps
 * between them. That is within a twentieth of what the numbers' entropy allows, and half of what bytes would take.
 */
export interface PostingList {
  /** The Rice parameter: low bits of a gap that are written as they are; EVERYWHERE where nothing is written. */
  k: number;
  /** The codes, highest bit first, with ones to the end. */
  codes: Uint8Array;
}

/** The parameter of a list that is not written since too many units are in it: it may be in any. */
export const EVERYWHERE = 15;
/** Lists of more than this share of the units tell too little for the room they take. */
const EVERYWHERE_SHARE = 1 / 3;

/** How a list (part of an array of unit numbers, in ascending order) of a segment with so many units is written. */
export function parameterOf(
  list: ArrayLike<number>,
  { start, end, units }: { start: number; end: number; units: number },
): number {
  const length = end - start;
  if (length > units * EVERYWHERE_SHARE && units > 3) return EVERYWHERE;
  const mean = ((list[end - 1] as number) + 1 - length) / length; // of the gaps
  return mean < 1 ? 0 : Math.floor(Math.log2(mean * 0.69 + 1));
}

/** Room that the codes of a list may need. */
export function maxCodeBytes(length: number, units: number): number {
  return 2 + Math.ceil((length * 16 + units) / 8);
}

/** Writes the codes of a list into `into`; answers how many bytes they take. */
export function encodeList(
  list: ArrayLike<number>,
  { start, end, k }: { start: number; end: number; k: number },
  into: Uint8Array,
): number {
  let position = 0;
  let bits = 0; // not written yet: fewer than eight
  let count = 0;
  let previous = -1;
  const low = (1 << k) - 1;
  for (let i = start; i < end; i += 1) {
    const value = list[i] as number;
    const gap = value - previous - 1;
    previous = value;
    let unary = gap >> k;
    while (unary >= 8) {
      bits = (bits << 8) | 0xff;
      unary -= 8;
      into[position] = (bits >>> count) & 0xff;
      position += 1;
    }
    bits = (bits << (unary + 1)) | (((1 << unary) - 1) << 1);
    count += unary + 1;
    while (count >= 8) {
      count -= 8;
      into[position] = (bits >>> count) & 0xff;
      position += 1;
    }
    bits = ((bits & 0xff) << k) | (gap & low);
    count += k;
    while (count >= 8) {
      count -= 8;
      into[position] = (bits >>> count) & 0xff;
      position += 1;
    }
    bits &= 0xff;
  }
  if (count > 0) {
    // A unary number that never ends says that the list does.
    into[position] = ((bits << (8 - count)) | ((1 << (8 - count)) - 1)) & 0xff;
    position += 1;
  }
  return position;
}

/** Reads the numbers of a list that is not EVERYWHERE into `into`; answers how many there are. */
export function decodeList({ k, codes }: PostingList, into: Uint16Array): number {
  const mask = (1 << k) - 1;
  let position = 0;
  let bits = 0;
  let count = 0;
  let value = -1;
  let length = 0;
  for (;;) {
    let unary = 0;
    do {
      if (count === 0) {
        if (position === codes.length) return length;
        bits = codes[position] as number;
        position += 1;
        count = 8;
      }
      const ones = Math.min(count, Math.clz32(~(bits << (32 - count))));
      unary += ones;
      count -= ones;
    } while (count === 0);
    count -= 1; // the zero
    while (count < k) {
      if (position === codes.length) return length;
      bits = (bits << 8) | (codes[position] as number);
      position += 1;
      count += 8;
    }
    count -= k;
    value += 1 + ((unary << k) | ((bits >>> count) & mask));
    bits &= (1 << count) - 1;
    into[length] = value;
    length += 1;
  }
}
