/** A text and the encoding it was read by, as the WHATWG Encoding Standard names it. */
export interface DecodedText {
  encoding: string;
  text: string;
}

/**
 * Below this mean score (1 is text as its readers write it) bytes are nobody's text. Found by trying texts of each
 * encoding against each other: the right one scored 0.7 and more, a wrong one 0.45 at most.
 */
const PLAUSIBLE = 0.5;
/** Bytes looked at, from the first beyond ASCII on: enough to tell, and bounded for large files. */
const SAMPLE_BYTES = 64 * 1024;

const COMMON_HANGUL = new Set(
  "이다는을의에가고하지로기은를사리해인도어한시나서라자아대스만있수일정보그부제여전장",
);
const COMMON_HANZI = new Set(
  "的一是不了在人有我他这个中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作用行方",
);

type Score = (bytes: Buffer) => number;

const SCORES: [encoding: string, score: Score][] = [
  ["euc-kr", scoreEucKr],
  ["shift_jis", scoreShiftJis],
  ["gb18030", scoreGb18030],
  ["windows-1252", scoreLatin1],
];

/**
 * Reads bytes that are not UTF-8 as the legacy encoding that makes the most likely text of them: EUC-KR, Shift-JIS,
 * GB18030 or Latin-1 (as its superset windows-1252). Null where none is likely, or none reads them without a fault.
 */
export function decodeLegacy(content: Buffer): DecodedText | null {
  const first = Math.max(0, content.findIndex((byte) => byte >= 0x80) - 1);
  const sample = content.subarray(first, first + SAMPLE_BYTES);
  const ranked = SCORES.map(([encoding, score]) => ({ encoding, score: score(sample) }))
    .filter(({ score }) => score >= PLAUSIBLE)
    .sort((a, b) => b.score - a.score);
  for (const { encoding } of ranked) {
    const text = decodeWhole(content, encoding);
    if (text !== null) return { encoding, text };
  }
  return null;
}

/** The text, or null where a byte is not of the encoding. */
export function decodeWhole(content: Buffer, encoding: string): string | null {
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(content);
  } catch {
    return null;
  }
}

/** The mean over pairs of a lead byte ≥ 0x81 and its trail, as the double-byte encodings have them. */
function scorePairs(bytes: Buffer, scoreOf: (lead: number, trail: number) => number): number {
  let sum = 0;
  let count = 0;
  for (let i = 0; i < bytes.length; i += 1) {
    const lead = bytes[i] ?? 0;
    if (lead < 0x81) continue;
    i += 1;
    sum += scoreOf(lead, bytes[i] ?? 0);
    count += 1;
  }
  return count === 0 ? 0 : sum / count;
}

/** KS X 1001: Hangul in rows B0 to C8. What UHC adds (trails below A1) is rare, and what accented Latin looks like. */
function scoreEucKr(bytes: Buffer): number {
  const common = shareOf(bytes, "euc-kr", COMMON_HANGUL);
  const pairs = scorePairs(bytes, (lead, trail) => {
    if (lead < 0xa1 || trail < 0xa1) return -1;
    if (lead >= 0xb0 && lead <= 0xc8) return 0.9;
    return lead <= 0xac ? 0.5 : 0.1;
  });
  return pairs + 0.5 * common;
}

/** GB 2312: the common hanzi in rows B0 to D7, the rare ones up to F7. */
function scoreGb18030(bytes: Buffer): number {
  const common = shareOf(bytes, "gb18030", COMMON_HANZI);
  const pairs = scorePairs(bytes, (lead, trail) => {
    if (lead < 0xa1 || trail < 0xa1) return -1;
    if (lead >= 0xb0 && lead <= 0xd7) return 0.8;
    return lead <= 0xa9 ? 0.5 : 0.2;
  });
  return pairs + 0.5 * common;
}

/** Japanese is known by its kana: rows 82 and 83. Half-width kana are what EUC looks like from here. */
function scoreShiftJis(bytes: Buffer): number {
  let kana = 0;
  let sum = 0;
  let count = 0;
  for (let i = 0; i < bytes.length; i += 1) {
    const lead = bytes[i] ?? 0;
    if (lead < 0x81) continue;
    count += 1;
    if (lead >= 0xa1 && lead <= 0xdf) {
      sum -= 0.3;
      continue;
    }
    i += 1;
    const trail = bytes[i] ?? 0;
    const isKana =
      (lead === 0x82 && trail >= 0x9f && trail <= 0xf1) || (lead === 0x83 && trail >= 0x40 && trail <= 0x96);
    if (isKana) kana += 1;
    sum += isKana
      ? 1
      : lead === 0x81
        ? 0.5
        : (lead >= 0x88 && lead <= 0x9f) || (lead >= 0xe0 && lead <= 0xea)
          ? 0.7
          : -1;
  }
  if (count === 0) return 0;
  const mean = sum / count;
  return kana / count >= 0.15 ? mean + 0.2 : mean * 0.3;
}

/** Accented letters stand alone among ASCII ones, or by twos at most; five bytes are no character at all. */
function scoreLatin1(bytes: Buffer): number {
  let sum = 0;
  let count = 0;
  for (let i = 0; i < bytes.length; i += 1) {
    const byte = bytes[i] ?? 0;
    if (byte < 0x80) continue;
    let end = i + 1;
    while ((bytes[end] ?? 0) >= 0x80) end += 1;
    const run = bytes.subarray(i, end);
    const inWord = isLetter(bytes[i - 1] ?? 0) || isLetter(bytes[end] ?? 0);
    for (const one of run) sum += scoreLatin1Byte(one, { inWord, run: run.length });
    count += run.length;
    i = end;
  }
  return count === 0 ? 0 : sum / count;
}

function scoreLatin1Byte(byte: number, { inWord, run }: { inWord: boolean; run: number }): number {
  if ([0x81, 0x8d, 0x8f, 0x90, 0x9d].includes(byte)) return -3;
  if (run > 2) return -0.5;
  const isAccented = byte >= 0xc0 && byte !== 0xd7 && byte !== 0xf7;
  if (run === 2) return isAccented && inWord ? 0.4 : -0.5;
  return isAccented ? (inWord ? 1 : 0.4) : 0.6;
}

function isLetter(byte: number): boolean {
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x7a;
}

/** Which share of the characters beyond ASCII is in the set. */
function shareOf(bytes: Buffer, encoding: string, set: ReadonlySet<string>): number {
  let count = 0;
  let found = 0;
  for (const character of new TextDecoder(encoding).decode(bytes)) {
    if (character < "\u0080") continue;
    count += 1;
    if (set.has(character)) found += 1;
  }
  return count === 0 ? 0 : found / count;
}
