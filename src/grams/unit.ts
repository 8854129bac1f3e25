import { toUnits } from "./fold.ts";
import { GRAMS, GramReader } from "./gram.ts";
import type { MemberBlob } from "./members.ts";
import type { UnitKeys } from "./segment.ts";
import { WordReader } from "./word.ts";

/** A chunk as far as units are concerned. */
interface Piece {
  start_column: number;
  text: string;
}

/** The chunks of a text, unit by unit: the pieces of a very long line belong together. */
export function unitsOf<T extends Piece>(chunks: T[]): T[][] {
  const units: T[][] = [];
  for (const chunk of chunks) {
    if (chunk.start_column > 0) units.at(-1)?.push(chunk);
    else units.push([chunk]);
  }
  return units;
}

/** The text of a unit, whose pieces overlap. */
export function textOfUnit([first, ...rest]: Piece[]): string {
  return rest.reduce(
    (text, piece) => text + piece.text.slice(text.length - piece.start_column),
    first?.text ?? "",
  );
}

/** A path as a line of its own: a newline in it would make two. */
export function pathLine(path: string): string {
  return path.replaceAll("\n", "\u001e");
}

/** The path of such a line. */
export function pathOfLine(line: string): string {
  return line.replaceAll("\u001e", "\n");
}

/** The keys of many units, and which chunks make them. */
export interface IndexedUnits extends UnitKeys {
  blobs: MemberBlob[];
}

const FIRST_ROOM = 1 << 20;

/** Collects the keys of the units of one text after the other. */
export class UnitIndexer {
  readonly #grams = new GramReader();
  readonly #words = new WordReader();
  #keys = new Uint32Array(FIRST_ROOM);
  #end = 0;
  #counts: number[] = [];
  #blobs: MemberBlob[] = [];

  /** Adds a text by its chunks, in order; `first` is the number of its first chunk. */
  add(chunks: Piece[], { first, isPaths = false }: { first: number; isPaths?: boolean }): void {
    const units = unitsOf(chunks);
    for (const unit of units) this.#addUnit(toUnits(textOfUnit(unit)));
    if (units.length > 0) this.#blobs.push({ first, units: units.map(({ length }) => length), isPaths });
  }

  /** What was added since this was last asked. */
  take(): IndexedUnits {
    const taken = {
      keys: this.#keys.slice(0, this.#end),
      counts: Uint32Array.from(this.#counts),
      blobs: this.#blobs,
    };
    this.#end = 0;
    this.#counts = [];
    this.#blobs = [];
    return taken;
  }

  #addUnit(text: Uint16Array): void {
    const most = this.#end + text.length * 4 + 8; // two grams and two words a character
    if (most > this.#keys.length) {
      const larger = new Uint32Array(most * 2);
      larger.set(this.#keys.subarray(0, this.#end));
      this.#keys = larger;
    }
    const grams = this.#grams.read(text, this.#keys, this.#end);
    const end = this.#words.read(text, this.#keys, grams, GRAMS);
    this.#counts.push(end - this.#end);
    this.#end = end;
  }
}
