/** A line-aligned piece of a text. */
export interface Chunk {
  /** 0-based place in the text. */
  ordinal: number;
  /** 1-based line its first character stands on. */
  start_line: number;
  /** UTF-16 units of that line before it; above 0 only for the later pieces of a very long line. */
  start_column: number;
  text: string;
}

/** UTF-8 bytes: smaller chunks stay uncompressed under the TOAST threshold, larger ones are slower to verify. */
export const MAX_CHUNK_BYTES = 8_192;
/** How far the pieces of a very long line overlap, so that a match across the cut stands whole in one of them. */
const OVERLAP = 256;

const NEWLINE = 10;

/**
 * Cuts a text into chunks of at most MAX_CHUNK_BYTES that end at line ends. A line that is longer by itself
 * becomes overlapping pieces. joinChunks gives the text back to the last character.
 */
export function chunkText(text: string): Chunk[] {
  const chunks: Chunk[] = [];
  let position = 0;
  let line = 1;
  while (position < text.length) {
    const end = wholeLinesEnd(text, position);
    if (end > position) {
      const piece = text.slice(position, end);
      chunks.push({ ordinal: chunks.length, start_line: line, start_column: 0, text: piece });
      line += countNewlines(piece);
      position = end;
    } else {
      position = cutLongLine(text, position, { line, chunks });
      line += 1;
    }
  }
  return chunks;
}

/** Where the last whole line ends that still fits a chunk from `start`; `start` itself when none does. */
function wholeLinesEnd(text: string, start: number): number {
  let window = Math.min(MAX_CHUNK_BYTES, text.length - start); // a character is at least a byte
  while (window > 0) {
    const limit = start + window;
    const end = limit === text.length ? limit : text.lastIndexOf("\n", limit - 1) + 1;
    if (end <= start) return start;
    const bytes = Buffer.byteLength(text.slice(start, end));
    if (bytes <= MAX_CHUNK_BYTES) return end;
    window = Math.min(end - start - 1, Math.floor(((end - start) * MAX_CHUNK_BYTES) / bytes));
  }
  return start;
}

/** Cuts the line at `start`, with its newline, into overlapping pieces; answers where the next line starts. */
function cutLongLine(
  text: string,
  start: number,
  { line, chunks }: { line: number; chunks: Chunk[] },
): number {
  const newline = text.indexOf("\n", start);
  const lineEnd = newline === -1 ? text.length : newline + 1;
  let from = start;
  for (;;) {
    const to = pieceEnd(text, from, lineEnd);
    chunks.push({
      ordinal: chunks.length,
      start_line: line,
      start_column: from - start,
      text: text.slice(from, to),
    });
    if (to === lineEnd) return lineEnd;
    from = characterStart(text, Math.max(from + 1, to - OVERLAP));
  }
}

function pieceEnd(text: string, from: number, lineEnd: number): number {
  let to = Math.min(lineEnd, from + MAX_CHUNK_BYTES);
  for (;;) {
    if (to < lineEnd) to = characterStart(text, to);
    const bytes = Buffer.byteLength(text.slice(from, to));
    if (bytes <= MAX_CHUNK_BYTES) return to;
    to = from + Math.floor(((to - from) * MAX_CHUNK_BYTES) / bytes);
  }
}

/** `index`, or the one before where it would split a surrogate pair. */
function characterStart(text: string, index: number): number {
  const isLow = (text.charCodeAt(index) & 0xfc00) === 0xdc00;
  return isLow && (text.charCodeAt(index - 1) & 0xfc00) === 0xd800 ? index - 1 : index;
}

/** The text that chunkText was given, from its chunks in order. */
export function joinChunks(chunks: Iterable<Pick<Chunk, "start_column" | "text">>): string {
  let text = "";
  let lineStart = 0;
  for (const chunk of chunks) {
    const known = text.length - lineStart; // units of the unfinished line that are there already
    text += chunk.start_column > 0 ? chunk.text.slice(known - chunk.start_column) : chunk.text;
    lineStart =
      chunk.start_column === 0 || chunk.text.endsWith("\n") ? text.lastIndexOf("\n") + 1 : lineStart;
  }
  return text;
}

/** Lines of a text as editors count them: a last line needs no newline, an empty text has none. */
export function lineCount(text: string): number {
  if (text === "") return 0;
  return countNewlines(text) + (text.charCodeAt(text.length - 1) === NEWLINE ? 0 : 1);
}

function countNewlines(text: string): number {
  let count = 0;
  for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) count += 1;
  return count;
}
