import { foldUnit } from "./fold.ts";
import { Marks } from "./marks.ts";

/**
 * A gram is a window of four symbols of a text, hashed to 18 bits. Symbols do not tell upper from lower case, so that
 * one index serves searches with and without case; what differs by more than that is told apart by looking at the text.
 */

/** How many grams there are. */
export const GRAMS = 1 << 18;
const WINDOW = 4;
const WINDOW_MASK = 0xffffff;
/** Symbols: letters, digits, and most punctuation of code each for itself. */
const SYMBOLS = 64;
const NEWLINE = 10;

/** Reads the distinct grams of texts. */
export class GramReader {
  readonly #marks = new Marks(GRAMS);

  /**
   * Adds the distinct grams of a text (its UTF-16 units) to `into` from `at` on, in the order they are first met; answers where they end.
   * A text without a newline at its end is taken as if it had one. `into` must have room for twice the text's length.
   */
  read(text: Uint16Array, into: Uint32Array, at: number): number {
    const table = SYMBOL_TABLE;
    const { met } = this.#marks;
    const current = this.#marks.next();
    let end = at;
    let window = 0;
    let symbols = 0;
    const length = text.at(-1) === NEWLINE ? text.length : text.length + 1;
    for (let i = 0; i < length; i += 1) {
      const symbol = table[i < text.length ? (text[i] as number) : NEWLINE] as number;
      if (symbol >= SYMBOLS) {
        window = ((window << 6) | ((symbol >> 6) & 63)) & WINDOW_MASK;
        symbols += 1;
        if (symbols >= WINDOW) {
          const first = hashWindow(window);
          if (met[first] !== current) {
            met[first] = current;
            into[end] = first;
            end += 1;
          }
        }
      }
      window = ((window << 6) | (symbol & 63)) & WINDOW_MASK;
      symbols += 1;
      if (symbols < WINDOW) continue;
      const gram = hashWindow(window);
      if (met[gram] !== current) {
        met[gram] = current;
        into[end] = gram;
        end += 1;
      }
    }
    return end;
  }
}

/**
 * The grams of every text that contains this literal, whatever its case: a text must have all of the first, and of
 * each further set at least one. Null where the literal is too short to tell.
 */
export function gramsOfLiteral(literal: string): number[][] | null {
  const symbols = symbolsOf(literal);
  if (symbols.length === WINDOW - 1) {
    const window = symbols.reduce((sum, symbol) => (sum << 6) | symbol, 0);
    return [[...new Set(Array.from({ length: SYMBOLS }, (_, next) => hashWindow((window << 6) | next)))]];
  }
  if (symbols.length < WINDOW) return null;
  const grams = new Set<number>();
  let window = 0;
  symbols.forEach((symbol, i) => {
    window = ((window << 6) | symbol) & WINDOW_MASK;
    if (i >= WINDOW - 1) grams.add(hashWindow(window));
  });
  return [...grams].map((gram) => [gram]);
}

function symbolsOf(text: string): number[] {
  const symbols: number[] = [];
  for (let i = 0; i < text.length; i += 1) {
    const symbol = SYMBOL_TABLE[text.charCodeAt(i)] as number;
    if (symbol >= SYMBOLS) symbols.push((symbol >> 6) & 63);
    symbols.push(symbol & 63);
  }
  return symbols;
}

function hashWindow(window: number): number {
  return Math.imul(window, 0x9e3779b1) >>> 14;
}

/** Symbols of ASCII by themselves or in groups; what is left shares one. */
const ASCII_GROUPS = [
  ..."abcdefghijklmnopqrstuvwxyz0123456789",
  ..."_./-\"'(){}[]=,;:*<>&|",
  " \t",
  "\n\r",
  "#@$%",
  "!?+~^\\`",
];

/** What stands for a character, by UTF-16 unit: below SYMBOLS one symbol, else two (the lower twelve bits). */
const SYMBOL_TABLE = makeSymbolTable();

function makeSymbolTable(): Uint16Array {
  const table = new Uint16Array(65_536);
  const ascii = new Uint16Array(128).fill(ASCII_GROUPS.length);
  ASCII_GROUPS.forEach((group, symbol) => {
    for (const character of group) ascii[foldUnit(character.charCodeAt(0))] = symbol;
  });
  for (let unit = 0; unit < table.length; unit += 1) {
    const folded = foldUnit(unit);
    // Two symbols of their own for every other character: two characters of a script without an alphabet make a gram.
    table[unit] = folded < 128 ? (ascii[folded] as number) : 4096 | (Math.imul(folded, 0x9e3779b1) >>> 20);
  }
  return table;
}
